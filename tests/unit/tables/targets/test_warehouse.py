"""What Snowflake and BigQuery run. There is no account here: each statement is compared with its
text, read by a parser of that dialect, and run by DuckDB in its own."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module

import duckdb
import pytest
import sqlglot

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, Deletes, Keeping, SchemaChanges, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import KeptColumn
from runner.tables.targets.warehouse import takeover

DIALECTS = {
    "snowflake": ("snowflake.sqlalchemy.snowdialect", "dialect"),
    "bigquery": ("sqlalchemy_bigquery", "BigQueryDialect"),
}
"""Imported late: they take a second, of each process that collects tests."""
BOTH = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
ID, NAME = TypedColumn("Id", FieldKind.ID), TypedColumn("Name", FieldKind.TEXT)
AMOUNT = TypedColumn("Amount", FieldKind.NUMBER, 18, 2)
AT = TypedColumn("At", FieldKind.DATETIME)
GONE = TypedColumn("IsDeleted", FieldKind.BOOLEAN)
ALL = (ID, NAME, AMOUNT, AT, GONE)


def made(name):
    module, member = DIALECTS[name]
    return getattr(import_module(module), member)()


@pytest.fixture
def dialect(request):
    return made(request.param)


def steps(dialect, mode, columns=ALL, kept=None, **keeping):
    key = "Id" if mode is TableMode.MERGE else None
    url = SecretReference(env="DB")
    target = DatabaseTarget(url, "crm.accounts", mode, Keeping(key, **keeping))
    known = kept and [KeptColumn(each.name, each, each.kind.value) for each in kept]
    return takeover(dialect, target, columns, known, "sfrunner_rows_1")


def statements(found):
    return [
        each
        for each in (*found.before, found.doubled, found.count, found.take, found.after)
        if each
    ]


class Stand:
    """A DuckDB that runs what is written for another database."""

    def __init__(self, dialect):
        self._dialect, self._link = dialect, duckdb.connect()
        self._link.execute("SET TimeZone = 'UTC'; CREATE SCHEMA crm")

    def run(self, statement):
        (parsed,) = sqlglot.parse(statement, read=self._dialect.name)
        if isinstance(parsed, sqlglot.exp.Create):
            parsed.set("properties", None)  # DuckDB has others
            if parsed.expression:
                parsed.set("this", parsed.this.this)  # DuckDB takes the types of the SELECT
        return self._link.execute(parsed.sql("duckdb")).fetchall()

    def take(self, found, *rows):
        for each in found.before:
            self.run(each)
        names = ", ".join(f'"{each.name}"' for each in found.columns)
        marks = ", ".join("?" * len(found.columns))
        for row in rows:
            self._link.execute(f"INSERT INTO crm.sfrunner_rows_1 ({names}) VALUES ({marks})", row)
        counts = self.run(found.count) if found.count else None
        self.run(found.take)
        self.run(found.after)
        return counts and counts[0]

    def rows(self, cells="*"):
        return self._link.execute(f"SELECT {cells} FROM crm.accounts ORDER BY 1").fetchall()


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def row(record, name, amount="1.50", gone=False):
    return (record, name, amount and Decimal(amount), MOMENT, gone)


@BOTH
def test_each_mode_does_to_the_table_what_it_says(dialect):
    stand = Stand(dialect)
    stand.take(steps(dialect, TableMode.REPLACE), row("z", "gone with the next"))
    stand.take(steps(dialect, TableMode.REPLACE, kept=ALL), row("a", "A"), row("b", "B"))
    stand.take(steps(dialect, TableMode.APPEND, kept=ALL), row("c", None, None))
    assert stand.rows('"Id", "Name", "Amount"') == [
        ("a", "A", Decimal("1.50")),
        ("b", "B", Decimal("1.50")),
        ("c", None, None),
    ]
    merge = steps(dialect, TableMode.MERGE, kept=ALL, deletes=Deletes.REMOVE)
    assert stand.run(merge.doubled) == []
    changed = (row("a", "A2"), row("b", "B", gone=True), row("d", "D"), row("e", "E", gone=True))
    assert stand.take(merge, *changed) == (1, 1, 1)
    assert stand.rows('"Id", "Name"') == [("a", "A2"), ("c", None), ("d", "D")]
    flag = steps(dialect, TableMode.MERGE, kept=ALL, deletes=Deletes.FLAG)
    assert stand.take(flag, row("a", None, None, gone=True), row("c", "C", "2")) == (0, 2, 0)
    assert stand.rows('"Id", "Name", "IsDeleted", "Amount"')[:2] == [
        ("a", "A2", True, Decimal("1.50")),
        ("c", "C", False, Decimal("2.00")),
    ]


@BOTH
def test_a_merge_creates_the_table_and_adds_columns(dialect):
    stand = Stand(dialect)
    assert stand.take(steps(dialect, TableMode.MERGE, (ID, NAME)), ("a", "A")) == (1, 0, 0)
    wider = steps(dialect, TableMode.MERGE, (ID, AT), kept=(ID, NAME))
    assert wider.notes == ("new column At",)
    assert stand.take(wider, ("a", MOMENT), ("b", MOMENT)) == (1, 1, 0)
    assert stand.rows() == [("a", "A", MOMENT), ("b", None, MOMENT)]
    only_key = steps(dialect, TableMode.MERGE, (ID,), kept=(ID, NAME))
    assert stand.take(only_key, ("a",), ("c",)) == (1, 1, 0)


MERGED = {
    "snowflake": 'MERGE INTO crm.accounts AS t USING crm.sfrunner_rows_1 AS s ON t."Id" = s."Id"'
    ' WHEN MATCHED AND coalesce(s."IsDeleted", false) THEN DELETE'
    ' WHEN MATCHED THEN UPDATE SET "Name" = s."Name", "IsDeleted" = s."IsDeleted"'
    ' WHEN NOT MATCHED AND NOT coalesce(s."IsDeleted", false)'
    ' THEN INSERT ("Id", "Name", "IsDeleted") VALUES (s."Id", s."Name", s."IsDeleted")',
    "bigquery": "MERGE INTO `crm`.`accounts` AS t USING `crm`.`sfrunner_rows_1` AS s"
    " ON t.`Id` = s.`Id` WHEN MATCHED AND coalesce(s.`IsDeleted`, false) THEN DELETE"
    " WHEN MATCHED THEN UPDATE SET `Name` = s.`Name`, `IsDeleted` = s.`IsDeleted`"
    " WHEN NOT MATCHED AND NOT coalesce(s.`IsDeleted`, false)"
    " THEN INSERT (`Id`, `Name`, `IsDeleted`) VALUES (s.`Id`, s.`Name`, s.`IsDeleted`)",
}
REPLACED = {
    "snowflake": (
        (
            'CREATE TEMPORARY TABLE crm.sfrunner_rows_1 ("Id" TEXT, "Name" TEXT,'
            ' "Amount" NUMERIC(18, 2), "At" TIMESTAMP_TZ, "IsDeleted" BOOLEAN)'
        ),
        (
            'CREATE OR REPLACE TABLE crm.accounts ("Id" TEXT, "Name" TEXT, "Amount" NUMERIC(18, 2),'
            ' "At" TIMESTAMP_TZ, "IsDeleted" BOOLEAN) COPY GRANTS AS SELECT "Id", "Name", "Amount",'
            ' "At", "IsDeleted" FROM crm.sfrunner_rows_1'
        ),
        "DROP TABLE crm.sfrunner_rows_1",
    ),
    "bigquery": (
        (
            "CREATE TABLE `crm`.`sfrunner_rows_1` (`Id` STRING, `Name` STRING,"
            " `Amount` NUMERIC(18, 2), `At` TIMESTAMP, `IsDeleted` BOOL) OPTIONS"
            " (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))"
        ),
        (
            "CREATE OR REPLACE TABLE `crm`.`accounts` (`Id` STRING, `Name` STRING,"
            " `Amount` NUMERIC(18, 2), `At` TIMESTAMP, `IsDeleted` BOOL) AS SELECT `Id`, `Name`,"
            " `Amount`, `At`, `IsDeleted` FROM `crm`.`sfrunner_rows_1`"
        ),
        "DROP TABLE `crm`.`sfrunner_rows_1`",
    ),
}


@BOTH
def test_the_statements_are_these(dialect):
    columns = (ID, NAME, GONE)
    merge = steps(dialect, TableMode.MERGE, columns, columns, deletes=Deletes.REMOVE)
    assert merge.take == MERGED[dialect.name]
    assert tuple(statements(steps(dialect, TableMode.REPLACE))) == REPLACED[dialect.name]


def test_bigquery_widens_a_number_and_snowflake_says_that_it_does_not():
    wide = TypedColumn("Amount", FieldKind.NUMBER, 20, 4)
    found = steps(made("bigquery"), TableMode.APPEND, (ID, wide), kept=(ID, AMOUNT))
    assert found.before[1] == (
        "ALTER TABLE `crm`.`accounts` ALTER COLUMN `Amount` SET DATA TYPE NUMERIC(20, 4)"
    )
    with pytest.raises(StateError, match="Amount is too narrow, and Snowflake does not"):
        steps(made("snowflake"), TableMode.APPEND, (ID, wide), kept=(ID, AMOUNT))


def test_bigquery_has_no_columns_with_points():
    with pytest.raises(StateError, match=r"no column 'Owner\.Name'"):
        steps(made("bigquery"), TableMode.REPLACE, (ID, TypedColumn("Owner.Name", FieldKind.TEXT)))


@BOTH
def test_a_frozen_table_gets_no_column(dialect):
    with pytest.raises(StateError, match="has no column Name"):
        steps(dialect, TableMode.MERGE, (ID, NAME), kept=(ID,), schema=SchemaChanges.FREEZE)
