# ruff: noqa: E501 - a case reads best in one line
"""Targets of every kind hold the rows, typed as described, or are not there at all."""

import csv
import gzip
import io
import json
import os
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import openpyxl
import pytest
import sqlalchemy
import zstandard

from runner.credentials import SecretReference
from runner.errors import SourceError, StateError
from runner.job.endpoints import (
    Compression,
    DatabaseSource,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    FolderTarget,
    TableMode,
)
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.database import bound
from runner.tables.sources.open import open_source
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.staging.rows import StagedRows
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn

COLUMNS = (
    QueryColumn("Id", FieldKind.ID),
    QueryColumn("Account.Name", FieldKind.TEXT),
    QueryColumn("Amount", FieldKind.NUMBER, 18, 2),
    QueryColumn("At", FieldKind.DATETIME),
    QueryColumn("Closed", FieldKind.BOOLEAN),
    QueryColumn("Day", FieldKind.DATE),
    QueryColumn("T", FieldKind.TIME),
    QueryColumn("N", FieldKind.INTEGER),
    QueryColumn("total"),
)
HEADER = ",".join(f'"{column.name}"' for column in COLUMNS) + "\n"
FIRST = '"006A","Ä ""x"", y\nz\u2028","1234567890123456.50","2026-01-31T08:00:00.123Z","false","4000-12-31","08:30:00.000Z","7","5"\n'
SECOND = '"006B","","","","true","1700-01-01","","",""\n'
ROWS = HEADER + FIRST + SECOND
VALUES = (
    "006A",
    'Ä "x", y\nz\u2028',
    Decimal("1234567890123456.50"),
    datetime(2026, 1, 31, 8, 0, 0, 123000, UTC),
    False,
    date(4000, 12, 31),
    time(8, 30),
    7,
    "5",
)


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "records.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def target(path, form=FileFormat.CSV, **shape):
    return FileTarget(path, FileShape(form, **shape))


def from_duckdb(query):
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


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


def test_standard_output_gets_the_bytes(rows, tmp_path, monkeypatch):
    got = io.BytesIO()
    monkeypatch.setattr(sys, "__stdout__", io.TextIOWrapper(got, "utf-8"))
    deliver(rows, target(Path("-")), COLUMNS, keep_rows=True)
    assert got.getvalue().decode() == ROWS


def test_an_address_is_written_as_a_file_is(rows, tmp_path):
    to = FileTarget(Path("a.csv"), FileShape(FileFormat.CSV), (tmp_path / "sent.csv").as_uri())
    deliver(rows, to, COLUMNS, keep_rows=False)
    assert (tmp_path / "sent.csv").read_text(encoding="utf-8") == ROWS


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    monkeypatch.setenv("A_DATABASE", f"sqlite:///{tmp_path / 'a.db'}")
    return SecretReference(env="A_DATABASE")


def in_sqlite(query):
    engine = sqlalchemy.create_engine(os.environ["A_DATABASE"])
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]
    finally:
        engine.dispose()


def test_a_table_is_made_replaced_and_added_to(rows, sqlite):
    for mode, count in ((TableMode.REPLACE, 2), (TableMode.APPEND, 4), (TableMode.REPLACE, 2)):
        deliver(rows, DatabaseTarget(sqlite, "cases", mode), COLUMNS, keep_rows=True)
        assert in_sqlite("SELECT count(*) FROM cases") == [(count,)]
    asked = 'SELECT "Id", "Account.Name", "Amount", "Closed", "Day", "N" FROM cases ORDER BY 1'
    assert in_sqlite(asked) == [
        ("006A", VALUES[1], "1234567890123456.50", 0, "4000-12-31", 7),
        ("006B", None, None, 1, "1700-01-01", None),
    ]


def test_sqlite_has_dates_and_times_as_texts(tmp_path, sqlite):
    file = tmp_path / "times.csv"
    file.write_text('"At","T"\n"2026-01-31T08:00:00.120Z","08:00:00.500Z"\n"",""\n')
    columns = (QueryColumn("At", FieldKind.DATETIME), QueryColumn("T", FieldKind.TIME))
    deliver(file, DatabaseTarget(sqlite, "times", TableMode.REPLACE), columns, keep_rows=True)
    assert in_sqlite("SELECT * FROM times") == [
        ("2026-01-31T08:00:00.120Z", "08:00:00.500000"),
        (None, None),
    ]


