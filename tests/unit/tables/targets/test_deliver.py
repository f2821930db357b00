# ruff: noqa: E501 - a case reads best in one line
"""Targets of every kind hold the rows, typed as described, or are not there at all."""

import gzip
import io
import json
import resource
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import zstandard

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.job.endpoints import (
    Compression,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileTarget,
    FolderTarget,
)
from runner.tables.field_types import FieldKind
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.luajit_choice import compile_always
from tests.unit.tables.targets.delivered import (
    COLUMNS,
    HEADER,
    ROWS,
    VALUES,
    from_duckdb,
    target,
)


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "records.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_parquet_has_the_types_of_the_describe(rows, tmp_path):
    to = tmp_path / "out" / "a.parquet"
    deliver(rows, target(to, FileFormat.PARQUET), COLUMNS, keep_rows=False)
    assert not rows.exists()
    types = dict(row[:2] for row in from_duckdb(f"DESCRIBE FROM '{to}'"))
    assert types == {
        "Id": "VARCHAR",
        "Account.Name": "VARCHAR",
        "Amount": "DECIMAL(18,2)",
        "At": "TIMESTAMP WITH TIME ZONE",
        "Closed": "BOOLEAN",
        "Day": "DATE",
        "T": "TIME",
        "N": "BIGINT",
        "total": "VARCHAR",
    }
    found = from_duckdb(f"SELECT * REPLACE (timezone('UTC', \"At\") AS \"At\") FROM '{to}'")
    moment = VALUES[3].replace(tzinfo=None)
    assert found[0] == (*VALUES[:3], moment, *VALUES[4:])
    assert found[1] == ("006B", None, None, None, True, date(1700, 1, 1), None, None, None)


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        (FileFormat.PARQUET, {}),
        (FileFormat.CSV, {"delimiter": ";"}),
        (FileFormat.JSONL, {}),
    ],
)
def test_nothing_but_our_own_temporary_file_is_beside_a_target(
    rows, tmp_path, monkeypatch, form, shape
):
    """Only such a one is deleted by the next run if this process dies."""
    monkeypatch.setattr("runner.files.temporary_path", lambda path: path.with_name(".ours"))
    (tmp_path / "out/tmp_.ours").mkdir(parents=True)  # as DuckDB names a file of its own
    to = tmp_path / "out/a"
    deliver(rows, target(to, form, **shape), COLUMNS, keep_rows=False)
    assert to.stat().st_size


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1.234", "DECIMAL(19,3)"), ("7.0", "DECIMAL(18,2)"), ("9.12260031E8", "DECIMAL(18,2)"), ("12345678901234567890.10", "DECIMAL(22,2)")],
)  # fmt: skip
def test_no_decimal_is_lost_where_the_org_stores_more_than_it_describes(tmp_path, value, kind):
    rows = tmp_path / "records.csv"
    rows.write_text(f'"n"\n"{value}"\n""\n')
    to = tmp_path / "a.parquet"
    deliver(
        rows,
        target(to, FileFormat.PARQUET),
        [QueryColumn("n", FieldKind.NUMBER, 18, 2)],
        keep_rows=True,
    )
    assert from_duckdb(f"SELECT n FROM '{to}'") == [(Decimal(value),), (None,)]
    assert from_duckdb(f"DESCRIBE FROM '{to}'")[0][1] == kind


def test_parquet_of_no_rows_has_its_columns(tmp_path):
    rows = tmp_path / "records.csv"
    rows.write_text(HEADER)
    to = tmp_path / "a.parquet"
    deliver(rows, target(to, FileFormat.PARQUET), COLUMNS, keep_rows=True)
    assert len(from_duckdb(f"DESCRIBE FROM '{to}'")) == len(COLUMNS)


def test_compressed_files_have_the_same_content_and_are_the_same_each_time(rows, tmp_path):
    for name, form in (("a.csv.gz", Compression.GZIP), ("a.csv.zst", Compression.ZSTD)):
        written = []
        for _ in range(2):
            deliver(rows, target(tmp_path / name, compression=form), COLUMNS, keep_rows=True)
            written.append((tmp_path / name).read_bytes())
        assert written[0] == written[1]
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).decode() == ROWS
    unpacked = zstandard.ZstdDecompressor().decompressobj().decompress(written[0])
    assert unpacked.decode() == ROWS
    assert sorted(each.name for each in rows.parent.iterdir()) == ["records.csv"]


