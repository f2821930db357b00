"""Targets that keep rows and are cut off: refused before a query is run for them."""

import sqlite3
from contextlib import closing

import duckdb
import pytest

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.job.endpoints import (
    Compression,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileTarget,
    FolderTarget,
    TableMode,
)
from runner.tables.targets.deliver import deliver
from runner.tables.targets.whole import check_whole

ROWS = 400


def parquet(file):
    with duckdb.connect() as link:
        link.execute(f"COPY (SELECT range AS n FROM range({ROWS})) TO '{file}' (FORMAT parquet)")


def lines(file, encoding="utf-8", end="\n"):
    file.write_bytes(end.join([f'"{n}","é"' for n in range(ROWS)] + [""]).encode(encoding))


def sizes(file):
    size = file.stat().st_size
    return (*range(1, size, max(1, size // 20)), size - 1)


def refused_where_cut(file, target, at=None):
    check_whole(target)
    content = file.read_bytes()
    for size in at or sizes(file):
        file.write_bytes(content[:size])
        with pytest.raises(StateError, match=r"cut off|malformed|not a database"):
            check_whole(target)
    file.unlink()
    check_whole(target)  # it is made anew
    file.write_bytes(b"")
    check_whole(target)


def test_a_parquet_file_and_one_of_a_folder(tmp_path):
    shape = FileShape(FileFormat.PARQUET)
    file = tmp_path / "b" / "a.parquet"
    file.parent.mkdir()
    for target in (
        FileTarget(file, shape, mode=TableMode.APPEND),
        FolderTarget(tmp_path, shape, mode=TableMode.MERGE),
    ):
        parquet(file)
        refused_where_cut(file, target)


@pytest.mark.parametrize("form", [FileFormat.CSV, FileFormat.JSONL])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines(tmp_path, form, encoding, end):
    file = tmp_path / "a"
    lines(file, encoding, end)
    target = FileTarget(file, FileShape(form, encoding=encoding), mode=TableMode.APPEND)
    inside = len('"1","'.encode(encoding))
    refused_where_cut(file, target, [inside, file.stat().st_size - 2 * len(end.encode(encoding))])


def test_what_is_replaced_or_compressed_is_not_looked_at_here(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b'"cut')
    packed = FileShape(FileFormat.CSV, compression=Compression.GZIP)
    check_whole(FileTarget(file, FileShape(FileFormat.CSV)))
    check_whole(FileTarget(file, packed, mode=TableMode.APPEND))


@pytest.mark.parametrize("mode", list(TableMode))
def test_a_file_of_sqlite_in_a_page_or_between_two(tmp_path, monkeypatch, mode):
    """Also where its table is replaced: others in it would be lost for good."""
    file = tmp_path / "a.db"
    monkeypatch.setenv("DB", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as link, link:
        link.execute("CREATE TABLE t (a TEXT)")
        link.executemany("INSERT INTO t VALUES (?)", [(f"{n:030}",) for n in range(ROWS)])
    target = DatabaseTarget(SecretReference(env="DB"), "t", mode)
    pages = range(4_096, file.stat().st_size, 4_096)
    refused_where_cut(file, target, [*pages, *(each + 1_000 for each in pages)])


def test_a_file_of_sqlite_with_a_log_beside_it_is_whole(tmp_path, monkeypatch):
    file = tmp_path / "a.db"
    monkeypatch.setenv("DB", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as link:
        link.execute("PRAGMA journal_mode = wal")
        with link:
            link.execute("CREATE TABLE t (a TEXT)")
            link.executemany("INSERT INTO t VALUES (?)", [(f"{n:030}",) for n in range(ROWS)])
        check_whole(DatabaseTarget(SecretReference(env="DB"), "t", TableMode.APPEND))


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"]
)
@pytest.mark.parametrize("mode", list(TableMode))
def test_sqlite_in_memory_is_no_target(tmp_path, monkeypatch, url, mode):
    monkeypatch.setenv("DB", url)
    target = DatabaseTarget(SecretReference(env="DB"), "t", mode)
    with pytest.raises(StateError, match="the rows would be gone with the run"):
        check_whole(target)
    rows = tmp_path / "rows.csv"
    rows.write_text('"Id"\n"a"\n')
    with pytest.raises(StateError, match="the rows would be gone with the run"):
        deliver(rows, target, None, keep_rows=True)
