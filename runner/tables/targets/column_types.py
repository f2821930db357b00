"""A query's rows with the types that the org describes: a date is a date, a currency a decimal.

Knows how kinds map to SQL types without losing a digit: the org stores more decimals than it
describes, so a column is as wide as its widest value. Knows nothing of targets.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runner.tables.database import Database
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import pieces, with_rows
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import MACROS, canonical
from runner.tables.targets.rest_rows import QueryColumn

Result = TypeVar("Result")
MOST_DIGITS = 38
_FETCHED_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column of a target."""

    name: str
    kind: FieldKind
    precision: int = 0
    scale: int = 0

    @property
    def is_decimal(self) -> bool:
        """Whether it is a number that fits a decimal type."""
        return self.kind is FieldKind.NUMBER and 0 < self.precision <= MOST_DIGITS


def column_names(rows: Path) -> list[str]:
    """Read the names of a query's columns."""
    with rows.open(encoding="utf-8", newline="") as stream:
        return next(csv.reader(stream), [])


def typed_columns(rows: Path, known: Sequence[QueryColumn] | None) -> tuple[TypedColumn, ...]:
    """The columns of the rows with their types; a column of which nothing is known is text."""
    described = {each.name.lower(): each for each in known or ()}
    return tuple(_typed(column, described.get(column.lower())) for column in column_names(rows))


def _typed(column: str, known: QueryColumn | None) -> TypedColumn:
    if known is None or known.kind is None:
        return TypedColumn(column, FieldKind.TEXT)
    return TypedColumn(column, known.kind, known.precision, known.scale)


def with_query_rows(rows: Path, use: Callable[[str], Result]) -> Result:
    """Call `use` with the relation of a query's rows; every column is text, and blank is NULL."""
    return with_rows(rows, column_names(rows), use)


def open_database(folder: Path) -> Database:
    """Open a database with the macros that convert values."""
    database = Database(folder)
    for macro in MACROS:
        database.connection.execute(macro)
    return database


def widen(
    database: Database, rows: Path, columns: Sequence[TypedColumn]
) -> tuple[TypedColumn, ...]:
    """Make every number column as wide as its widest value."""
    numbers = [each for each in columns if each.kind is FieldKind.NUMBER]
    if not numbers:
        return tuple(columns)
    cells = [canonical(FieldKind.NUMBER, name(each.name)) for each in numbers]
    widths = ", ".join(
        f"max(strlen(ltrim(split_part({cell}, '.', 1), '-'))),"
        f" max(strlen(rtrim(split_part({cell}, '.', 2), '0')))"
        for cell in cells
    )
    found = with_query_rows(
        rows, lambda read: database.connection.execute(f"SELECT {widths} FROM {read}").fetchall()
    )[0]
    wider = {
        each.name: _widen_column(each, found[2 * at] or 1, found[2 * at + 1] or 0)
        for at, each in enumerate(numbers)
    }
    return tuple(wider.get(each.name, each) for each in columns)


def _widen_column(column: TypedColumn, whole: int, decimals: int) -> TypedColumn:
    scale = max(column.scale, decimals)
    precision = max(whole, column.precision - column.scale) + scale
    if precision > MOST_DIGITS:
        precision, scale = whole + decimals, decimals
    return TypedColumn(column.name, column.kind, precision, scale)


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
    plain = f"CASE WHEN contains(upper({cell}), 'E') THEN plain_number({cell}) ELSE {cell} END"
    fits = f"strlen(rtrim(split_part({plain}, '.', 2), '0')) <= {column.scale}"
    return (
        f"CASE WHEN {cell} IS NULL OR {fits} THEN CAST({plain} AS {wanted})"
        f" ELSE CAST(error({literal(_TOO_NARROW)}) AS {wanted}) END"
    )


_TOO_NARROW = "more decimals than the column has"
_TYPES = {
    FieldKind.BOOLEAN: "BOOLEAN",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.DATE: "DATE",
    FieldKind.DATETIME: "TIMESTAMP WITH TIME ZONE",
}


@contextmanager
def typed_rows(
    rows: Path, known: Sequence[QueryColumn] | None
) -> Iterator[tuple[tuple[TypedColumn, ...], Iterator[list[tuple[Any, ...]]]]]:
    """Read the columns, and the rows as batches of Python values; datetimes are naive UTC."""
    database = open_database(rows.parent)
    try:
        columns = widen(database, rows, typed_columns(rows, known))
        cells = (
            ", ".join(f"{_python_cell(each)} AS c{at}" for at, each in enumerate(columns)) or "NULL"
        )
        with pieces(rows) as found:
            yield columns, _batches(database, found, column_names(rows), cells)
    finally:
        database.close()


def _python_cell(column: TypedColumn) -> str:
    cell = typed_cell(column)
    return f"timezone('UTC', {cell})" if column.kind is FieldKind.DATETIME else cell


def _batches(
    database: Database, files: Iterable[Path], names: Sequence[str], cells: str
) -> Iterator[list[tuple[Any, ...]]]:
    connection = database.connection

    def read(rows: str) -> None:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE piece AS SELECT {cells} FROM {rows}")

    for file in files:
        with_rows(file, names, read, header=False)
        connection.execute("FROM piece")
        while found := connection.fetchmany(_FETCHED_ROWS):
            yield found
