"""The table of staged rows, which each chunk has in turn: made, counted and written to files.

Knows SQL. Knows nothing of how rows are mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.tables.sql import copy_csv, quote_leading_mark

if TYPE_CHECKING:
    from runner.tables import duckdb
    from runner.tables.staging.mapping import ColumnMapping


class Counted(Struct, frozen=True):
    """What is in the table of staged rows."""

    rows: int
    rejected: int = 0
    truncated: int = 0
    has_blank: bool = False
    """Some rows have no value, so they are no rows."""


def make_staged(cursor: duckdb.DuckDBPyConnection, query: str) -> Counted:
    """Make the table of staged rows, given the SELECT of them."""
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {query}")
    cut = "coalesce(sum(cut) FILTER (problem IS NULL), 0)"
    counted = f"SELECT count(*), count(problem), {cut}, bool_or(is_blank) FROM staged"
    rows, rejected, truncated, has_blank = cursor.execute(counted).fetchall()[0]
    return Counted(rows, rejected, int(truncated), bool(has_blank))


def make_filled(
    cursor: duckdb.DuckDBPyConnection, query: str, cells: Sequence[str], *, cuts: bool
) -> Counted:
    """Make the table of staged rows with some cells only; it is known that no row is blank.

    Args:
        cursor: Where to make it.
        query: The SELECT of the rows.
        cells: The names of those cells.
        cuts: Whether values may be cut.
    """
    wanted = ", ".join([*cells, "problem", *(["cut"] if cuts else [])])
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {wanted} FROM ({query})")
    cut = "coalesce(sum(cut), 0)" if cuts else "0"
    counted = f"SELECT count(*), count(problem), {cut} FROM staged"
    rows, rejected, truncated = cursor.execute(counted).fetchall()[0]
    return Counted(rows, rejected, int(truncated))


def write_cells(
    cursor: duckdb.DuckDBPyConnection,
    mappings: Sequence[ColumnMapping],
    file: Path,
    rows: str = "staged",
) -> None:
    """Write cells of rows as plain CSV."""
    cells = ", ".join(mapping.cell for mapping in mappings)
    cursor.execute(copy_csv(f"SELECT {cells} FROM {rows}", file, header=False))


def write_sent(
    cursor: duckdb.DuckDBPyConnection, mappings: Sequence[ColumnMapping], file: Path, rows: str
) -> None:
    """Write the rows to send."""
    write_cells(cursor, mappings, file, rows)
    quote_leading_mark(file)
