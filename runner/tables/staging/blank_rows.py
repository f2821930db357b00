"""Leaves out rows that have no value: they are no rows.

Knows chunks. Knows nothing of how rows are mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner.tables.sql import (
    CsvDialect,
    all_blank,
    copy_csv,
    name,
    quote_leading_mark,
    read_records,
)
from runner.tables.staging.chunk import RowChunk

if TYPE_CHECKING:
    from runner.tables import duckdb


def without_blank_rows(
    cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, columns: Sequence[str]
) -> RowChunk:
    """Write a chunk's rows as read again, without those that have no value."""
    read = read_records(chunk.read_file, chunk.dialect, columns)
    file = chunk.stem.with_suffix(".filled.csv")
    filled = f"FROM {read} WHERE NOT {all_blank([name(each) for each in columns])}"
    rows = cursor.execute(f"SELECT count(*) FROM {read}").fetchall()[0][0]
    left = cursor.execute(copy_csv(filled, file, header=False)).fetchall()[0][0]
    quote_leading_mark(file)
    file.replace(chunk.read_file)
    dialect = CsvDialect(tuple(columns), chunk.read_file.stat().st_size)
    return replace(chunk, dialect=dialect, blank=rows - left)
