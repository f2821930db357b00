# ruff: noqa: E501 - a case reads best in one line
"""Sources of every format give the same rows; what is wrong in one is told with its place."""

import gzip
import io
import json
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.open import columns_of, open_source, read_columns
from runner.tables.sources.sql_join import JoinedSource
from tests.unit.tables.reading import CSV, ROWS, XML, Reading, excel, parquet, shown, zstd


@pytest.fixture
def reading(tmp_path):
    made = Reading(tmp_path)
    yield made
    for staging in made.stagings:
        staging.discard()


@pytest.mark.parametrize(
    ("name", "content", "form", "shape"),
    [
        ("a.csv.gz", gzip.compress(CSV, mtime=0), FileFormat.CSV, {"compression": Compression.GZIP}),
        ("a.csv.zst", zstd(CSV), FileFormat.CSV, {"compression": Compression.ZSTD}),
        ("b.csv.zst", zstd(CSV[:9]) + zstd(CSV[9:]), FileFormat.CSV, {"compression": "zstd"}),
        ("b.csv.gz", gzip.compress(CSV[:9], mtime=0) + gzip.compress(CSV[9:], mtime=0), "csv", {"compression": "gzip"}),
        ("a.json", json.dumps(ROWS).encode(), FileFormat.JSON, {}),
        ("b.json", json.dumps(ROWS, indent=2).encode("utf-16"), FileFormat.JSON, {"encoding": "utf-16"}),
        ("a.xlsx", excel(["a", "b"], [1, 'Ä "x"'], ["2", "y\nz"]), FileFormat.EXCEL, {}),
        ("b.xlsx", excel(["a", "b"], [1, 'Ä "x"'], ["", ""], ["2", "y\nz"], sheet="S"), FileFormat.EXCEL, {"sheet": "S"}),
        ("a.xml", XML, FileFormat.XML, {"record": "/root/account"}),
        ("a.xml.gz", gzip.compress(XML, mtime=0), FileFormat.XML, {"record": "/root/account", "compression": "gzip"}),
    ],
    ids=shown,
)  # fmt: skip
def test_the_same_rows_from_every_format(reading, name, content, form, shape):
    if "compression" in shape:
        shape = shape | {"compression": Compression(shape["compression"])}
    assert reading.rows(reading.file(name, content), FileFormat(form), **shape) == ROWS


def test_parquet_values_are_written_as_fields_expect_them(reading):
    query = """SELECT true AS flag, DATE '0001-01-01' AS day, 123456789012345678.90::DECIMAL(38, 2) AS n,
        TIMESTAMP '2026-03-29 02:30:00.123' AS local, TIMESTAMPTZ '2026-03-29 02:30:00+02' AS moment,
        TIME '08:30:00' AS t, 1e17::DOUBLE AS big, 'ab'::BLOB AS raw, NULL::INTEGER AS nothing,
        922337203685477580 AS i"""
    path = parquet(reading.folder / "a.parquet", query)
    kinds = {
        "flag": FieldKind.BOOLEAN, "day": FieldKind.DATE, "n": FieldKind.NUMBER, "big": FieldKind.NUMBER,
        "local": FieldKind.DATETIME, "moment": FieldKind.DATETIME, "t": FieldKind.TIME,
        "raw": FieldKind.TEXT, "nothing": FieldKind.TEXT, "i": FieldKind.INTEGER,
    }  # fmt: skip
    source = FileSource(path, FileShape(FileFormat.PARQUET))
    columns = [MappedColumn(name, None, kind) for name, kind in kinds.items()]
    [(_, record)] = next(reading.staging(source, columns).batches(200))
    assert record == {
        "flag": True,
        "day": "0001-01-01",
        "n": "123456789012345678.90",
        "local": "2026-03-29T02:30:00.123Z",
        "moment": "2026-03-29T00:30:00.000Z",
        "t": "08:30:00.000Z",
        "big": 10**17,
        "raw": "YWI=",
        "i": 922337203685477580,
    }
    assert set(read_columns(source) or ()) == set(kinds)


