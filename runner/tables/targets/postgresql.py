"""Writes a query's rows to a table of PostgreSQL by COPY.

In Bulk's form, each value is what PostgreSQL reads for its type, so that the rows are sent as they
are. Knows psycopg, and how a table is replaced; one that is kept is changed by `table_steps`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import takewhile
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Self

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.lanes import result_of
from runner.tables.database import first_line, storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.psycopg_connection import connect_psycopg
from runner.tables.sources.chunks import file_blocks
from runner.tables.sources.csv_pieces import (
    scratch_beside,
    whole_records,
    with_rows,
    without_header,
    write_piece,
)
from runner.tables.sql import name
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import (
    TooNarrowError,
    TypedColumn,
    TypedRows,
    as_described,
    typed_cell,
)
from runner.tables.targets.rest_rows import QueryColumn

if TYPE_CHECKING:
    from concurrent.futures import Future

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
    with closing(open_database(rows.parent)) as database:

        def write(columns: tuple[TypedColumn, ...]) -> None:
            with connect_psycopg(target.url, StateError) as link:
                new = create_beside(link, target, columns)
                names = [each.name for each in columns]
                copy(link, new, names, TypedRows(database, rows, columns))
                put_in_place(link, target, new, state)

        with storage_errors(f"Table {target.table} cannot be written"):
            as_described(database, rows, known, write)


def create_beside(
    link: psycopg.Connection, target: DatabaseTarget, columns: Sequence[TypedColumn]
) -> str:
    """Create a table beside the target that only this transaction sees; returns its quoted name.

    The target can be read until `put_in_place`.
    """
    schema, _, _ = target.table.rpartition(".")
    new = _quoted(schema, f"sfrunner_new_{token_hex(8)}")
    cells = ", ".join(f"{name(each.name)} {_type_of(each)}" for each in columns)
    link.execute(f"CREATE TABLE {new} ({cells})".encode())
    return new


def put_in_place(
    link: psycopg.Connection, target: DatabaseTarget, new: str, state: TargetState | None
) -> None:
    """Put a table from `create_beside` in the place of the target, and commit."""
    schema, _, bare = target.table.rpartition(".")
    link.execute(f"DROP TABLE IF EXISTS {_quoted(schema, bare)}".encode())
    link.execute(f"ALTER TABLE {new} RENAME TO {name(bare)}".encode())
    if state is not None:
        from runner.tables.targets.target_state import TAKE_TURNS

        for each in (TAKE_TURNS, *state.statements(target.table)):
            link.execute(each.encode())
    link.commit()


def _quoted(schema: str, table: str) -> str:
    return ".".join(name(each) for each in (schema, table) if each)


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


def copy(
    link: psycopg.Connection,
    table: str,
    columns: Sequence[str],
    rows: TypedRows,
    read: Callable[[], Iterator[bytes]] | None = None,
) -> None:
    """Send all rows, in the transaction of the link.

    PostgreSQL rounds a number with more decimals than its column has, so that numbers are looked at
    here. One with more digits before the point it refuses.

    Args:
        link: Knows the table.
        table: Its name, in quotes.
        columns: Its columns, in the order of the rows' own.
        rows: What is sent.
        read: Reads the file from its beginning, in blocks; may be called once more while the first
            reading goes on. By default the file of the rows is read.

    Raises:
        TooNarrowError: It has refused a number.
    """
    import psycopg

    read = read or partial(file_blocks, rows.file)
    listed = ", ".join(map(name, columns))
    options = f"FORMAT csv, ENCODING 'UTF8', FORCE_NULL ({listed})"
    statement = f"COPY {table} ({listed}) FROM STDIN ({options})"
    with _Numbers(rows, read) as numbers:
        try:
            with link.cursor().copy(statement.encode()) as stream:
                for block in without_header(read()):
                    stream.write(block)
                    numbers.look(block)
            numbers.check()
        except psycopg.errors.NumericValueOutOfRange as error:
            raise TooNarrowError(f"The database rejected this: {first_line(error)}.") from error


class _Numbers:
    """Looks for numbers that PostgreSQL would round, while rows are being sent."""

    def __init__(self, rows: TypedRows, read: Callable[[], Iterator[bytes]]) -> None:
        self._rows = rows
        self._read = read
        self._columns = [each for each in rows.columns if each.is_decimal]
        self._is_seen_in = seen_too_long(self._columns)
        self._last = b""
        self._clear = 0
        """Bytes of the rows in which there is no such number."""
        self._is_over = False
        self._checked: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._checked is not None:
            self._is_over = True
            with suppress(Exception):  # what is not asked for does not matter
                self._checked.result()

    def look(self, block: bytes) -> None:
        """Look at what is sent, wherever it has been cut.

        Once there may be such a number, the rows are parsed on a thread: the server is slower.

        Raises:
            Exception: DuckDB's, of `typed_cell`.
        """
        if self._checked is not None:
            if self._checked.done():
                self._checked.result()
            return
        seam = self._last + block[:_LONGEST_NUMBER]
        self._last = (seam if len(block) < _LONGEST_NUMBER else block)[-_LONGEST_NUMBER:]
        if self._is_seen_in(block) or self._is_seen_in(seam):
            from concurrent.futures import ThreadPoolExecutor

            pool = ThreadPoolExecutor(1, "numbers")
            self._checked = pool.submit(self._parse)
            pool.shutdown(wait=False)
        else:
            self._clear += len(block)

    def check(self) -> None:
        """Wait until all that has to be parsed has been; nothing more is sent.

        Raises:
            Exception: DuckDB's, of `typed_cell`.
        """
        self.look(b"\n")
        if self._checked is not None:
            result_of(self._checked)

    def _parse(self) -> None:
        names = [each.name for each in self._rows.columns]
        looked_at = ", ".join(f"max({typed_cell(each)})" for each in self._columns)
        end = 0
        with scratch_beside(self._rows.file) as scratch, self._rows.database.cursor() as cursor:
            for content in takewhile(
                lambda _: not self._is_over, whole_records(without_header(self._read()))
            ):
                end += len(content)
                may_have_one = end > self._clear - _LONGEST_NUMBER
                if may_have_one and self._is_seen_in(content + b"\n"):
                    piece = write_piece(scratch / "piece.csv", content)
                    with_rows(
                        piece,
                        names,
                        lambda read: cursor.execute(f"SELECT {looked_at} FROM {read}"),
                        header=False,
                    )


_LONGEST_NUMBER = 100
"""Bytes around a cut that are looked at once more."""


def seen_too_long(columns: Sequence[TypedColumn]) -> Callable[[bytes], bool]:
    """How to see whether CSV may have a number with more decimals than one of these columns.

    It looks for their text anywhere, without taking rows apart: a text that ends as such a number
    is taken for one. A number is only seen with the sign after it.
    """
    if not columns:
        return lambda _content: False
    decimals = min(each.scale for each in columns)
    # Each begins with the one sign that it is looked for by, which is fast.
    long = re.compile(rb'\.\d*+(?:[eE]|(?<=\d{%d})[",\r\n])' % (decimals + 1))
    small = re.compile(rb"-(?<=\d[eE]-)")

    def look(content: bytes) -> bool:
        return small.search(content) is not None or long.search(content) is not None

    return look