def test_a_table_that_rejects_a_row_is_left_as_it_was(rows, sqlite):
    engine = sqlalchemy.create_engine(os.environ["A_DATABASE"])
    with engine.begin() as connection:
        connection.exec_driver_sql('CREATE TABLE cases ("Id" TEXT, "N" INTEGER NOT NULL)')
        connection.exec_driver_sql("INSERT INTO cases VALUES ('old', 1)")
    engine.dispose()
    with pytest.raises(StateError, match="The database"):
        deliver(rows, DatabaseTarget(sqlite, "cases", TableMode.APPEND), COLUMNS, keep_rows=True)
    assert in_sqlite('SELECT "Id" FROM cases') == [("old",)]


def records_text(records):
    return b"".join(block for each in records for block in each.blocks).decode()


def test_rows_of_a_database_are_written_as_fields_expect_them(sqlite, tmp_path):
    sql = "SELECT 1 AS a, 'x%y:z' AS b, NULL AS c, 0.1 AS d, x'6162' AS e WHERE 'a' LIKE '%a%'"
    [records] = open_source(DatabaseSource(sqlite, sql), tmp_path)
    assert records.columns == ("a", "b", "c", "d", "e")
    [row] = csv.reader(records_text([records]).splitlines())
    assert row == ["1", "x%y:z", "", "0.1", "YWI="]


@pytest.mark.parametrize(
    ("url", "sql", "said", "hint"),
    [
        (
            None,
            "SELECT 1",
            "The variable A_DATABASE does not contain a database URL",
            "It must be like",
        ),
        ("no url", "SELECT 1", "is not a valid SQLAlchemy URL", "Write one such as"),
        ("sqlite://", "SELEKT 1", 'near "SELEKT": syntax error', ""),
        (
            "sqlite:////nowhere/at/all.db",
            "SELECT 1",
            "unable to open database file",
            "Check that it runs",
        ),
        (
            "oracle+oracledb://u:secret@h/x",
            "SELECT 1",
            "needs the driver oracledb",
            "pip install oracledb",
        ),
        ("sqlite://", "SELECT 1 AS a, 2 AS a", "'a' appears twice", "Rename"),
        ("sqlite://", "CREATE TABLE a (b)", "", ""),
    ],
)
def test_what_is_wrong_with_a_database_is_reported_without_its_url(
    monkeypatch, tmp_path, url, sql, said, hint
):
    if url is None:
        monkeypatch.delenv("A_DATABASE", raising=False)
    else:
        monkeypatch.setenv("A_DATABASE", url)
    source = DatabaseSource(SecretReference(env="A_DATABASE"), sql)
    with pytest.raises(SourceError) as raised:
        open_source(source, tmp_path)
    told = f"{raised.value.message} {raised.value.hint}"
    assert said in raised.value.message
    assert hint in (raised.value.hint or "")
    assert "secret" not in told


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


EVIL = "x'); DROP TABLE t; --"


def test_params_are_bound_to_the_sql_of_a_database_as_values(sqlite, tmp_path):
    params = {"since": datetime(2026, 1, 31, 8, tzinfo=UTC), "day": date(2026, 1, 31), "n": 5}
    sql = (
        "SELECT :evil AS e, '50% :evil' AS t, :since AS s, :n + 1 AS n, :none AS g"
        " WHERE '2026-02-01' > :day AND 'a' LIKE '%a' AND :evil = :evil"
    )
    source = DatabaseSource(sqlite, sql, {**params, "evil": EVIL, "none": None, "other": 1})
    [records] = open_source(source, tmp_path)
    [row] = csv.reader(records_text([records]).splitlines())
    assert row == [EVIL, "50% :evil", "2026-01-31 08:00:00", "6", ""]


@pytest.mark.parametrize(
    ("style", "sql", "values"),
    [
        ("qmark", "a ? '%' ?, ?", ("1", "2", "1")),
        ("format", "a %s '%%' %s, %s", ("1", "2", "1")),
        ("numeric", "a :1 '%' :2, :3", ("1", "2", "1")),
        ("numeric_dollar", "a $1 '%' $2, $3", ("1", "2", "1")),
        ("named", "a :x '%' :y, :x", {"x": "1", "y": "2"}),
        ("pyformat", "a %(x)s '%%' %(y)s, %(x)s", {"x": "1", "y": "2"}),
    ],
)
def test_every_driver_gets_the_placeholders_of_its_style(sqlite, style, sql, values):
    source = DatabaseSource(sqlite, "a :x '%' :y, :x", {"x": "1", "y": "2", "z": "3"})
    dialect = SimpleNamespace(paramstyle=style, name="any")
    assert bound(source, dialect) == (sql, values)


