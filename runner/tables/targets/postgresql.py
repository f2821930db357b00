"""Writes a query's rows to a table of PostgreSQL by COPY.

In Bulk's form, each value is what PostgreSQL reads for its type, so that the rows are sent as they
are. Knows psycopg, and how a table is replaced; one that is kept is changed by `table_steps`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.parallel import parallel_map
from runner.tables.database import storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.psycopg_connection import connect_psycopg
from runner.tables.sources.csv_pieces import contents, scratch_beside, with_rows, write_piece
from runner.tables.sql import name
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import (
    TooNarrowError,
    TypedColumn,
    TypedRows,
    as_described,
    column_names,
    typed_cell,
)
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    import psycopg

    from runner.tables.targets.target_state import TargetState


def replace_table(
    rows: Path,
    target: DatabaseTarget,
    known: Sequence[QueryColumn] | None,
    state: TargetState | None,
) -> None:
    """Replace a table by a query's rows; its URL is one that `psycopg_connection` knows.

    DuckDB is only started if a number may have more digits than its column.

    Raises:
        StateError: The database cannot be reached, or rejects the table or a row.
    """
    schema, _, bare = target.table.rpartition(".")
    table = ".".join(name(each) for each in (schema, bare) if each)
    with closing(open_database(rows.parent)) as database:

        def write(columns: tuple[TypedColumn, ...]) -> None:
            cells = ", ".join(f"{name(each.name)} {_type_of(each)}" for each in columns)
            with connect_psycopg(target.url, StateError) as link:
                link.execute(f"DROP TABLE IF EXISTS {table}".encode())
                link.execute(f"CREATE TABLE {table} ({cells})".encode())
                names = [each.name for each in columns]
                copy(link, table, names, TypedRows(database, rows, columns))
                for each in state.statements(target.table) if state is not None else ():
                    link.execute(each.encode())
                link.commit()

        with storage_errors(f"Table {target.table} cannot be written"):
            as_described(database, rows, known, write)


def _type_of(column: TypedColumn) -> str:
    if column.is_decimal:
        return f"NUMERIC({column.precision}, {column.scale})"
    return _TYPES.get(column.kind, "TEXT")


_TYPES = {
    FieldKind.BOOLEAN: "BOOLEAN",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.DATE: "DATE",
    FieldKind.DATETIME: "TIMESTAMP WITH TIME ZONE",
    FieldKind.TIME: "TIME",
}


def copy(link: psycopg.Connection, table: str, columns: Sequence[str], rows: TypedRows) -> None:
    """Send all rows, in the transaction of the link.

    PostgreSQL rounds a number with more decimals than its column has, so that numbers are looked at
    here. One with more digits before the point it refuses.

    Args:
        link: Knows the table.
        table: Its name, in quotes.
        columns: Its columns, in the order of the rows' own.
        rows: What is sent.

    Raises:
        TooNarrowError: It has refused a number.
    """
    import psycopg

    listed = ", ".join(map(name, columns))
    options = f"FORMAT csv, ENCODING 'UTF8', FORCE_NULL ({listed})"
    statement = f"COPY {table} ({listed}) FROM STDIN ({options})"
    numbers = [each for each in rows.columns if each.is_decimal]
    may_be_rounded = seen_too_long(numbers)
    looked_at = ", ".join(f"max({typed_cell(each)})" for each in numbers)
    names = column_names(rows.file)
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

        # On a thread of its own: the server reads what is sent more slowly.
        with closing(parallel_map(checked, contents(rows.file), threads=1)) as right:  # type: ignore[type-var]
            try:
                with link.cursor().copy(statement.encode()) as stream:
                    for content in right:
                        stream.write(content)
            except psycopg.errors.NumericValueOutOfRange as error:
                raise TooNarrowError(f"The database rejected this: {error}") from error


def seen_too_long(columns: Sequence[TypedColumn]) -> Callable[[bytes], bool]:
    """How to see whether CSV may have a number with more decimals than one of these columns.

    It looks for their text anywhere, without taking rows apart: a text that ends as such a number
    is taken for one.
    """
    if not columns:
        return lambda _content: False
    decimals = min(each.scale for each in columns)
    # Each begins with the one sign that it is looked for by, which is fast.
    long = re.compile(rb'\.\d*+(?:[eE]|(?<=\d{%d})(?:[",\r\n]|\Z))' % (decimals + 1))
    small = re.compile(rb"-(?<=\d[eE]-)")

    def look(content: bytes) -> bool:
        return small.search(content) is not None or long.search(content) is not None

    return look
