"""A query's rows with the types that the org describes: a date is a date, a currency a decimal.

Knows how kinds map to SQL types without losing a digit: the org stores more decimals than it
describes, so a column is as wide as its widest value. Knows nothing of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from runner.csv_rows import csv_reader
from runner.errors import StateError
from runner.tables.database import Database
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces, with_rows
from runner.tables.sql import literal, name
from runner.tables.targets.rest_rows import QueryColumn

Result = TypeVar("Result")
MOST_DIGITS = 38
_FETCHED_ROWS = 2_000


class TooNarrowError(StateError):
    """A database has refused a number that its column has no room for."""


class TypedColumn(Struct, frozen=True):
    """A column of a target."""

    name: str
    kind: FieldKind
    precision: int = 0
    scale: int = 0

    @property
    def is_decimal(self) -> bool:
        """Whether it is a number that fits a decimal type."""
        return self.kind is FieldKind.NUMBER and 0 < self.precision <= MOST_DIGITS

    @property
    def is_described(self) -> bool:
        """Whether its type is known before any of its values."""
        return self.kind is not FieldKind.NUMBER or self.is_decimal


class TypedRows(Struct, frozen=True):
    """A query's rows on their way to a target."""

    database: Database
    """Converts values."""
    file: Path
    columns: tuple[TypedColumn, ...]


def column_names(rows: Path) -> list[str]:
    """Read the names of a query's columns."""
    with rows.open(encoding="utf-8", newline="") as stream:
        return next(csv_reader(stream), [])


def typed_columns(rows: Path, known: Sequence[QueryColumn] | None) -> tuple[TypedColumn, ...]:
    """The columns of the rows with their types; a column of which nothing is known is text."""
    return typed_names(column_names(rows), known)


def typed_names(
    names: Sequence[str], known: Sequence[QueryColumn] | None
) -> tuple[TypedColumn, ...]:
    """Columns of these names with their types."""
    described = {each.name.lower(): each for each in known or ()}
    return tuple(_typed(column, described.get(column.lower())) for column in names)


def _typed(column: str, known: QueryColumn | None) -> TypedColumn:
    if known is None or known.kind is None:
        return TypedColumn(column, FieldKind.TEXT)
    return TypedColumn(column, known.kind, known.precision, known.scale)


def with_query_rows(rows: Path, use: Callable[[str], Result]) -> Result:
    """Call `use` with the relation of a query's rows; every column is text, and blank is NULL."""
    return with_rows(rows, column_names(rows), use)


def widen(
    database: Database, rows: Path, columns: Sequence[TypedColumn]
) -> tuple[TypedColumn, ...]:
    """Make every number column as wide as its widest value."""
    database.make_room(len(columns))
    numbers = [each for each in columns if each.kind is FieldKind.NUMBER]
    if not numbers:
        return tuple(columns)
    widths = _widths(database, rows, {each.name: name(each.name) for each in numbers})
    # Only few numbers have an exponent, and what writes them without takes long to plan.
    plain = {column: _plain(name(column)) for column, found in widths.items() if found[2]}
    if plain:
        widths |= _widths(database, rows, plain)
    wider = {each.name: _widen_column(each, *widths[each.name][:2]) for each in numbers}
    return tuple(wider.get(each.name, each) for each in columns)


def _widths(
    database: Database, rows: Path, cells: Mapping[str, str]
) -> dict[str, tuple[int, int, bool]]:
    """Most digits of columns, before and after the point, and whether there is an exponent."""
    widths = ", ".join(
        f"max(strlen(ltrim(split_part({cell}, '.', 1), '-'))),"
        f" max(strlen(rtrim(split_part({cell}, '.', 2), '0'))),"
        f" bool_or(contains(upper({cell}), 'E'))"
        for cell in cells.values()
    )
    found = with_query_rows(
        rows, lambda read: database.connection.execute(f"SELECT {widths} FROM {read}").fetchall()
    )[0]
    each = zip(cells, found[::3], found[1::3], found[2::3], strict=True)
    return {column: (whole or 1, part or 0, bool(has)) for column, whole, part, has in each}


def _widen_column(column: TypedColumn, whole: int, decimals: int) -> TypedColumn:
    scale = max(column.scale, decimals)
    precision = max(whole, column.precision - column.scale) + scale
    if precision > MOST_DIGITS:
        precision, scale = whole + decimals, decimals
    return TypedColumn(column.name, column.kind, precision, scale)