def test_a_parquet_file_that_was_not_written_whole_is_reported(reading):
    path = reading.folder / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS a FROM range(9999)) TO '{path}'")
    path.write_bytes(path.read_bytes()[:-99])
    with pytest.raises(SourceError, match="cannot be read as Parquet") as raised:
        reading.rows(path, FileFormat.PARQUET)
    assert "or incomplete" in str(raised.value.hint)


def test_a_parquet_row_of_one_null_is_no_row(reading):
    path = parquet(reading.folder / "a.parquet", "SELECT NULL::VARCHAR AS a UNION ALL SELECT 'x'")
    assert reading.rows(path, FileFormat.PARQUET) == [{"a": "x"}]


def test_excel_cells_are_written_as_fields_expect_them(reading):
    content = excel(
        ["n", "day", "flag", "f"], [1, date(2026, 1, 31), True, 0.1], [12345678901234567]
    )
    rows = reading.rows(reading.file("a.xlsx", content), FileFormat.EXCEL)
    assert rows[0] == {"n": "1", "day": "2026-01-31", "flag": "true", "f": "0.1"}
    assert rows[1] == {"n": "12345678901234570"}


def test_many_files_are_one_source_in_the_order_of_their_names(reading):
    reading.file("in-2.csv", b"b,a\r\ny,2\r\n")
    reading.file("in-1.csv", b"a,b\n1,x")
    reading.file("in-3.csv", b"a,b\n")
    reading.file("in-4.csv", b'a,b\n3,"5" pipe\n' + b'4,5" pipe\n')
    with pytest.raises(SourceError, match=r"in-4\.csv: row 1"):
        reading.rows(reading.folder / "in-*.csv")
    reading.file("in-4.csv", b'a,b\n4,5" pipe\n')
    staging = reading.staging(FileSource(reading.folder / "in-*.csv", FileShape(FileFormat.CSV)))
    assert next(staging.batches(200)) == [
        (1, {"a": "1", "b": "x"}),
        (2, {"a": "2", "b": "y"}),
        (3, {"a": "4", "b": '5" pipe'}),
    ]


def test_many_files_of_records_have_the_columns_of_all(reading):
    reading.file("1.jsonl", b'{"a": 1}\n')
    reading.file("2.jsonl", b'{"b": 2}\n')
    assert reading.rows(reading.folder / "?.jsonl", FileFormat.JSONL) == [{"a": "1"}, {"b": "2"}]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(reading):
    reading.file("a[1].csv", b"a\n1\n")
    assert reading.rows(reading.folder / "a[1].csv") == [{"a": "1"}]


def test_files_of_one_pattern_must_have_the_same_columns(reading):
    reading.file("1.csv", b"a,b\n1,2\n")
    reading.file("2.csv", b"a,c\n1,2\n")
    with pytest.raises(
        SourceError, match=r"2\.csv.*differ from those of .*1\.csv: it lacks b and adds c"
    ):
        reading.rows(reading.folder / "*.csv")
    with pytest.raises(SourceError, match="No file matches"):
        reading.rows(reading.folder / "*.tsv")


def test_decimal_commas_and_dates_are_read_as_declared(reading, failed_rows):
    content = b"n;day;moment;t\n1.234,50;31.01.2026;31.01.2026 08:30;1,5\n-,5;2026-02-01;#N/A;x\n1.5;1.2.26;9;\n"
    shape = {"decimal": ",", "dates": "%d.%m.%Y", "datetimes": "%d.%m.%Y %H:%M", "delimiter": ";"}
    source = FileSource(reading.file("a.csv", content), FileShape(FileFormat.CSV, **shape))
    columns = [
        MappedColumn("N__c", "n", FieldKind.NUMBER),
        MappedColumn("Day__c", "day", FieldKind.DATE),
        MappedColumn("At__c", "moment", FieldKind.DATETIME),
        MappedColumn("Text__c", "t"),
    ]
    staging = reading.staging(source, columns)
    assert [record for _, record in next(staging.batches(200))] == [
        {
            "N__c": 1234.5,
            "Day__c": "2026-01-31",
            "At__c": "2026-01-31T08:30:00.000Z",
            "Text__c": "1,5",
        },
        {"N__c": -0.5, "Day__c": "2026-02-01", "At__c": None, "Text__c": "x"},
    ]
    [problem] = failed_rows(staging)
    assert "'1.5' is not a number such as 1.234,56" in problem["sf__Message"]
    assert "'1.2.26' is not a date such as 31.01.2026" in problem["sf__Message"]


