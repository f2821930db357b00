"""A table of SQLite holds the same, whichever driver writes it, or stays as it was."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import make_url

from runner.credentials import SecretReference
from runner.errors import RunnerError, StateError
from runner.job.endpoints import DatabaseTarget, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.sql_connection import connect
from runner.tables.targets import sqlite
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn

REFERENCE = SecretReference(env="A_DATABASE")
COLUMNS = (
    QueryColumn('a "name"', FieldKind.TEXT),
    QueryColumn("Price", FieldKind.NUMBER, 18, 2),
    QueryColumn("Sum", FieldKind.NUMBER),
    QueryColumn("At", FieldKind.DATETIME),
    QueryColumn("Open", FieldKind.BOOLEAN),
    QueryColumn("N", FieldKind.INTEGER),
)
HEADER = '"a ""name""","Price","Sum","At","Open","N"\n'
ROWS = (
    '"Ä ""x"",\ny","1.5","9.12260031E8","2026-01-31T08:00:00.123Z","true","9007199254740993"\n'
    '"","","","","",""\n'
    '"  ","-7","0.1","2026-01-31T08:00:00Z","false","-1"\n'
)
WRITTEN = [
    ('Ä "x",\ny', "1.50", "912260031.0", "2026-01-31T08:00:00.123Z", 1, 9007199254740993),
    (None, None, None, None, None, None),
    ("  ", "-7.00", "0.1", "2026-01-31T08:00:00.000Z", 0, -1),
]


@pytest.fixture(params=["batches", "rows"])
def table(request, tmp_path, monkeypatch):
    """Ask the database that the driver with or without batches writes."""
    if request.param == "rows":
        monkeypatch.setitem(sys.modules, "adbc_driver_sqlite", None)
    url = f"sqlite:///{tmp_path}/a file%3Fb=%2541%23c.db"
    monkeypatch.setenv("A_DATABASE", url)
    file = make_url(url).database  # before SQLAlchemy 2.1 with the percent signs

    def ask(sql):
        with closing(sqlite3.connect(file)) as link:
            found = link.execute(sql).fetchall()
            link.commit()
            return found

    return ask


def write(folder, rows, mode=TableMode.REPLACE, name="cases"):
    file = folder / "rows.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    deliver(file, DatabaseTarget(REFERENCE, name, mode), COLUMNS, keep_rows=True)


def test_the_table_is_the_same_with_either_driver(table, tmp_path):
    write(tmp_path, ROWS)
    assert table("SELECT * FROM cases") == WRITTEN
    types = [kind for _, _, kind, *_ in table("PRAGMA table_info(cases)")]
    assert types == ["TEXT", "TEXT", "TEXT", "TEXT", "BOOLEAN", "BIGINT"]
    write(tmp_path, ROWS, TableMode.APPEND, "main.cases")
    assert table("SELECT * FROM cases") == WRITTEN * 2
    write(tmp_path, "")
    assert table("SELECT count(*) FROM cases") == [(0,)]


def test_a_number_wider_than_described_keeps_its_digits(table, tmp_path):
    wide = '"a","1.23456","12345678901234567890.1","","",""\n'
    write(tmp_path, ROWS + wide)
    assert table('SELECT "Price", "Sum" FROM cases WHERE "a ""name""" = \'a\'') == [
        ("1.23456", "12345678901234567890.1")
    ]


@pytest.mark.parametrize("table", ["batches"], indirect=True)
def test_a_new_file_gets_large_pages_and_another_keeps_its_own(table, tmp_path):
    write(tmp_path, ROWS)
    assert table("PRAGMA page_size") == [(16_384,)]
    next(tmp_path.glob("a file*.db")).unlink()
    table("CREATE TABLE others (n)")
    before = table("PRAGMA page_size")
    write(tmp_path, ROWS)
    assert before == table("PRAGMA page_size") != [(16_384,)]
    assert table("SELECT * FROM cases") == WRITTEN


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('"a","","","","","x"\n', "Table cases cannot be written: .*Could not convert string 'x'"),
        ('"a","","","yesterday","",""\n', "Table cases cannot be written: .*yesterday"),
        ('"a","1"\n', "Table cases cannot be written: "),
    ],
)
def test_a_value_of_another_type_leaves_the_table_as_it_was(table, tmp_path, wrong, said):
    write(tmp_path, ROWS)
    with pytest.raises(RunnerError, match=said):
        write(tmp_path, ROWS * 3_000 + wrong)
    assert table("SELECT * FROM cases") == WRITTEN


HOLD = """
import sqlite3, sys
link = sqlite3.connect(sys.argv[1], isolation_level=None)
link.execute("BEGIN IMMEDIATE")
print(flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_program_writes_to_is_reported(table, tmp_path, monkeypatch):
    write(tmp_path, ROWS)
    monkeypatch.setattr(sqlite, "BUSY_MS", 0)
    file = next(tmp_path.glob("a file*.db"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(StateError, match="database is locked"):
            write(tmp_path, "")
        other.stdin.close()
    assert table("SELECT * FROM cases") == WRITTEN


def test_a_file_is_open_in_one_sqlite_of_the_process_only(table, tmp_path, monkeypatch):
    write(tmp_path, ROWS)
    monkeypatch.setattr(sqlite, "BUSY_MS", 0)
    with connect(REFERENCE) as link:
        reading = link.exec_driver_sql("SELECT * FROM cases")
        assert tuple(reading.fetchone()) == WRITTEN[0]
        with pytest.raises(StateError, match="database is locked"):
            write(tmp_path, "")
        reading.close()
    assert table("SELECT * FROM cases") == WRITTEN
    write(tmp_path, "")
    assert table("SELECT * FROM cases") == []
