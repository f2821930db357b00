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
import xlsxwriter
import zstandard

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.open import columns_of, open_source, read_columns
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.staging.rows import StagedRows

ROWS = [{"a": "1", "b": 'Ä "x"'}, {"a": "2", "b": "y\nz"}]
CSV = b'a,b\n1,"\xc3\x84 ""x"""\n2,"y\nz"\n'
XML = (
    "<?xml version='1.0'?><x:root xmlns:x='u'><skip>1</skip>"
    "<account a='1'><b>Ä &quot;x&quot;</b></account>"
    "<account><a>2</a><b>y&#10;z</b></account></x:root>"
).encode()


class Reading:
    """Reads files as sources; every staging is given back at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stagings: list[StagedRows] = []

    def file(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def staging(self, source, columns=None) -> StagedRows:
        staging = StagedRows(self.folder / f"staging{len(self.stagings)}")
        self.stagings.append(staging)
        staging.load(source)
        named = [MappedColumn(name, None) for name in staging.columns]
        staging.map(named if columns is None else columns)
        return staging

    def rows(self, path, form=FileFormat.CSV, **shape):
        return self.of(FileSource(Path(path), FileShape(form, **shape)))

    def of(self, source):
        return [record for _, record in next(self.staging(source).batches(1_000), [])]


@pytest.fixture
def reading(tmp_path):
    made = Reading(tmp_path)
    yield made
    for staging in made.stagings:
        staging.discard()


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def excel(*rows, sheet="Sheet1") -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        form = book.add_format({"num_format": "yyyy-mm-dd"})
        page = book.add_worksheet(sheet)
        for line, row in enumerate(rows):
            for at, value in enumerate(row):
                if isinstance(value, date):
                    page.write_datetime(line, at, value, form)
                elif isinstance(value, str) and value.startswith("="):
                    page.write_formula(line, at, value, None, "#DIV/0!")
                else:
                    page.write(line, at, value)
    return stream.getvalue()


def shown(value: object) -> str | None:
    """A test's id without bytes: workbooks hold the second they were made in."""
    return "content" if isinstance(value, bytes) else None


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


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


def damaged(content, at):
    """The same bytes but for one."""
    changed = bytearray(content)
    changed[at] ^= 0xFF
    return bytes(changed)


BOMB = b"<!DOCTYPE r [<!ENTITY a 'x'>]><root><account><b>&a;</b></account></root>"
NESTED = b"<root>\n<account><b><c>1</c></b></account></root>"


@pytest.mark.parametrize(
    ("name", "content", "form", "shape", "said"),
    [
        ("a.csv.gz", gzip.compress(CSV * 999, mtime=0)[:-9], "csv", {"compression": "gzip"}, "ends in the middle of its"),
        ("a.csv.zst", zstd(CSV * 999)[:-3], "csv", {"compression": "zstd"}, "ends in the middle of its"),
        ("b.csv.gz", CSV, "csv", {"compression": "gzip"}, "is not compressed with gzip"),
        ("b.csv.zst", CSV, "csv", {"compression": "zstd"}, "is not compressed with zstd"),
        ("d.csv.gz", damaged(gzip.compress(CSV * 999, mtime=0), -8), "csv", {"compression": "gzip"}, "is damaged: CRC check failed"),
        ("d.csv.zst", damaged(zstd(CSV * 999), -1), "csv", {"compression": "zstd"}, "is damaged: "),
        ("c.csv.gz", gzip.compress(b'a,b\n1,"2', mtime=0), "csv", {"compression": "gzip"}, "row 1 .* never closed"),
        ("a.jsonl.gz", gzip.compress(b'{"a":1}\n' * 9999, mtime=0)[:-20], "jsonl", {"compression": "gzip"}, "ends in the middle"),
        ("a.json", b'[{"a": 1}, {"a": ', "json", {}, r"line 1, column \d+: not JSON"),
        ("b.json", b'[{"a": 1}\n', "json", {}, "not a JSON array of objects"),
        ("c.json", b'{"a": 1}\n', "json", {}, "line 1: not a JSON array"),
        ("e.jsonl", b"{}\n{}\n", "jsonl", {}, "none of its 2 records has a value"),
        ("d.json", b"[1]", "json", {}, "not a JSON array of objects"),
        ("a.xlsx", excel(["a"], [1], ["=1/0"]), "excel", {}, "cell A3 of sheet 'Sheet1' contains the error #DIV/0!"),
        ("b.xlsx", b"PK no", "excel", {}, "cannot be read as Excel"),
        ("b.xls", b"<html><table>", "excel", {}, "it is HTML or XML, whatever its name says"),
        ("c.xlsx", excel(["a"], [1]), "excel", {"sheet": "T"}, "has no sheet 'T'"),
        ("d.xlsx", excel(["a"], [1, 2]), "excel", {}, "row 2 of the sheet has a value in a column without"),
        ("a.parquet", b"PAR1 no", "parquet", {}, "cannot be read as Parquet"),
        ("a.xml", XML[:-20], "xml", {"record": "/root/account"}, "not XML"),
        ("b.xml", BOMB, "xml", {"record": "/root/account"}, "a document type is declared"),
        ("c.xml", NESTED, "xml", {"record": "/root/account"}, "line 2: b contains elements"),
        ("d.xml", XML, "xml", {"record": "/accounts/account"}, "the root element is root, not accounts"),
    ],
    ids=shown,
)  # fmt: skip
def test_what_is_wrong_is_reported_with_its_place(reading, name, content, form, shape, said):
    if "compression" in shape:
        shape = shape | {"compression": Compression(shape["compression"])}
    with pytest.raises(SourceError, match=said) as raised:
        reading.rows(reading.file(name, content), FileFormat(form), **shape)
    assert name in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("value", ["{'x': 1}", "[1, 2]", "MAP {'k': 1}"])
def test_a_parquet_column_of_more_than_one_value_is_reported(reading, value):
    path = parquet(reading.folder / "a.parquet", f"SELECT 1 AS a, {value} AS deep")
    with pytest.raises(SourceError, match="column 'deep' has more than one value per row"):
        reading.rows(path, FileFormat.PARQUET)


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
