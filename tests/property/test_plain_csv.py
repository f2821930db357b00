"""Rows that are passed on as bytes are those that DuckDB would write, byte for byte."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.outcome import RowResult, RowStatus
from runner.tables.field_types import MappedColumn
from runner.tables.plain_csv import is_plain, record_ends, records_of
from runner.tables.results.row_results import RowResults
from runner.tables.sql import CsvDialect, copy_csv, read_records
from runner.tables.staging.rows import StagedRows
from tests.short_form import sampled

VALUES = ("a", " ", "", "é", '"', '""', "#", "\n", "\n\n", ",", '"b"', '"x,y"', '"x\ny"', '"#"',
          '"",', "\ufeff", "\0", "\r\n", "\r", "'", "#N/A", '"\n"')  # fmt: skip
texts = st.lists(st.sampled_from((*VALUES, ",", ",", "\n", "\n")), max_size=12).map("".join)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("plain")


@given(text=texts, width=st.integers(1, 3))
@example('"a,b",c\n', 2)
@example("a,b,\n", 2)
@example("a\n", 2)
@example("a#,b\n", 2)
@example('a"b,"c"\n', 2)
@example('1,"\n\n",2\n', 3)
@sampled(60)
def test_plain_text_is_written_as_it_is(connection, folder, text, width):
    content = f"{text}\n".encode()
    file, to = folder / "read.csv", folder / "written.csv"
    file.write_bytes(content)
    columns = tuple(f"c{place}" for place in range(width))
    read = read_records(file, CsvDialect(columns, len(content)), columns)
    try:
        rows = connection.execute(f"FROM {read}").fetchall()
    except duckdb.Error:
        return  # nothing that is passed on
    if is_plain(content, len(rows), width):
        connection.execute(copy_csv(f"FROM {read}", to, header=False))
        assert to.read_bytes() == content
        assert b"\n".join([*records_of(content, len(rows)), b""]) == content
        assert len(records_of(content, len(rows))) == len(record_ends(content)) == len(rows)


@pytest.mark.parametrize(
    ("text", "rows"), [("a,b\n", 1), ("1,\n,2\n", 2), (',"x, ""y""\nz"\n', 1), ("é , \n\ta,'\n", 2)]
)
def test_texts_as_files_mostly_have_them_are_plain(text, rows):
    assert is_plain(text.encode(), rows, 2)


cells = st.lists(st.sampled_from(("", " ", "a", "é", "x,y", 'say "b"', "x\ny", "#1")), min_size=2)
ends = st.sampled_from((*RowStatus, *[RowStatus.SUCCEEDED] * 3))


@given(
    rows=st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(VALUES), ends), max_size=8),
    quoting=st.sampled_from(("none", "as needed", "all")),
    line_end=st.sampled_from(("\n", "\r\n")),
    delimiter=st.sampled_from((",", ";")),
    more=st.booleans(),
)
@example(
    rows=[("a", "a", RowStatus.UNCHANGED)],
    quoting="none",
    line_end="\n",
    delimiter=",",
    more=False,
)
@sampled(10)
def test_result_files_are_the_rows_as_duckdb_writes_them(
    connection, tmp_path_factory, rows, quoting, line_end, delimiter, more
):
    """The rows of a source, however it is written, are in its result files in one form."""
    folder = tmp_path_factory.mktemp("results")
    kept = [(f"k{at}", *row) for at, row in enumerate(rows)]
    kept += [(f"m{at}", "many", "more", RowStatus.SUCCEEDED) for at in range(20 * more)]
    lines = [("k", "a", "b"), *((k, a, b) for k, a, b, _ in kept)]
    text = "".join(delimiter.join(_written(c, quoting) for c in each) + line_end for each in lines)
    (folder / "source.csv").write_text(text, encoding="utf-8", newline="")
    staging = StagedRows(folder / "staging")
    shape = FileShape(FileFormat.CSV, delimiter=delimiter)
    staging.load(FileSource(folder / "source.csv", shape))
    staging.map([MappedColumn("Key__c", "k")])
    results = RowResults(staging)
    results.add(
        [
            RowResult(at, status, id=f"001{at}", code="X", message='no "b", sir\nno')
            for at, (*_, status) in enumerate(kept, start=1)
        ]
    )
    results.write_files(folder)
    staging.discard()
    for status in (RowStatus.SUCCEEDED, RowStatus.UNPROCESSED):
        own = [(at, row[:3]) for at, row in enumerate(kept, start=1) if row[3] is status]
        expected = _by_duckdb(connection, folder / "expected.csv", own, status)
        written = (folder / f"{status}.csv").read_bytes()
        assert written.partition(b"\n")[2] == expected


def _written(cell: str, quoting: str) -> str:
    needs = quoting == "all" or any(sign in cell for sign in ',;"\n\r')
    return '"' + cell.replace('"', '""') + '"' if needs else cell


def _by_duckdb(connection, file, rows, status) -> bytes:
    connection.execute("CREATE OR REPLACE TABLE expected (k TEXT, a TEXT, b TEXT, n INT, i TEXT)")
    for at, cells in rows:
        connection.execute("INSERT INTO expected VALUES (?, ?, ?, ?, ?)", [*cells, at, f"001{at}"])
    blank = ", ".join(f"nullif({each}, '') AS {each}" for each in "kab")
    ended = {RowStatus.SUCCEEDED: ", n, i, NULL", RowStatus.UNPROCESSED: ", n"}[status]
    connection.execute(
        copy_csv(f"SELECT {blank}{ended} FROM expected ORDER BY n", file, header=False)
    )
    return file.read_bytes()
