"""Rows of a query to a SQL database, fetched in batches.

Knows how database values are written as text. Knows nothing of fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.job.binds import rewrite_sql
from runner.job.endpoints import DatabaseSource
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.csv import Records
from runner.tables.sources.spool import spool_rows
from runner.tables.sql_connection import connect

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Dialect

_FETCHED_ROWS = 2_000
_FROM = Path("database")
"""The name of the rows in messages."""


def read_database(source: DatabaseSource, to: Path, disk: Disk = UNBOUNDED) -> Records:
    """Write the result of a SELECT as CSV, through a server-side cursor.

    Raises:
        SourceError: The database cannot be reached, rejects the SQL, or drops the connection.
    """
    with connect(source.url) as connection:
        sql, values = bound(source, connection.dialect)
        options = {
            "stream_results": True,
            "max_row_buffer": _FETCHED_ROWS,
            # Without binds, a % in the SQL is not a placeholder.
            "no_parameters": not values,
        }
        answer = connection.exec_driver_sql(sql, values, execution_options=options)
        with closing(answer) as result:
            return spool_rows(_FROM, tuple(result.keys()), _rows(result), to, disk)


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


def _rows(result: CursorResult[Any]) -> Iterator[Iterator[str]]:
    while rows := result.fetchmany(_FETCHED_ROWS):
        for row in rows:
            yield map(text_of, row)


def text_of(value: object) -> str:
    """A database value as text; NULL is blank, bytes are base64."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
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
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
