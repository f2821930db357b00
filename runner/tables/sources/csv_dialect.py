"""A piece of a source's records as a relation of DuckDB's, and what its errors mean.

Knows SQL and records. Knows nothing of what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import SourceError, StorageError
from runner.job.endpoints import FileShape
from runner.tables.csv_sql import read_csv
from runner.tables.database import first_line
from runner.tables.sources.chunks import UncutError
from runner.tables.sources.csv import PLAIN_CSV, Records
from runner.tables.sql import name


@dataclass(frozen=True, slots=True)
class Reading:
    """How records in a file of their own are spelled."""

    columns: tuple[str, ...]
    """In the order of the file."""
    delimiter: str
    quote: str
    line_end: str
    ragged: bool
    """Rows may end early: what is missing is blank."""
    longest_row_bytes: int
    """No row has more."""

    @classmethod
    def of(
        cls,
        shape: FileShape,
        columns: tuple[str, ...],
        *,
        longest_row_bytes: int,
        line_end: str = "\n",
        ragged: bool = False,
    ) -> Reading:
        """Take what matters of a file's shape."""
        spelled = (shape.delimiter, shape.quote, line_end)
        return cls(columns, *spelled, ragged=ragged, longest_row_bytes=longest_row_bytes)

    @classmethod
    def of_records(cls, records: Records, piece: bytes) -> Reading:
        """How a piece of a source's records is spelled."""
        return cls.of(
            records.shape,
            records.columns,
            longest_row_bytes=len(piece),
            line_end=records.line_end,
            ragged=records.ragged,
        )


def relation_of(reading: Reading, columns: Sequence[str], text: Path) -> str:
    """Write the relation of records in a file, in their order, blank being NULL.

    Args:
        reading: How they are spelled.
        columns: The records' columns, in the order wanted.
        text: The file.
    """
    own = reading.columns
    is_lone = len(own) == 1 and not reading.ragged
    read = read_csv(
        text,
        own,
        replace(PLAIN_CSV, delimiter=reading.delimiter, quote=reading.quote),
        longest_row_bytes=reading.longest_row_bytes,
        line_end=reading.line_end,
        ragged=reading.ragged,
        tell_blank=is_lone,
    )
    if is_lone:
        # Of one column, an empty line is no row, and two quotes are a row of a blank.
        cell = name(own[0])
        return f"(SELECT nullif({cell}, '') AS {cell} FROM {read} WHERE {cell} IS NOT NULL)"
    if own != tuple(columns):
        return f"(SELECT {', '.join(map(name, columns))} FROM {read})"
    return read


def load_error(path: Path, error: Exception) -> SourceError | StorageError:
    """Say what it means that records cannot be read, or cannot be kept."""
    import duckdb

    if isinstance(error, UncutError):
        return SourceError(
            f"{path}: a value that begins with a quote is never closed.",
            hint="A quote inside a quoted value is written twice.",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException)):
        return StorageError(
            f"{path}: its rows cannot be kept: {first_line(error)}.",
            hint="Check that the disk of the state folder has room; then `runner resume`.",
        )
    return SourceError(f"{path}: {first_line(error)}.")