class NoTerminal(io.TextIOWrapper):
    def isatty(self):
        return False


def test_standard_input_is_read_once(reading, monkeypatch):
    monkeypatch.setattr(sys, "stdin", NoTerminal(io.BytesIO(CSV), "utf-8"))
    assert reading.rows("-") == ROWS
    with pytest.raises(SourceError, match="was already read"):
        reading.rows("-")


def test_a_terminal_is_no_source(reading, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(CSV), "utf-8")
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(SourceError, match="is a terminal"):
        reading.rows("-")


@pytest.mark.parametrize(
    ("name", "content", "shape"),
    [
        *(
            (f"a.{form}", b"", {"format": form})
            for form in FileFormat
            if form not in {"jsonl", "delta"}
        ),
        ("a.csv.gz", b"", {"compression": Compression.GZIP}),
        ("b.csv.gz", gzip.compress(b""), {"compression": Compression.GZIP}),
        ("a.json.zst", b"", {"format": FileFormat.JSON, "compression": Compression.ZSTD}),
        ("b.csv", b"\xef\xbb\xbf", {}),
        ("c.csv", b"\n\n", {}),
        ("b.json", b" \n", {"format": FileFormat.JSON}),
        ("b.xlsx", excel(), {"format": FileFormat.EXCEL}),
    ],
    ids=shown,
)
def test_a_file_without_even_a_header_is_an_error(reading, name, content, shape):
    """An export that failed leaves such a file, and looks like a table without rows."""
    source = FileSource(
        reading.file(name, content), FileShape(**{"format": FileFormat.CSV, **shape})
    )
    for read in (reading.of, columns_of):
        with pytest.raises(SourceError, match="empty"):
            read(source)


@pytest.mark.parametrize(
    ("name", "content", "shape"),
    [
        ("a.csv", b"a,b\n", {}),
        ("b.csv", b"", {"header": ("a", "b")}),
        ("a.jsonl", b"", {"format": FileFormat.JSONL}),
        ("a.json", b"[]", {"format": FileFormat.JSON}),
        ("a.xml", b"<r/>", {"format": FileFormat.XML, "record": "/r/x"}),
        ("a.xlsx", excel(["a"]), {"format": FileFormat.EXCEL}),
    ],
    ids=shown,
)
def test_a_table_without_rows_has_none(reading, name, content, shape):
    source = FileSource(
        reading.file(name, content), FileShape(**{"format": FileFormat.CSV, **shape})
    )
    assert reading.of(source) == []


@pytest.mark.parametrize(
    ("module", "form", "extra"),
    [("xlrd", FileFormat.EXCEL, "excel"), ("fsspec", FileFormat.CSV, "remote")],
)
def test_a_missing_extra_is_reported_with_the_command_that_installs_it(
    reading, monkeypatch, module, form, extra
):
    monkeypatch.setitem(sys.modules, module, None)
    path = reading.file("a.xls", bytes.fromhex("d0cf11e0a1b11ae1"))
    url = "s3://acme/a.csv" if extra == "remote" else None
    with pytest.raises(SourceError) as raised:
        reading.of(FileSource(path, FileShape(form), url))
    assert raised.value.hint == f"Install it: pip install 'sfrunner[{extra}]'"


def test_an_address_is_read_as_a_file_is(reading):
    path = reading.file("a.csv", CSV)
    source = FileSource(Path("a.csv"), FileShape(FileFormat.CSV), path.as_uri())
    assert reading.of(source) == ROWS
    missing = FileSource(Path("b.csv"), FileShape(FileFormat.CSV), path.as_uri() + "x?secret=1")
    with pytest.raises(SourceError) as raised:
        reading.of(missing)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (b"a,b\n1\n", FileFormat.CSV, "row 1 (line 2) has 1 cell, the header has 2."),
        (b"a,\n1,2\n", FileFormat.CSV, "column 2 of 2 has no name."),
        (b'{"a": 1}\n{"a"\n', FileFormat.JSONL, "2"),
    ],
)
def test_what_is_wrong_with_a_file_that_was_fetched_names_its_address(reading, content, form, said):
    url = reading.file("there.csv", content).as_uri()
    with pytest.raises(SourceError) as raised:
        reading.of(FileSource(Path("file:/there.csv"), FileShape(form), url))
    assert raised.value.message.startswith(f"{url}: ")
    assert said in raised.value.message


