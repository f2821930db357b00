"""Writes a query's rows to a table of PostgreSQL by COPY.

In Bulk's form, each value is what PostgreSQL reads for its type, so that the rows are sent as they
are. Knows psycopg. Knows nothing of how the table is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from runner.parallel import parallel_map
from runner.tables.sources.csv_pieces import contents, scratch_beside, with_rows, write_piece
from runner.tables.sql_connection import driver_errors
from runner.tables.targets.column_types import (
    TooNarrowError,
    TypedColumn,
    TypedRows,
    column_names,
    typed_cell,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def copy(link: Connection, table: Table, rows: TypedRows) -> None:
    """Send all rows, in the transaction of the link.

    PostgreSQL rounds a number with more decimals than its column has, so that numbers are looked at
    here. One with more digits before the point it refuses.

    Raises:
        TooNarrowError: It has refused a number.
    """
    quote = link.dialect.identifier_preparer
    listed = ", ".join(quote.quote_identifier(each.name) for each in table.columns)
    options = f"FORMAT csv, ENCODING 'UTF8', FORCE_NULL ({listed})"
    statement = f"COPY {quote.format_table(table)} ({listed}) FROM STDIN ({options})"
    numbers = [each for each in rows.columns if each.is_decimal]
    may_be_rounded = seen_too_long(numbers)
    looked_at = ", ".join(f"max({typed_cell(each)})" for each in numbers)
    names = column_names(rows.file)
    driver = link.dialect.loaded_dbapi
    raw: Any = link.connection.dbapi_connection
    with scratch_beside(rows.file) as scratch:

        def checked(content: bytes) -> bytes:
            if may_be_rounded(content):
                piece = write_piece(scratch / "piece.csv", content)
                with rows.database.cursor() as cursor:
                    query = f"SELECT {looked_at} FROM"
                    with_rows(
                        piece, names, lambda read: cursor.execute(f"{query} {read}"), header=False
                    )
            return content

        with (
            # On a thread of its own: the server reads what is sent more slowly.
            closing(parallel_map(checked, contents(rows.file), threads=1)) as right,  # type: ignore[type-var]
            driver_errors(statement, driver),
        ):
            try:
                with raw.cursor().copy(statement) as stream:
                    for content in right:
                        stream.write(content)
            except driver.errors.NumericValueOutOfRange as error:
                raise TooNarrowError(f"The database rejected this: {error}") from error


def seen_too_long(columns: Sequence[TypedColumn]) -> Callable[[bytes], bool]:
    """How to see whether CSV may have a number with more decimals than one of these columns.

    It looks for their text anywhere, without taking rows apart: a text that ends as such a number
    is taken for one.
    """
    if not columns:
        return lambda _content: False
    decimals = min(each.scale for each in columns)
    long = re.compile(rb'\.(?:\d{%d,}(?:[",\r\n]|\Z)|\d*[eE])' % (decimals + 1))
    small = re.compile(rb"\d[eE]-")

    def look(content: bytes) -> bool:
        # Hardly any text has the latter, and to find that out is fast.
        has_small = (b"e-" in content or b"E-" in content) and small.search(content)
        return bool(has_small) or long.search(content) is not None

    return look
