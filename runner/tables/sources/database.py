"""Rows of a query to a SQL database, fetched in batches.

Knows how database values are written as text. Knows nothing of fields.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.binds import rewrite_sql
from runner.job.endpoints import DatabaseSource
from runner.tables.database import first_line
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.csv import Records
from runner.tables.sources.spool import spool_rows
from runner.tables.sources.value_texts import NOT_FINITE, duration_text, float_text
from runner.tables.sources.written import WITH_NAN
from runner.tables.sql_connection import check_sqlite, connect

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Dialect

_FETCHED_ROWS = 2_000
FROM = Path("database")
"""The name of the rows in messages."""


def read_database(source: DatabaseSource, to: Path, disk: Disk = UNBOUNDED) -> Records:
    """Write the result of a SELECT as CSV, through a server-side cursor.

    Raises:
        SourceError: The database cannot be reached, rejects the SQL, or drops the connection.
            A file of SQLite is cut off.
    """
    with connect(source.url) as connection:
        check_sqlite(connection)
        return spooled_query(connection, *bound(source, connection.dialect), to, disk)


def spooled_query(
    connection: Connection,
    sql: str,
    values: tuple[object, ...] | dict[str, object] | None,
    to: Path,
    disk: Disk = UNBOUNDED,
) -> Records:
    """Write the result of a SELECT as CSV; see `read_database`."""
    if connection.dialect.driver == "psycopg":
        read_odd_values_as_text(connection.connection.driver_connection)
    options = {
        "stream_results": True,
        "max_row_buffer": _FETCHED_ROWS,
        # Without binds, a % in the SQL is not a placeholder.
        "no_parameters": not values,
    }
    answer = connection.exec_driver_sql(sql, values, execution_options=options)
    with closing(answer) as result, _value_errors():
        columns, nan = tuple(result.keys()), set[int]()
        records = spool_rows(FROM, columns, _rows(result, nan), to, disk)
        written = {columns[place]: WITH_NAN for place in nan}
        return replace(records, written=written)


def read_odd_values_as_text(connection: Any) -> None:  # noqa: ANN401 - the driver's own
    """Let psycopg give what Python cannot hold, such as `infinity`, as PostgreSQL writes it.

    Intervals always, because a month of one has no fixed number of days.
    """
    from psycopg import DataError
    from psycopg.adapt import Buffer
    from psycopg.types import datetime as types
    from psycopg.types.string import TextLoader

    def or_text(loader: Any) -> type:  # noqa: ANN401 - five classes without a common name
        class OrText(loader):  # type: ignore[misc]
            def load(self, data: Buffer) -> object:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode()

        return OrText

    loaders = {
        "date": types.DateLoader,
        "time": types.TimeLoader,
        "timetz": types.TimetzLoader,
        "timestamp": types.TimestampLoader,
        "timestamptz": types.TimestamptzLoader,
    }
    for name, loader in loaders.items():
        connection.adapters.register_loader(name, or_text(loader))
    connection.adapters.register_loader("interval", TextLoader)


@contextmanager
def _value_errors() -> Iterator[None]:
    """Errors of a driver that cannot hold a value in Python's types."""
    try:
        yield
    except (ValueError, ArithmeticError) as error:
        raise SourceError(
            f"The database has a value that its driver cannot read: {first_line(error)}.",
            hint="Select dates, times and numbers like it as text: CAST(column AS text).",
        ) from error


def bound(
    source: DatabaseSource, dialect: Dialect
) -> tuple[str, tuple[object, ...] | dict[str, object] | None]:
    """The SQL with the driver's own placeholders, and the values to bind."""
    order: list[str] = []
    mark, is_named = _MARKS[dialect.paramstyle]

    def place(name: str) -> str:
        order.append(name)
        return mark.format(name=name, number=len(order))

    in_percent = mark.startswith("%")
    sql = rewrite_sql(
        source.sql, place, lambda text: text.replace("%", "%%") if in_percent else text
    )
    if not order:
        return source.sql, None
    values = {name: _value(source.params[name], dialect) for name in order}
    return sql, values if is_named else tuple(values[name] for name in order)


def _value(value: object, dialect: Dialect) -> object:
    """A param as the driver accepts it; SQLite stores dates as texts that sort."""
    if dialect.name != "sqlite" or not isinstance(value, date):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return value.isoformat()


_MARKS = {
    "qmark": ("?", False),
    "format": ("%s", False),
    "numeric": (":{number}", False),
    "numeric_dollar": ("${number}", False),
    "named": (":{name}", True),
    "pyformat": ("%({name})s", True),
}
"""Placeholders of the DB-API's styles, and whether values are bound by name."""


def _rows(result: CursorResult[Any], nan: set[int]) -> Iterator[list[str]]:
    """The rows as text; adds to `nan` the places of numbers that are none."""
    while rows := result.fetchmany(_FETCHED_ROWS):
        for row in rows:
            texts = list(map(text_of, row))
            if not _NOT_FINITE.isdisjoint(texts):
                nan.update(place for place, each in enumerate(row) if _is_nan(each))
            yield texts


def _is_nan(value: object) -> bool:
    return isinstance(value, float | Decimal) and not math.isfinite(value)


_NOT_FINITE = frozenset(NOT_FINITE)


def text_of(value: object) -> str:
    """A database value as text; NULL is blank, bytes are base64."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    return _other(value)


def _other(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return duration_text(value)
    return nested_json(value) if isinstance(value, dict | list | tuple) else str(value)


def nested_json(value: object) -> str:
    """A nested value as JSON; numbers keep their digits, and what JSON does not have is text."""
    if isinstance(value, dict):
        members = (f"{json.dumps(str(k))}: {nested_json(v)}" for k, v in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(nested_json, value))}]"
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if value is None or (isinstance(value, int | float | str) and not _is_nan(value)):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(text_of(value), ensure_ascii=False)
