"""Values as sources write them, declared: numbers, blanks and checkboxes."""

import duckdb
import pytest

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.open import open_source
from runner.tables.sources.sql_join import JoinedSource

EURO = {"decimal": ",", "thousands": ".", "strip": "€%"}
LETTERS = {"decimal": ".", "thousands": ",", "strip": "$USDR"}
SPACES = {"decimal": ",", "thousands": " "}
SWISS = {"thousands": "'", "strip": "CHF"}


@pytest.mark.parametrize(
    ("shape", "written", "sent"),
    [
        (EURO, "1.234.567,80 €", "1234567.80"),
        (EURO, "-€ 1.234", "-1234"),
        (EURO, "€-5,5", "-5.5"),
        (EURO, "+12,5\u00a0%", "12.5"),
        (EURO, "1234,5", "1234.5"),
        (EURO, "1e3", "1000"),
        (EURO, "1.23", None),
        (EURO, "5€50", None),
        (EURO, "€", None),
        (EURO, "(5)", None),
        (EURO, "5 $", None),
        (LETTERS, "USD 1,234.50", "1234.50"),
        (LETTERS, "12,34,567.89", "1234567.89"),
        (LETTERS, "R$5", "5"),
        (LETTERS, "1,2", None),
        (SPACES, "1\u202f234\u00a0567,5", "1234567.5"),
        (SPACES, "1 234", "1234"),
        (SPACES, "12 34", None),
        (SWISS, "CHF 1\u2019234.05", "1234.05"),
        ({"decimal": ","}, "1.234,56", "1234.56"),
        ({"strip": "%"}, "12.5%", "12.5"),
        ({"strip": "%"}, "1,234%", None),
    ],
)
def test_numbers_are_read_as_the_source_writes_them(stage, rows_of, shape, written, sent):
    content = f'n;t\n"{written}";"{written}"\n'.encode()
    columns = [MappedColumn("n", None, FieldKind.NUMBER), MappedColumn("t", None)]
    staged = stage(content, columns, shape={"delimiter": ";", **shape})
    if sent is None:
        assert staged.rejected_total == 1
    else:
        expected = int(sent) if "." not in sent else float(sent)
        assert rows_of(staged) == [{"n": expected, "t": written}]


def test_a_number_that_is_written_otherwise_is_refused_with_an_example(stage, failed_rows):
    columns = [MappedColumn("n", None, FieldKind.INTEGER)]
    staged = stage(b"n\n1'234\n", columns, shape={"thousands": ",", "strip": "$"})
    assert "is not a number such as 1,234.56" in failed_rows(staged)[0]["sf__Message"]


NULLS = ("NULL", "\\N")
BLANKS = [{"a": "1", "b": "null"}, {"b": "2"}, {"a": "3"}]


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (FileFormat.CSV, b'a,b\n1,null\n\\N,2\n3,"NULL"\n'),
        (FileFormat.CSV, b"a,b\r\n1,null\n\\N,2\r\n3,NULL\n"),  # rewritten by the exact reader
        (FileFormat.JSONL, b'{"a":1,"b":"null"}\n{"a":"\\\\N","b":2}\n{"a":3,"b":"NULL"}\n'),
        (FileFormat.XML, b"<r><x><a>1</a><b>null</b></x><x><b>2</b></x><x a='3' b='NULL'/></r>"),
    ],
)
def test_declared_nulls_are_blanks_in_every_format(stage, rows_of, form, content):
    shape = {"nulls": NULLS, "record": "/r/x"}
    assert rows_of(stage(content, form=form, shape=shape)) == BLANKS


def test_declared_nulls_of_typed_files_are_blanks(stage, rows_of, tmp_path):
    file = tmp_path / "source0.parquet"
    duckdb.sql(f"COPY (SELECT 'NULL' AS a, 'NaN'::DOUBLE AS b, 'x' AS c) TO '{file}'")
    shape = {"nulls": ("NULL", "nan")}
    assert rows_of(stage(file.read_bytes(), form=FileFormat.PARQUET, shape=shape)) == [{"c": "x"}]


def test_a_null_in_the_only_column_is_no_row(stage, rows_of):
    staged = stage(b'a\nNULL\n1\n\n"NULL"\n', shape={"nulls": NULLS})
    assert rows_of(staged) == [{"a": "1"}]


def test_expressions_and_sql_see_a_null_as_a_blank(stage, rows_of, tmp_path):
    content, columns = b"a,b\nNULL,2\n", [MappedColumn("x", "coalesce(a, 'none')")]
    assert rows_of(stage(content, columns, shape={"nulls": NULLS})) == [{"x": "none"}]
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    table = FileSource(file, FileShape(FileFormat.CSV, nulls=NULLS))
    joined = JoinedSource("SELECT coalesce(a, 'none') AS x FROM t", {"t": table})
    (records,) = open_source(joined, tmp_path)
    assert b"".join(records.chunks()) == b"none\n"


@pytest.mark.parametrize(
    ("written", "sent"),
    [("On", True), ("off", False), ("1.0", True), ("0.0", False), ("1.5", None)],
)
def test_checkboxes_take_what_other_tools_write(stage, rows_of, written, sent):
    columns = [MappedColumn("c", None, FieldKind.BOOLEAN)]
    expected = [] if sent is None else [{"c": sent}]
    assert rows_of(stage(f"c\n{written}\n".encode(), columns)) == expected


def test_a_date_does_not_shift_because_its_datetime_has_a_zone(stage, rows_of, failed_rows):
    content = b"d,m\n31.01.2026,31.01.2026 19:00 -0500\n31.01.2026 19:00 -0500,\n"
    columns = [MappedColumn("d", None, FieldKind.DATE), MappedColumn("m", None, FieldKind.DATETIME)]
    shape = {"dates": "%d.%m.%Y", "datetimes": "%d.%m.%Y %H:%M %z"}
    staging = stage(content, columns, shape=shape)
    assert rows_of(staging) == [{"d": "2026-01-31", "m": "2026-02-01T00:00:00.000Z"}]
    assert [row["sf__Code"] for row in failed_rows(staging)] == ["VALUE_DOES_NOT_FIT"]
