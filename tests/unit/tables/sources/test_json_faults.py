"""What Python takes for JSON though it is none fails its row, by line; the others are read."""

import json

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat
from runner.tables.field_types import MappedColumn
from runner.tables.sources.sql_join import JoinedSource

OBJECTS = [
    '{"a": "fine \\ud83d\\ude00", "b": 1}',
    '{"a": "x", "b": NaN}',
    '{"a": "x", "b": -Infinity}',
    '{"a": "x", "a": "y"}',
    '{"a": "x", "n": {"c": 1, "c": 2}}',
    '{"a": "half \\ud800"}',
    '{"a": "x", "n": ["\\udc00"]}',
    '{"a": "fine too"}',
]
FAULTS = {
    2: "NaN is not JSON; write null for a blank",
    3: "-Infinity is not JSON; write null for a blank",
    4: "the member 'a' appears twice in one object",
    5: "the member 'c' appears twice in one object",
    6: r"\ud800 is half a character",
    7: r"\udc00 is half a character",
}
A = [MappedColumn("a", None)]


@pytest.mark.parametrize(
    ("form", "content", "lines_before"),
    [("jsonl", "\n".join(OBJECTS), 0), ("json", "[\n" + ",\n".join(OBJECTS) + "\n]", 1)],
)
def test_the_row_fails_with_its_line_also_in_columns_that_are_not_mapped(
    stage, rows_of, failed_rows, form, content, lines_before
):
    staging = stage(content.encode(), A, form=FileFormat(form))
    assert rows_of(staging) == [{"a": "fine 😀"}, {"a": "fine too"}]
    failed = failed_rows(staging)
    assert {row["sf__Code"] for row in failed} == {"UNREADABLE_ROW"}
    assert {int(row["sf__Row"]): row["sf__Message"] for row in failed} == {
        row: f"line {row + lines_before}: {fault}" for row, fault in FAULTS.items()
    }


def test_it_fails_again_where_its_failed_row_is_read(stage, failed_rows, tmp_path):
    failed_rows(stage("\n".join(OBJECTS).encode(), A, form=FileFormat.JSONL))
    failed = (tmp_path / "failed.csv").read_bytes()
    again = stage(failed, A)
    assert again.rejected_total == len(FAULTS)
    logged = stage(failed, [MappedColumn("Why__c", "sf__Message")])
    assert logged.rejected_total == 0


def test_sql_over_such_a_row_is_refused(stage, tmp_path):
    source = stage.source(OBJECTS[5].encode(), FileFormat.JSONL)
    with pytest.raises(SourceError, match=r"line 1: \\ud800 is half a character"):
        stage.staging(JoinedSource("SELECT a FROM t", {"t": source}))


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_nesting_without_end_is_refused_with_its_line(stage, form):
    content = json.dumps({"a": 1}) + "\n" + '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    content = f"[{content.replace(chr(10), ',' + chr(10))}]" if form == "json" else content
    with pytest.raises(SourceError, match=r"line 2: .* nested too deeply"):
        stage(content.encode(), form=FileFormat(form))