def as_described(
    database: Database,
    rows: Path,
    known: Sequence[QueryColumn] | None,
    write: Callable[[tuple[TypedColumn, ...]], None],
) -> None:
    """Call `write` with the columns as described, and as wide as the rows need if one is not.

    Args:
        database: Converts the values.
        rows: All rows.
        known: The described columns.
        write: Writes everything, or nothing if it ends with an error of `typed_cell` or a
            TooNarrowError.
    """
    columns = typed_columns(rows, known)
    database.make_room(len(columns))
    if not all(each.is_described for each in columns):
        columns = widen(database, rows, columns)
    try:
        write(columns)
    except Exception as error:
        if not _is_too_narrow(error):
            raise
        write(widen(database, rows, columns))


def _is_too_narrow(error: Exception) -> bool:
    """Whether a value does not fit; DuckDB is imported only if there is an error."""
    if isinstance(error, TooNarrowError):
        return True
    from runner.tables import duckdb

    return isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException)


def typed_cell(column: TypedColumn) -> str:
    """Write the SQL that gives a cell its type; a value that does not fit is an error."""
    cell = name(column.name)
    if column.kind is FieldKind.NUMBER:
        return _decimal(column, cell) if column.is_decimal else cell
    if column.kind is FieldKind.TIME:
        return f"CAST(rtrim({cell}, 'Z') AS TIME)"
    wanted = _TYPES.get(column.kind)
    return f"CAST({cell} AS {wanted})" if wanted else cell


def _decimal(column: TypedColumn, cell: str) -> str:
    wanted = f"DECIMAL({column.precision}, {column.scale})"
    plain = _plain(cell)
    # Most numbers are of the first form, and nearly all of the second, which take less time.
    same = f"CAST(TRY_CAST({cell} AS {wanted}) AS VARCHAR) = {cell}"
    short = (
        f"instr(upper({cell}), 'E') = 0"
        f" AND (instr({cell}, '.') = 0 OR strlen({cell}) - instr({cell}, '.') <= {column.scale})"
    )
    fits = f"strlen(rtrim(split_part({plain}, '.', 2), '0')) <= {column.scale}"
    return (
        f"CASE WHEN {same} OR ({short}) THEN CAST({cell} AS {wanted})"
        f" WHEN {cell} IS NULL OR {fits} THEN CAST({plain} AS {wanted})"
        f" ELSE CAST(error({literal(_TOO_NARROW)}) AS {wanted}) END"
    )


def _plain(cell: str) -> str:
    """Write the SQL of a number without an exponent; a sum may have more digits than any field."""
    return f"CASE WHEN contains(upper({cell}), 'E') THEN plain_number({cell}) ELSE {cell} END"


_TOO_NARROW = "more decimals than the column has"
_TYPES = {
    FieldKind.BOOLEAN: "BOOLEAN",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.DATE: "DATE",
    FieldKind.DATETIME: "TIMESTAMP WITH TIME ZONE",
}


@contextmanager
def typed_table(
    rows: Path, known: Sequence[QueryColumn] | None
) -> Iterator[tuple[Database, tuple[TypedColumn, ...]]]:
    """Open a database for a query's rows; the columns are as wide as the rows need."""
    from runner.tables.staging.canonical_values import open_database

    database = open_database(rows.parent)
    try:
        yield database, widen(database, rows, typed_columns(rows, known))
    finally:
        database.close()


@contextmanager
def typed_rows(
    rows: Path, known: Sequence[QueryColumn] | None
) -> Iterator[tuple[tuple[TypedColumn, ...], Iterator[list[tuple[Any, ...]]]]]:
    """Read the columns, and the rows as batches of Python values; datetimes are naive UTC."""
    with typed_table(rows, known) as (database, columns), pieces(rows) as files:
        cells = [python_cell(each) for each in columns]
        names = column_names(rows)
        yield (
            columns,
            (batch for file in files for batch in fetched(database, file, names, cells)),
        )


def python_cell(column: TypedColumn) -> str:
    """Write the SQL that gives a cell as Python's own type; a datetime is naive UTC."""
    cell = typed_cell(column)
    return f"timezone('UTC', {cell})" if column.kind is FieldKind.DATETIME else cell


def fetched(
    database: Database, piece: Path, names: Sequence[str], cells: Sequence[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """Fetch the cells of a piece's rows as batches of tuples."""
    wanted = ", ".join(f"{cell} AS c{at}" for at, cell in enumerate(cells)) or "NULL"

    def read(rows: str) -> None:
        database.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE piece AS SELECT {wanted} FROM {rows}"
        )

    with_rows(piece, names, read, header=False)
    database.connection.execute("FROM piece")
    while found := database.connection.fetchmany(_FETCHED_ROWS):
        yield found
