"""Writes a query's rows to a table of a SQL database, with the types that the org describes.

All rows are written in one transaction, or none. PostgreSQL takes them by COPY and SQLite as texts,
which need no loop over rows in Python; other databases take them row by row through SQLAlchemy.
Knows nothing of SOQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, TableMode
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces
from runner.tables.sql_connection import connect, import_sqlalchemy
from runner.tables.targets.column_types import (
    TypedColumn,
    column_names,
    fetched,
    python_cell,
    typed_cell,
    typed_table,
)
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_DATETIME = FieldKind.DATETIME


def write_table(rows: Path, target: DatabaseTarget, known: Sequence[QueryColumn] | None) -> None:
    """Write rows to a table, which is created if it does not exist.

    Raises:
        StateError: The database cannot be reached, or rejects the table or a row.
    """
    sqlalchemy = import_sqlalchemy(StateError)
    with (
        typed_table(rows, known) as (database, columns),
        connect(target.url, StateError) as link,
        pieces(rows) as files,
    ):
        _begin(link)
        table = _table(sqlalchemy, target, columns, link.dialect.name)
        if target.mode is TableMode.REPLACE:
            table.drop(link, checkfirst=True)
        table.create(link, checkfirst=True)
        names = column_names(rows)
        if link.dialect.driver == "psycopg":
            for file in files:
                _copy(link, table, columns, file)
        else:
            insert, cells = _insert(link, table, columns)
            for file in files:
                for batch in fetched(database, file, names, cells):
                    insert(batch)
        link.commit()


def _copy(link: Connection, table: Table, columns: Sequence[TypedColumn], piece: Path) -> None:
    """Send a piece as it is: in Bulk's form, each value is what PostgreSQL reads for its type."""
    quote = link.dialect.identifier_preparer
    names = ", ".join(quote.quote_identifier(each.name) for each in columns)
    options = f"FORMAT csv, ENCODING 'UTF8', FORCE_NULL ({names})"
    statement = f"COPY {quote.format_table(table)} ({names}) FROM STDIN ({options})"
    raw: Any = link.connection.dbapi_connection
    with _driver_errors(link, statement), raw.cursor().copy(statement) as copy:
        copy.write(piece.read_bytes())


@contextmanager
def _driver_errors(link: Connection, statement: str) -> Iterator[None]:
    """Errors of the driver as SQLAlchemy's, which `connect` explains."""
    from sqlalchemy.exc import DBAPIError

    driver: Any = link.dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        raise DBAPIError.instance(statement, None, error, driver.Error) from error


def _insert(
    link: Connection, table: Table, columns: Sequence[TypedColumn]
) -> tuple[Callable[[list[tuple[Any, ...]]], object], list[str]]:
    """How to insert a batch of rows, and the SQL of the cells that it takes."""
    if link.dialect.name == "sqlite":
        statement = str(table.insert().compile(dialect=link.dialect))
        return partial(link.exec_driver_sql, statement), [_sqlite_cell(each) for each in columns]
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


def _sqlite_cell(column: TypedColumn) -> str:
    """Write the SQL of a cell as SQLite stores it: texts and whole numbers."""
    cell = typed_cell(column)
    if column.kind is FieldKind.BOOLEAN:
        return f"CAST({cell} AS TINYINT)"
    if column.kind is FieldKind.TIME:
        return f"strftime(DATE '2000-01-01' + {cell}, '%H:%M:%S.%f')"
    if column.kind is _DATETIME:
        return f"strftime(timezone('UTC', {cell}), '%Y-%m-%dT%H:%M:%S.%gZ')"
    return cell if column.kind is FieldKind.INTEGER else f"CAST({cell} AS VARCHAR)"


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
