"""Writes a query's rows to a table of a SQL database, with the types that the org describes.

All rows are written in one transaction, or none. Knows SQLAlchemy's types. Knows nothing of SOQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.sql_connection import connect, import_sqlalchemy
from runner.tables.targets.column_types import TypedColumn, typed_rows
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def write_table(rows: Path, target: DatabaseTarget, known: Sequence[QueryColumn] | None) -> None:
    """Write rows to a table, which is created if it does not exist.

    Raises:
        StateError: The database cannot be reached, or rejects the table or a row.
    """
    sqlalchemy = import_sqlalchemy(StateError)
    with typed_rows(rows, known) as (columns, batches), connect(target.url, StateError) as link:
        _begin(link)
        dialect = link.dialect.name
        table = _table(sqlalchemy, target, columns, dialect)
        if target.mode is TableMode.REPLACE:
            table.drop(link, checkfirst=True)
        table.create(link, checkfirst=True)
        for batch in batches:
            link.execute(table.insert(), [_record(row, columns, dialect) for row in batch])
        link.commit()


def _begin(link: Connection) -> None:
    """Start a transaction; by itself, SQLite's driver would create tables outside of it."""
    if link.dialect.name == "sqlite":
        raw: Any = link.connection.dbapi_connection
        raw.isolation_level = None
        link.exec_driver_sql("BEGIN IMMEDIATE")


def _table(
    sqlalchemy: ModuleType, target: DatabaseTarget, columns: Sequence[TypedColumn], dialect: str
) -> Table:
    schema, _, name = target.table.rpartition(".")
    made: Table = sqlalchemy.Table(
        name,
        sqlalchemy.MetaData(),
        *(
            sqlalchemy.Column(each.name, _type(sqlalchemy, each, dialect), key=f"c{at}")
            for at, each in enumerate(columns)
        ),
        schema=schema or None,
    )
    return made


def _type(sqlalchemy: ModuleType, column: TypedColumn, dialect: str) -> Any:  # noqa: ANN401
    if dialect == "sqlite" and (column.is_decimal or column.kind is FieldKind.DATETIME):
        # It would store a decimal as a double, losing digits, and a datetime without its zone.
        return sqlalchemy.Text()
    if column.is_decimal:
        return sqlalchemy.Numeric(column.precision, column.scale)
    makers = {
        FieldKind.BOOLEAN: sqlalchemy.Boolean,
        FieldKind.INTEGER: sqlalchemy.BigInteger,
        FieldKind.DATE: sqlalchemy.Date,
        FieldKind.DATETIME: lambda: sqlalchemy.DateTime(timezone=True),
        FieldKind.TIME: sqlalchemy.Time,
    }
    return makers.get(column.kind, sqlalchemy.Text)()


def _record(
    row: tuple[Any, ...], columns: Sequence[TypedColumn], dialect: str
) -> dict[str, object]:
    return {
        f"c{at}": _value(value, column, dialect)
        for at, (value, column) in enumerate(zip(row, columns, strict=True))
    }


def _value(value: Any, column: TypedColumn, dialect: str) -> object:  # noqa: ANN401
    if value is None:
        return None
    if column.kind is FieldKind.DATETIME:
        if dialect == "sqlite":
            return f"{value.isoformat(timespec='milliseconds')}Z"
        return value.replace(tzinfo=UTC)
    return f"{value:f}" if column.is_decimal and dialect == "sqlite" else value