def test_a_json_array_holds_the_rows_as_json_lines_do(rows, tmp_path):
    deliver(rows, target(tmp_path / "a.json", FileFormat.JSON), COLUMNS, keep_rows=True)
    deliver(
        rows,
        target(tmp_path / "a.jsonl.gz", FileFormat.JSONL, compression=Compression.GZIP),
        COLUMNS,
        keep_rows=True,
    )
    lines = gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).decode().split("\n")
    assert json.loads((tmp_path / "a.json").read_text()) == [
        json.loads(line) for line in lines if line
    ]
    rows.write_text(HEADER)
    deliver(rows, target(tmp_path / "b.json", FileFormat.JSON), COLUMNS, keep_rows=True)
    assert json.loads((tmp_path / "b.json").read_text()) == []


def test_excel_has_types_and_text_where_it_has_not_the_digits(rows, tmp_path):
    to = tmp_path / "a.xlsx"
    deliver(rows, target(to, FileFormat.EXCEL, sheet="Cases"), COLUMNS, keep_rows=True)
    book = openpyxl.load_workbook(to)
    header, first, second = (tuple(cell.value for cell in row) for row in book["Cases"].iter_rows())
    assert header == tuple(column.name for column in COLUMNS)
    moment = datetime(2026, 1, 31, 8, 0, 0, 123000)  # noqa: DTZ001 - Excel has no zones
    day = datetime(4000, 12, 31)  # noqa: DTZ001 - same
    assert first == (
        "006A",
        VALUES[1],
        "1234567890123456.50",
        moment,
        False,
        day,
        time(8, 30),
        7,
        "5",
    )
    assert second[:6] == ("006B", None, None, None, True, "1700-01-01")


def test_a_text_that_begins_like_a_formula_stays_text_in_excel(tmp_path):
    rows = tmp_path / "records.csv"
    rows.write_text('"a"\n"=1+1"\n"https://acme.example"\n')
    to = tmp_path / "a.xlsx"
    deliver(rows, target(to, FileFormat.EXCEL), [QueryColumn("a", FieldKind.TEXT)], keep_rows=True)
    cells = [row[0] for row in openpyxl.load_workbook(to).active.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        ("=1+1", "s"),
        ("https://acme.example", "s"),
    ]


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        (
            FileFormat.EXCEL,
            "x" * 32_768,
            "Row 1, a: 32,768 characters, and an Excel cell can hold 32,767",
        ),
        (FileFormat.EXCEL, "x_x005F_x0041_", "Row 1, a: Excel would show _x005F_x0041_ as other"),
        (FileFormat.XML, "x\x01", r"Row 1, a: XML cannot contain the character '\\x01'"),
    ],
)
def test_what_a_format_cannot_hold_is_reported_and_leaves_no_file(tmp_path, form, value, said):
    rows = tmp_path / "run" / "records.csv"
    rows.parent.mkdir()
    rows.write_text(f'"a"\n"{value}"\n')
    to = tmp_path / "out" / "a"
    with pytest.raises(StateError, match=said):
        deliver(rows, target(to, form), [QueryColumn("a", FieldKind.TEXT)], keep_rows=True)
    assert list(to.parent.iterdir()) == []


def test_xml_is_read_back_as_it_was(rows, tmp_path):
    to = tmp_path / "a.xml"
    deliver(rows, target(to, FileFormat.XML, record="/org/cases/case"), COLUMNS, keep_rows=True)
    text = to.read_text(encoding="utf-8")
    assert text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<org>\n<cases>\n<case><Id>006A</Id>'
    )
    assert (
        "<case><Id>006B</Id><Closed>true</Closed><Day>1700-01-01</Day></case>\n</cases>\n</org>\n"
        in text
    )


def test_a_folder_is_partitioned_by_values_and_replaced_whole(rows, tmp_path):
    to = FolderTarget(tmp_path / "out", FileShape(FileFormat.PARQUET), ("Closed", "N"))
    for _ in range(2):
        deliver(rows, to, COLUMNS, keep_rows=True)
    files = sorted(str(each.relative_to(to.path)) for each in to.path.rglob("*.parquet"))
    assert files == [
        "Closed=false/N=7/part-0.parquet",
        "Closed=true/N=__HIVE_DEFAULT_PARTITION__/part-0.parquet",
    ]
    found = from_duckdb(f"SELECT Amount FROM '{to.path}/Closed=false/*/*.parquet'")
    assert found == [(Decimal("1234567890123456.50"),)]
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("form", "compression", "ending"),
    [
        (FileFormat.CSV, Compression.NONE, "csv"),
        (FileFormat.CSV, Compression.GZIP, "csv.gz"),
        (FileFormat.JSONL, Compression.ZSTD, "jsonl.zst"),
    ],
)
def test_a_folder_is_split_by_size_with_every_row_in_it_once(tmp_path, form, compression, ending):
    rows = tmp_path / "run" / "records.csv"
    rows.parent.mkdir()
    rows.write_text('"a"\n' + "".join(f'"{n}-{n:x<90}"\n' for n in range(60_000)))
    shape = FileShape(form, compression=compression)
    to = FolderTarget(tmp_path / "out", shape, split_bytes=1_000_000)
    deliver(rows, to, [QueryColumn("a", FieldKind.TEXT)], keep_rows=True)
    files = list(to.path.iterdir())
    assert len(files) > 1 or compression is not Compression.NONE
    assert all(each.name.endswith(f".{ending}") for each in files)
    source = (
        f"read_csv('{to.path}/*', all_varchar=true)"
        if form is FileFormat.CSV
        else f"read_json('{to.path}/*')"
    )
    assert from_duckdb(f"SELECT count(*), count(DISTINCT a) FROM {source}") == [(60_000, 60_000)]


