"""A slab of a source's records as a relation of DuckDB's, and what its errors mean.

Knows SQL and records. Knows nothing of what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from runner.errors import SourceError, StateError
from runner.tables.csv_sql import read_csv
from runner.tables.database import first_line
from runner.tables.lines import UncutError
from runner.tables.source import Records
from runner.tables.sql import name


def relation_of(
    records: Records, columns: Sequence[str], text: Path, longest_row_bytes: int
) -> str:
    """Write the relation of one slab, blank being NULL.

    Args:
        records: Where the slab is from.
        columns: The records' columns, in the order wanted.
        text: The file that the slab is in.
        longest_row_bytes: No row has more.
    """
    own = records.columns
    is_lone = len(own) == 1 and not records.ragged
    read = read_csv(
        text,
        own,
        records.shape,
        longest_row_bytes=longest_row_bytes,
        line_end=records.line_end,
        ragged=records.ragged,
        tell_blank=is_lone,
    )
    if is_lone:
        # Of one column, an empty line is no row, and two quotes are a row of a blank.
        cell = name(own[0])
        return f"(SELECT nullif({cell}, '') AS {cell} FROM {read} WHERE {cell} IS NOT NULL)"
    if own != tuple(columns):
        return f"(SELECT {', '.join(map(name, columns))} FROM {read})"
    return read


def load_error(path: Path, error: Exception) -> SourceError | StateError:
    """Say what it means that records cannot be read, or cannot be kept."""
    if isinstance(error, UncutError):
        return SourceError(
            f"{path}: a value that begins with a quote is never closed.",
            hint="A quote inside a quoted value is written twice.",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException)):
        return StateError(
            f"{path}: its rows cannot be kept: {first_line(error)}.",
            hint="Check that the disk of the state folder has room.",
        )
    return SourceError(f"{path}: {first_line(error)}.")