UNDECLARED = frozenset({"delimiter", "encoding"})


def test_a_dialect_is_detected_in_every_file_and_noted_once(reading):
    reading.file("in-1.csv", b"a;b\n1;x,y\n")
    reading.file("in-2.csv", b"b;a\ny;2\n")
    reading.file("in-3.csv", b"a,b\n3,z\n")
    reading.file("in-4.csv", "\ufeffa\tb\n4\tä\n".encode("utf-16-le"))
    shape = FileShape(FileFormat.CSV, undeclared=UNDECLARED)
    staging = reading.staging(FileSource(reading.folder / "in-*.csv", shape))
    assert [record for _, record in next(staging.batches(200))] == [
        {"a": "1", "b": "x,y"},
        {"a": "2", "b": "y"},
        {"a": "3", "b": "z"},
        {"a": "4", "b": "ä"},
    ]
    assert staging.notes == (
        "in-1.csv and 1 more: delimiter ';' found",
        "in-4.csv: delimiter tab and encoding utf-16 found",
    )


def test_what_was_found_holds_where_a_file_is_read_the_exact_way(reading):
    content = b'a;b\n1;5" pipe\n'
    source = FileSource(
        reading.file("a.csv.gz", gzip.compress(content)),
        FileShape(FileFormat.CSV, compression=Compression.GZIP, undeclared=UNDECLARED),
    )
    assert reading.of(source) == [{"a": "1", "b": '5" pipe'}]


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"Name\nM\xfcller\n", r"byte 7 "), (b"N\xe4me,b\n1,2\n", r"byte 2\b")],
)
def test_a_byte_that_is_not_utf_8_is_refused_by_its_place_and_never_guessed(
    reading, content, place
):
    source = FileSource(
        reading.file("a.csv", content), FileShape(FileFormat.CSV, undeclared=UNDECLARED)
    )
    with pytest.raises(SourceError, match=place) as caught:
        reading.of(source)
    assert "encoding: windows-1252" in str(caught.value.hint)


def test_tables_of_a_select_are_found_too(reading):
    shape = FileShape(FileFormat.CSV, undeclared=UNDECLARED)
    tiers = FileSource(reading.file("tiers.csv", b"a;b\n1;2\n"), shape)
    staging = reading.staging(JoinedSource("SELECT b FROM t", {"t": tiers}))
    assert next(staging.batches(200)) == [(1, {"b": "2"})]
    assert staging.notes == ("tiers.csv: delimiter ';' found",)


def test_the_name_of_a_folder_is_no_column_of_a_parquet_file(tmp_path):
    file = tmp_path / "n=7" / "a.parquet"
    file.parent.mkdir()
    duckdb.sql("SELECT 'x' AS n, 'y' AS m").write_parquet(str(file))
    (records,) = open_source(FileSource(file, FileShape(FileFormat.PARQUET)), tmp_path)
    assert (records.columns, b"".join(records.blocks)) == (("n", "m"), b"x,y\n")


def test_parquet_columns_of_one_name_in_two_spellings_are_refused(tmp_path):
    """DuckDB would write and read the second one as `NAME_1`; other programs write both."""
    file = tmp_path / "a.parquet"
    duckdb.sql("SELECT '1' AS Name, '2' AS NAMF").write_parquet(str(file))
    file.write_bytes(file.read_bytes().replace(b"NAMF", b"NAME"))
    source = FileSource(file, FileShape(FileFormat.PARQUET))
    for read in (columns_of, lambda each: open_source(each, tmp_path)):
        with pytest.raises(SourceError, match="appears twice in the header"):
            read(source)
    numbered = tmp_path / "b.parquet"
    duckdb.sql("SELECT '1' AS Name, '2' AS name_1").write_parquet(str(numbered))
    assert columns_of(FileSource(numbered, source.shape)) == ("Name", "name_1")
