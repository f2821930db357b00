"""Rows without any value are no rows, in any format, and are told."""

import json

import duckdb
import openpyxl
import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import MappedColumn
from runner.tables.sources import chunks
from runner.tables.sources.sql_join import JoinedSource

ROWS = [("1", "x"), (None, None), ("", " \t"), ("2", None), (None, None)]
XML = "".join(f"<r><a>{a or ''}</a>{f'<b>{b}</b>' if b else ''}</r>" for a, b in ROWS)
CONTENTS = {
    FileFormat.CSV: 'a,b\n1,x\n,\n," \t"\n2,\n,\n',
    FileFormat.JSONL: "\n".join(json.dumps(dict(zip("ab", row, strict=True))) for row in ROWS),
    FileFormat.JSON: json.dumps([dict(zip("ab", row, strict=True)) for row in ROWS]),
    FileFormat.XML: f"<root>{XML}</root>",
}


@pytest.mark.parametrize("form", CONTENTS)
def test_they_are_left_out_and_told(stage, rows_of, failed_rows, form):
    shape = {"record": "/root/r"} if form is FileFormat.XML else {}
    columns = [MappedColumn("a", None, required=True), MappedColumn("c", "coalesce(b, 'none')")]
    staging = stage(CONTENTS[form].encode(), columns, form=form, shape=shape)
    assert rows_of(staging) == [{"a": "1", "c": "x"}, {"a": "2", "c": "none"}]
    assert staging.notes == ("3 blank rows skipped",)
    assert (staging.rows_total, staging.rejected_total) == (2, 0)


def test_they_are_left_out_of_parquet_and_of_tables_of_sql(stage, tmp_path):
    values = "('1', 'x'), (NULL, NULL), ('', ' ' || chr(9)), ('2', NULL), (NULL, NULL)"
    duckdb.sql(f"FROM (VALUES {values}) v(a, b)").write_parquet(str(tmp_path / "a.parquet"))
    source = FileSource(tmp_path / "a.parquet", FileShape(FileFormat.PARQUET))
    staging = stage.staging(source)
    staging.map([MappedColumn("a", None)])
    assert (staging.rows_total, staging.notes) == (2, ("3 blank rows skipped",))
    joined = stage.staging(JoinedSource("SELECT count(*) AS n FROM t", {"t": source}))
    joined.map([MappedColumn("n", None)])
    assert [record for _, record in next(joined.batches(9))] == [{"n": "2"}]
    assert joined.notes == ("t: 3 blank rows skipped",)


def test_they_are_left_out_of_sheets(stage, tmp_path):
    book = openpyxl.Workbook()
    for row in [("a", "b"), *ROWS, ("3", "y"), (None, None)]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    staging = stage.staging(FileSource(tmp_path / "a.xlsx", FileShape(FileFormat.EXCEL)))
    staging.map([MappedColumn("a", None)])
    assert (staging.rows_total, staging.notes) == (3, ("a.xlsx: 3 blank rows skipped",))


def test_rows_keep_their_numbers_and_their_texts_around_them(stage, failed_rows, monkeypatch):
    monkeypatch.setattr(chunks.cut_chunks, "__defaults__", (64,))
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 64)
    lines = [f'{row},"a ""{row}""\nb"\r\n' if row % 3 else ",\r\n" for row in range(1, 41)]
    staging = stage(
        ("k,v\r\n" + "".join(lines)).encode(), [MappedColumn("n", "CAST(k AS INT) - 1 / 0")]
    )
    failed = failed_rows(stage(("k,v\r\n" + "".join(lines)).encode(), [
        MappedColumn("k", None), MappedColumn("d", "CAST(v AS DATE)")
    ]))  # fmt: skip
    assert staging.rows_total == len(failed) == 27
    assert [row["sf__Row"] for row in failed] == [str(number) for number in range(1, 28)]
    assert failed[2]["v"] == 'a "4"\nb'


def test_a_source_of_one_column_has_no_blank_rows_either(stage, rows_of):
    staging = stage(b'a\n1\n""\n\n2\n')
    assert rows_of(staging) == [{"a": "1"}, {"a": "2"}]
    assert staging.notes == ("1 blank row skipped",)


@pytest.mark.parametrize(
    ("record", "content", "told"),
    [
        ("/root/account", "<root><konto/><kunde/></root>", "`/root/konto` and `/root/kunde`"),
        ("/root/list/a", "<root><x/><lists><a/></lists></root>", "`/root/x` and `/root/lists`"),
        ("/root/list/a", "<root><x/><list><b><a/></b></list></root>", "/root/list/b"),
    ],
)
def test_an_xml_path_that_leads_nowhere_is_refused(stage, record, content, told):
    with pytest.raises(SourceError, match=f"there is no element {record}") as raised:
        stage(content.encode(), form=FileFormat.XML, shape={"record": record})
    assert told in raised.value.hint


@pytest.mark.parametrize("content", ["<root/>", "<root><x/><list/></root>", "<root>\n</root>"])
def test_an_xml_file_without_records_has_no_rows(stage, content):
    staging = stage(content.encode(), form=FileFormat.XML, shape={"record": "/root/list/a"})
    assert staging.rows_total == 0


def test_a_row_of_declared_blanks_does_not_shift_the_rows_of_the_next_file(stage, tmp_path):
    for name, text in {"a": '{"a": "-, x"}\n{"a": "\u00a0"}\n', "b": '{"a": "y"}\n'}.items():
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    shape = FileShape(FileFormat.JSONL, nulls=("-, x",))
    staging = stage.staging(FileSource(tmp_path / "*.jsonl", shape))
    staging.map([MappedColumn("a", None)])
    assert staging.files == ((1, "a.jsonl"), (2, "b.jsonl"))


@pytest.mark.parametrize("null", ["n/a, unknown", 'no "value"', "-;-"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_value_that_needs_quotes_can_mean_a_blank(stage, rows_of, null, delimiter):
    quoted = null.replace('"', '""')
    content = f'a,b\n"{quoted}",1\n"{quoted}","{quoted}"\nx,"{quoted}"\n'.replace(",", delimiter)
    shape = {"nulls": (null.replace(",", delimiter), "-"), "delimiter": delimiter}
    assert rows_of(stage(content.encode(), shape=shape)) == [{"b": "1"}, {"a": "x"}]
    (joined,) = [JoinedSource("SELECT b FROM t", {"t": stage.source(content.encode(), **shape)})]
    staging = stage.staging(joined)
    staging.map([MappedColumn("b", None)])
    assert rows_of(staging) == [{"b": "1"}]