def test_a_folder_with_other_files_is_not_replaced(rows, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.docx").write_text("dear")
    with pytest.raises(StateError, match=r"not replaced: it contains thesis\.docx"):
        deliver(rows, FolderTarget(folder, FileShape(FileFormat.CSV)), COLUMNS, keep_rows=True)
    with pytest.raises(StateError, match="no column 'Region'"):
        deliver(
            rows,
            FolderTarget(tmp_path / "b", FileShape(FileFormat.CSV), ("Region",)),
            COLUMNS,
            keep_rows=True,
        )
    assert (folder / "thesis.docx").read_text() == "dear"


@pytest.mark.parametrize(
    "shape", [FileShape(FileFormat.JSONL), FileShape(FileFormat.CSV, encoding="utf-16")]
)
def test_a_disk_without_room_for_what_is_sent_is_told(rows, tmp_path, monkeypatch, shape):
    compile_always(monkeypatch)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most[1]))
    try:
        with pytest.raises(StateError, match=r"records\.sent cannot be written: File too large"):
            deliver(rows, FileTarget(Path("-"), shape), COLUMNS, keep_rows=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert [file.name for file in rows.parent.iterdir()] == [rows.name]


def test_standard_output_gets_the_bytes(rows, tmp_path, monkeypatch):
    got = io.BytesIO()
    monkeypatch.setattr(sys, "__stdout__", io.TextIOWrapper(got, "utf-8"))
    deliver(rows, target(Path("-")), COLUMNS, keep_rows=True)
    assert got.getvalue().decode() == ROWS


def test_an_address_is_written_as_a_file_is(rows, tmp_path):
    to = FileTarget(Path("a.csv"), FileShape(FileFormat.CSV), (tmp_path / "sent.csv").as_uri())
    deliver(rows, to, COLUMNS, keep_rows=False)
    assert (tmp_path / "sent.csv").read_text(encoding="utf-8") == ROWS


@pytest.mark.parametrize("module", ["sqlalchemy", "xlsxwriter", "fsspec"])
def test_a_missing_extra_is_reported_with_the_command_that_installs_it(
    rows, tmp_path, monkeypatch, module
):
    monkeypatch.setitem(sys.modules, module, None)
    reference = SecretReference(env="A_DATABASE")
    wanted = {
        "sqlalchemy": (DatabaseTarget(reference, "cases"), "sql"),
        "xlsxwriter": (target(tmp_path / "a.xlsx", FileFormat.EXCEL), "excel"),
        "fsspec": (FileTarget(Path("a"), FileShape(FileFormat.CSV), "s3://bucket/a.csv"), "remote"),
    }
    to, extra = wanted[module]
    with pytest.raises(StateError) as raised:
        deliver(rows, to, COLUMNS, keep_rows=True)
    assert raised.value.hint == f"Install it: pip install 'sfrunner[{extra}]'"


@pytest.mark.parametrize(
    "shape",
    [
        FileShape(FileFormat.CSV),
        FileShape(FileFormat.CSV, compression=Compression.GZIP),
        FileShape(FileFormat.JSONL),
        FileShape(FileFormat.PARQUET),
    ],
)
def test_a_target_is_on_the_disk_when_it_has_its_name(rows, tmp_path, disk_log, shape):
    to = tmp_path / "target"
    deliver(rows, FileTarget(to, shape), COLUMNS, keep_rows=False)
    disk_log.assert_durable(to)


def test_a_target_folder_and_its_files_are_on_the_disk_when_it_has_its_name(
    rows, tmp_path, disk_log
):
    to = FolderTarget(tmp_path / "out", FileShape(FileFormat.CSV))
    deliver(rows, to, COLUMNS, keep_rows=False)
    disk_log.assert_durable(to.path)
    sizes = {step[2] for step in disk_log.steps if step[0] == "sync" and step[1].endswith(".csv")}
    assert {file.stat().st_size for file in to.path.iterdir()} == sizes