def test_params_are_bound_to_sql_over_other_rows_as_values(tmp_path):
    (tmp_path / "t.csv").write_text("a,day\n1,2026-01-01\n2,2026-02-01\n")
    tables = {"t": FileSource(tmp_path / "t.csv", FileShape(FileFormat.CSV))}
    params = {"Since": date(2026, 1, 15), "evil": EVIL, "n": 10**17 + 1, "gone": None}
    sql = "SELECT a, :evil AS e, :n AS n, :gone AS g FROM t WHERE CAST(day AS DATE) > :Since"
    [records] = open_source(JoinedSource(sql, tables, params), tmp_path)
    [row] = csv.reader(records_text([records]).splitlines())
    assert row == ["2", EVIL, str(10**17 + 1), ""]


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


LINES = "x,y,z\n" * 5_000
"""A text whose lines look like records of three columns."""
TEXTS = (QueryColumn("Id", FieldKind.ID), QueryColumn("N", FieldKind.NUMBER), QueryColumn("Text"))


@pytest.fixture(scope="module")
def long_texts(tmp_path_factory):
    """10 MB, which DuckDB's parallel reader refuses."""
    file = tmp_path_factory.mktemp("long") / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([column.name for column in TEXTS])
        writer.writerows([f"006{n:012}", f"{n}.5", LINES] for n in range(333))
    return file


def _one_file(form, **shape):
    return lambda folder: FileTarget(folder / f"out.{form}", FileShape(form, **shape))


@pytest.mark.parametrize(
    "target",
    [
        _one_file(FileFormat.CSV, delimiter=";"),
        _one_file(FileFormat.JSONL),
        _one_file(FileFormat.JSON),
        _one_file(FileFormat.PARQUET),
        _one_file(FileFormat.XML, record="/records/record"),
        lambda folder: FolderTarget(folder / "out", FileShape(FileFormat.PARQUET)),
        lambda folder: FolderTarget(
            folder / "out", FileShape(FileFormat.CSV, delimiter=","), split_bytes=2_000_000
        ),
    ],
)
def test_long_texts_with_lines_like_records_arrive(tmp_path, long_texts, target):
    to = target(tmp_path)
    deliver(long_texts, to, TEXTS, keep_rows=True)
    sources = to.path
    if isinstance(to, FolderTarget):
        sources = to.path / f"*.{to.shape.format}"
    staging = StagedRows(tmp_path / "staging")
    staging.load(FileSource(sources, to.shape))
    staging.map([MappedColumn(column.name, None) for column in TEXTS])
    found = [record for batch in staging.batches(500) for _, record in batch]
    staging.discard()
    assert len(found) == 333
    assert {record["Text"] for record in found} == {LINES}
    assert {record["N"] for record in found} == {f"{n}.5" for n in range(333)}


def test_long_texts_reach_a_database(tmp_path, monkeypatch, long_texts):
    url = f"sqlite:///{tmp_path / 'out.db'}"
    monkeypatch.setenv("OUT", url)
    reference = SecretReference(env="OUT")
    deliver(long_texts, DatabaseTarget(reference, "t", TableMode.REPLACE), TEXTS, keep_rows=True)
    with sqlalchemy.create_engine(url).connect() as link:
        found = link.execute(sqlalchemy.text("SELECT count(*), min(Text), max(Text) FROM t"))
        assert found.fetchall() == [(333, LINES, LINES)]


def test_rows_of_many_kilobytes_become_parquet(tmp_path):
    """300 MB in DuckDB's default row group are more than its memory may hold."""
    rows = tmp_path / "rows.csv"
    with rows.open("w", encoding="utf-8", newline="") as stream:
        stream.write('"Id","Text"\n')
        stream.writelines(f'"{n}","{n:x}{"é" * 30_000}"\n' for n in range(3_000))
    to = FileTarget(tmp_path / "out.parquet", FileShape(FileFormat.PARQUET))
    deliver(rows, to, (QueryColumn("Id"), QueryColumn("Text")), keep_rows=True)
    query = "SELECT count(*), min(strlen(Text)), count(DISTINCT Text) FROM read_parquet(?)"
    with duckdb.connect() as connection:
        found = connection.execute(query, [str(to.path)]).fetchall()
    assert found == [(3_000, 60_001, 3_000)]
