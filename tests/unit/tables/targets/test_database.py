"""Tables of a database are written whole or left as they were, and read back."""

import csv
import os
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
import sqlalchemy

from runner.credentials import SecretReference
from runner.errors import SourceError, StateError
from runner.job.endpoints import (
    DatabaseSource,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileSource,
    TableMode,
)
from runner.tables.field_types import FieldKind
from runner.tables.sources.database import bound
from runner.tables.sources.open import open_source
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.unit.tables.targets.delivered import (
    COLUMNS,
    ROWS,
    VALUES,
)


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "records.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


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
        (
            "postgresql+psycopg://u:pass@word:word@127.0.0.1/x",
            "SELECT 1",
            "is not a valid SQLAlchemy URL",
            "`@` is %40",
        ),
        (
            "postgresql+psycopg://u:pass@word.invalid@127.0.0.1/x",
            "SELECT 1",
            "is not a valid SQLAlchemy URL",
            "`@` is %40",
        ),
        ("sqlite://", "SELEKT 1", 'near "SELEKT": syntax error', ""),
        (
            "sqlite:////nowhere/at/all.db",
            "SELECT 1",
            "unable to open database file",
            "its folder has to exist",
        ),
        (
            "oracle+oracledb://u:secret@h/x",
            "SELECT 1",
            "needs the driver oracledb",
            "pip install oracledb",
        ),
        (
            "sqlserver://u:secret@h/x",
            "SELECT 1",
            "No database is known as sqlserver",
            "the SQLAlch",
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
