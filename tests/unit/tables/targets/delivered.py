"""Rows of every type, as Bulk sends them and as values, that tests of targets share."""

# ruff: noqa: E501 - a case reads best in one line
from datetime import UTC, date, datetime, time
from decimal import Decimal

import duckdb

from runner.job.endpoints import (
    FileFormat,
    FileShape,
    FileTarget,
)
from runner.tables.field_types import FieldKind
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


def target(path, form=FileFormat.CSV, **shape):
    return FileTarget(path, FileShape(form, **shape))


def from_duckdb(query):
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()
