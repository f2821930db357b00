"""A file of SQLite as a source: all of it or nothing."""

import sqlite3
from contextlib import closing

import pytest

from runner.credentials import SecretReference
from runner.errors import SourceError
from runner.job.endpoints import DatabaseSource
from runner.tables.sources.database import read_database

ROWS = 300
SOURCE = DatabaseSource(SecretReference(env="ROWS"), "SELECT * FROM t")


def lines_of(tmp_path):
    return b"".join(read_database(SOURCE, tmp_path / "rows.csv").blocks).count(b"\n")


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "a.db"
    monkeypatch.setenv("ROWS", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as link, link:
        link.execute("CREATE TABLE t (a TEXT)")
        link.executemany("INSERT INTO t VALUES (?)", [(f"{n:030}",) for n in range(ROWS)])
    assert lines_of(tmp_path) == ROWS
    whole = file.read_bytes()
    for size in (*range(1, len(whole), 1_021), len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(SourceError):
            lines_of(tmp_path)
