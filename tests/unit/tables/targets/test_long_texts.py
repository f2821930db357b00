"""Texts longer than a reader's buffer arrive in every target."""

import csv

import duckdb
import pytest
import sqlalchemy

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.job.endpoints import (
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    FolderTarget,
    TableMode,
)
from runner.tables import database
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.staging.rows import StagedRows
from runner.tables.targets import sqlite
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.short_form import slow

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
        _one_file(FileFormat.PARQUET),
        _one_file(FileFormat.XML, record="/records/record"),
        lambda folder: FolderTarget(
            folder / "out", FileShape(FileFormat.CSV, delimiter=","), split_bytes=2_000_000
        ),
        *slow(
            _one_file(FileFormat.JSON),
            lambda folder: FolderTarget(folder / "out", FileShape(FileFormat.PARQUET)),
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
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as link:
        found = link.execute(sqlalchemy.text("SELECT count(*), min(Text), max(Text) FROM t"))
        assert found.fetchall() == [(333, LINES, LINES)]


def test_sqlite_gets_long_rows_a_few_megabytes_at_a_time(tmp_path, monkeypatch, long_texts):
    """DuckDB would put 131,072 rows into a batch, and refuse more than 2 GB."""
    sent = []

    def run(connection, sql, rows=None):
        if rows is not None:
            sent.append([len(text) for _, _, text in rows.fetchall()])
        return own_run(connection, sql, rows)

    own_run = sqlite._run  # noqa: SLF001 - the driver's own connection shows no batches
    monkeypatch.setattr(sqlite, "_run", run)
    monkeypatch.setattr(sqlite, "_GROUP_BYTES", 1)
    test_long_texts_reach_a_database(tmp_path, monkeypatch, long_texts)
    assert sum(map(len, sent)) == 333
    assert max(map(sum, sent)) < 5_000_000


def test_rows_of_many_kilobytes_become_parquet(tmp_path, monkeypatch):
    """100 MB in DuckDB's default row group are more than its memory may hold."""
    monkeypatch.setattr(database, "MEMORY_MB", 50)
    rows = tmp_path / "rows.csv"
    with rows.open("w", encoding="utf-8", newline="") as stream:
        stream.write('"Id","Text"\n')
        stream.writelines(f'"{n}","{n:x}{"é" * 30_000}"\n' for n in range(1_000))
    to = FileTarget(tmp_path / "out.parquet", FileShape(FileFormat.PARQUET))
    deliver(rows, to, (QueryColumn("Id"), QueryColumn("Text")), keep_rows=True)
    query = "SELECT count(*), min(strlen(Text)), count(DISTINCT Text) FROM read_parquet(?)"
    with duckdb.connect() as connection:
        found = connection.execute(query, [str(to.path)]).fetchall()
    assert found == [(1_000, 60_001, 1_000)]


def test_a_row_that_is_longer_than_any_is_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "LONGEST_RECORD_BYTES", 4_000_000)
    rows = tmp_path / "rows.csv"
    rows.write_text(f'"Id","N","Text"\n"1","2","{"x" * 6_000_000}"\n')
    target = FileTarget(tmp_path / "out.parquet", FileShape(FileFormat.PARQUET))
    with pytest.raises(StateError, match=r"out.parquet cannot be written: a row is longer than"):
        deliver(rows, target, TEXTS, keep_rows=True)
    assert not target.path.exists()
