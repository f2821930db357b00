"""Writes a query's rows to a table of a SQL database, with the types that the org describes.

All rows are written in one transaction, or none. PostgreSQL takes them by COPY, SQLite as Arrow
batches where the driver for these is installed; other databases take them row by row through
SQLAlchemy. Knows nothing of SOQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, TableMode
from runner.tables.database import Database, storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces
from runner.tables.sql_connection import SQLITE_FILES, connect, import_sqlalchemy
from runner.tables.targets import postgresql, sqlite
from runner.tables.targets.column_types import (
    TypedColumn,
    TypedRows,
    as_described,
    column_names,
    fetched,
    open_database,
    python_cell,
)
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_DATETIME = FieldKind.DATETIME


def write_table(rows: Path, target: DatabaseTarget, known: Sequence[QueryColumn] | None) -> None:
    """Write rows to a table, which is created if it does not exist.

    Raises:
        StateError: The database cannot be reached, or rejects the table or a row.
        StorageError: A value does not have the type of its column.
    """
    import_sqlalchemy(StateError)
    database = open_database(rows.parent)
    try:
        with storage_errors(f"Table {target.table} cannot be written"):
            as_described(database, rows, known, partial(_write, database, rows, target))
    finally:
        database.close()


def _write(
    database: Database, file: Path, target: DatabaseTarget, columns: tuple[TypedColumn, ...]
) -> None:
    sqlalchemy = import_sqlalchemy(StateError)
    rows = TypedRows(database, file, columns)
    replace = target.mode is TableMode.REPLACE
    with connect(target.url, StateError) as link:
        table = _table(sqlalchemy, target, columns, link.dialect.name)
        if sqlite.takes_batches(link):
            with SQLITE_FILES.taken(link.engine) as is_free:
                if is_free:
                    sqlite.write(link, table, rows, replace=replace)
                    return
        _begin(link)
        if replace:
            table.drop(link, checkfirst=True)
        table.create(link, checkfirst=True)
        if link.dialect.driver == "psycopg":
            postgresql.copy(link, table, rows)
        else:
            _insert_all(link, table, rows)
        link.commit()


def _insert_all(link: Connection, table: Table, rows: TypedRows) -> None:
    insert, cells = _insert(link, table, rows.columns)
    names = column_names(rows.file)
    with pieces(rows.file) as files:
        for piece in files:
            for batch in fetched(rows.database, piece, names, cells):
                insert(batch)


def _insert(
    link: Connection, table: Table, columns: Sequence[TypedColumn]
) -> tuple[Callable[[list[tuple[Any, ...]]], object], list[str]]:
    """How to insert a batch of rows, and the SQL of the cells that it takes."""
    if link.dialect.name == "sqlite":
        statement = str(table.insert().compile(dialect=link.dialect))
        return partial(link.exec_driver_sql, statement), [sqlite.cell(each) for each in columns]
    keys = [f"c{at}" for at in range(len(columns))]
    instants = {key for key, each in zip(keys, columns, strict=True) if each.kind is _DATETIME}

    def insert(batch: list[tuple[Any, ...]]) -> object:
        return link.execute(table.insert(), [_record(keys, row, instants) for row in batch])

    return insert, [python_cell(each) for each in columns]


def _record(keys: list[str], row: tuple[Any, ...], instants: set[str]) -> dict[str, object]:
    record = dict(zip(keys, row, strict=True))
    for key in instants:
        record[key] = record[key] and record[key].replace(tzinfo=UTC)
    return record


def _begin(link: Connection) -> None:
    """Start a transaction; by itself, SQLite's driver would create tables outside of it."""
    if link.dialect.name == "sqlite":
        raw: Any = link.connection.dbapi_connection
        raw.isolation_level = None
        link.exec_driver_sql(f"PRAGMA busy_timeout = {sqlite.BUSY_MS}")
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
    if dialect == "sqlite" and (column.is_decimal or column.kind is _DATETIME):
        # It would store a decimal as a double, losing digits, and a datetime without its zone.
        return sqlalchemy.Text()
    if column.is_decimal:
        return sqlalchemy.Numeric(column.precision, column.scale)
    makers = {
        FieldKind.BOOLEAN: sqlalchemy.Boolean,
        FieldKind.INTEGER: sqlalchemy.BigInteger,
        FieldKind.DATE: sqlalchemy.Date,
        _DATETIME: lambda: sqlalchemy.DateTime(timezone=True),
        FieldKind.TIME: sqlalchemy.Time,
    }
    return makers.get(column.kind, sqlalchemy.Text)()
