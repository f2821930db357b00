"""Maps the rows of one chunk: into a file of rows to send, and one of rows that cannot be sent.

Several threads may do so at once, each with its chunk. Knows chunks and mappings. Knows nothing of
the rest of the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.files import unwritable
from runner.job.model import Blank
from runner.tables.database import Database
from runner.tables.sql import (
    CsvDialect,
    all_blank,
    copy_csv,
    name,
    quote_leading_mark,
    read_records,
    without_mark,
)
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.mapping import ColumnMapping, Pass, staging_query

if TYPE_CHECKING:
    from runner.tables import duckdb


class _Counted(Struct, frozen=True):
    """What is in the table of staged rows."""

    rows: int
    rejected: int
    truncated: int
    has_blank: bool
    """Some rows have no value, so they are no rows."""


class ChunkMapper(Struct):
    """Maps chunks of the same source in the same way."""

    database: Database
    """Has what the mappings need."""
    folder: Path
    """Where the files of chunks are."""
    columns: tuple[str, ...]
    """The source's."""
    mappings: Sequence[ColumnMapping]
    """How each cell to send is computed."""
    blank: Blank
    """What an empty value does to its field."""
    key_hash: str | None
    """SQL of the hash of a row's key; None if rows have no key."""
    _explains: bool = False

    def map(self, index: int, dialect: CsvDialect, content: bytes) -> RowChunk:
        """Write the files of a chunk, whose number in the source is for the caller to set.

        Raises:
            StateError: They cannot be written.
        """
        stem = self.folder / f"chunk-{index}"
        chunk = RowChunk(stem, dialect, width=len(self.mappings))
        goal = Pass(b"\0" in content, b"\r" in content, explains=False)
        try:
            chunk.read_file.write_bytes(without_mark(content))
            with self.database.cursor() as cursor:
                counted = self._stage(cursor, chunk, goal)
                if counted.has_blank:
                    chunk = self._without_blank_rows(cursor, chunk)
                    counted = self._stage(cursor, chunk, goal)
                self._write(cursor, chunk, index, counted)
            sent_bytes = chunk.sent_file.stat().st_size
        except OSError as error:
            raise unwritable(stem, error) from error
        return replace(
            chunk,
            rows=counted.rows,
            rejected=counted.rejected,
            truncated=counted.truncated,
            sent_bytes=sent_bytes,
        )

    def _stage(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass) -> _Counted:
        """Make the table of staged rows.

        Whether a row has a problem is found faster than which one it is, and most chunks have none.
        """
        counted = self._make(cursor, chunk, replace(goal, explains=self._explains))
        if counted.rejected and not (self._explains or counted.has_blank):
            counted = self._make(cursor, chunk, replace(goal, explains=True))
            self._explains = counted.rejected > 0  # where one row does not fit, others follow
        return counted

    def _make(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass) -> _Counted:
        read = read_records(chunk.read_file, chunk.dialect, self.columns)
        query = staging_query(self.mappings, self.columns, read, self.blank, goal)
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {query}")
        cut = "coalesce(sum(cut) FILTER (problem IS NULL), 0)"
        counted = f"SELECT count(*), count(problem), {cut}, bool_or(is_blank) FROM staged"
        rows, rejected, truncated, has_blank = cursor.execute(counted).fetchall()[0]
        return _Counted(rows, rejected, int(truncated), bool(has_blank))

    def _write(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, index: int, counted: _Counted
    ) -> None:
        """Write the rows to send and the rejected ones."""
        cells = ", ".join(mapping.cell for mapping in self.mappings)
        sent = f"SELECT {cells} FROM staged WHERE problem IS NULL"
        cursor.execute(copy_csv(sent, chunk.sent_file, header=False))
        quote_leading_mark(chunk.sent_file)
        if counted.rejected:
            problems = "SELECT rowid + 1, problem FROM staged WHERE problem IS NOT NULL"
            cursor.execute(copy_csv(problems, chunk.rejected_file, header=False))
        if self.key_hash:
            hashes = f"SELECT {self.key_hash}, {index} FROM staged WHERE problem IS NULL"
            cursor.execute(f"INSERT INTO key_hash {hashes}")

    def _without_blank_rows(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk) -> RowChunk:
        """Write a chunk's rows as read again, without those that have no value."""
        columns = self.columns
        read = read_records(chunk.read_file, chunk.dialect, columns)
        file = chunk.stem.with_suffix(".filled.csv")
        filled = f"FROM {read} WHERE NOT {all_blank([name(each) for each in columns])}"
        rows = cursor.execute(f"SELECT count(*) FROM {read}").fetchall()[0][0]
        left = cursor.execute(copy_csv(filled, file, header=False)).fetchall()[0][0]
        quote_leading_mark(file)
        file.replace(chunk.read_file)
        dialect = CsvDialect(columns, chunk.read_file.stat().st_size)
        return replace(chunk, dialect=dialect, blank=rows - left)
