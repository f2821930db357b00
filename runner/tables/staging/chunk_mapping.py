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

from runner.files import link_or_copy, unwritable
from runner.job.choices import Blank
from runner.tables.database import Database
from runner.tables.plain_csv import is_plain, with_line_feeds
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
from runner.tables.staging.key_hashes import key_of
from runner.tables.staging.mapping import ColumnMapping, Pass, passed_on, staging_query

if TYPE_CHECKING:
    from runner.tables import duckdb

_MOST_TRIES = 3
"""Chunks that are tried in vain at most, one after the other."""


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
    _passed: dict[int, str] | None = None
    """Columns whose values have been sent as they are read so far; None before the first chunk."""
    _tries: int = _MOST_TRIES
    """More than 0 while it is worth trying whether rows can be passed on."""

    def map(self, index: int, dialect: CsvDialect, content: bytes) -> RowChunk:
        """Write the files of a chunk, whose number in the source is for the caller to set.

        Raises:
            StateError: They cannot be written.
        """
        stem = self.folder / f"chunk-{index}"
        dialect, content = with_line_feeds(dialect, content)
        chunk = RowChunk(stem, dialect, width=len(self.mappings))
        has_null, has_return = b"\0" in content, b"\r" in content
        goal = Pass(has_null, has_return, explains=False)
        try:
            chunk.read_file.write_bytes(without_mark(content))
            with self.database.cursor() as cursor:
                counted = None
                if self._tries > 0 and not (has_null or has_return or self._explains):
                    counted = self._pass_on(cursor, chunk, goal, content)
                if counted is None:
                    counted = self._stage(cursor, chunk, goal)
                    if counted.has_blank:
                        chunk = self._without_blank_rows(cursor, chunk)
                        counted = self._stage(cursor, chunk, goal)
                    self._write_sent(cursor, chunk, "staged WHERE problem IS NULL")
                self._write_rest(cursor, chunk, index, counted)
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

    def _pass_on(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass, content: bytes
    ) -> _Counted | None:
        """Write the rows to send if all values that are not computed are sent as they are read.

        Returns:
            None if a row has to be mapped, or may have a problem.
        """
        counted, passed = self._checked(cursor, chunk, goal)
        if counted is None or counted.rejected or counted.has_blank:
            self._tries -= 1
            return None
        self._tries = _MOST_TRIES
        is_read = len(passed) == len(self.mappings)
        if not is_read:
            self._write_sent(cursor, chunk, "staged")
        elif self._is_sent_as_read(chunk, content, counted.rows):
            link_or_copy(chunk.read_file, chunk.sent_file)
        else:
            read = read_records(chunk.read_file, chunk.dialect, self.columns)
            columns = [name(self.columns[each.source or 0]) for each in self.mappings]
            named = [f"{c} AS {m.cell}" for c, m in zip(columns, self.mappings, strict=True)]
            self._write_sent(cursor, chunk, f"(SELECT {', '.join(named)} FROM {read})")
        return counted

    def _checked(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass
    ) -> tuple[_Counted | None, dict[int, str]]:
        """Make the table of staged rows, and give the columns that are passed on.

        A column that has a value to change is mapped from then on.
        """
        passed = self._passed
        if passed is None:
            passed = passed_on(self.mappings, self.blank)
        counted = None
        while passed:
            # If nothing is computed, the values are not needed: only whether they may be sent.
            key = key_of(self.mappings)
            wanted = ([key] if key else []) if len(passed) == len(self.mappings) else None
            counted = self._make(cursor, chunk, replace(goal, passed=passed), wanted)
            changing = self._changing(cursor, chunk, passed) if counted.rejected else set()
            if counted.has_blank or not changing:
                break
            counted = None
            passed = {index: reason for index, reason in passed.items() if index not in changing}
        self._passed = passed
        return counted, passed

    def _changing(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, passed: dict[int, str]
    ) -> set[int]:
        """The columns that have a value that may not be sent as it is read."""
        read = read_records(chunk.read_file, chunk.dialect, self.columns)
        cells = ", ".join(f"{name(column)} AS s{at}" for at, column in enumerate(self.columns))
        changes = ", ".join(f"coalesce(bool_or({each}), false)" for each in passed.values())
        query = f"SELECT {changes} FROM (SELECT {cells} FROM {read})"
        found = cursor.execute(query).fetchall()[0]
        return {index for index, changes in zip(passed, found, strict=True) if changes}

    def _is_sent_as_read(self, chunk: RowChunk, content: bytes, rows: int) -> bool:
        """Whether the file of what was read is, byte for byte, the file of what is sent."""
        places = [each.source for each in self.mappings]
        return (
            places == [*range(len(self.columns))]
            and chunk.dialect.is_plain(self.columns)
            and is_plain(content, rows, len(self.columns))
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

    def _make(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        goal: Pass,
        wanted: Sequence[ColumnMapping] | None = None,
    ) -> _Counted:
        read = read_records(chunk.read_file, chunk.dialect, self.columns)
        query = staging_query(self.mappings, self.columns, read, self.blank, goal, wanted=wanted)
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {query}")
        cut = "coalesce(sum(cut) FILTER (problem IS NULL), 0)"
        counted = f"SELECT count(*), count(problem), {cut}, bool_or(is_blank) FROM staged"
        rows, rejected, truncated, has_blank = cursor.execute(counted).fetchall()[0]
        return _Counted(rows, rejected, int(truncated), bool(has_blank))

    def _write_sent(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, rows: str) -> None:
        cells = ", ".join(mapping.cell for mapping in self.mappings)
        cursor.execute(copy_csv(f"SELECT {cells} FROM {rows}", chunk.sent_file, header=False))
        quote_leading_mark(chunk.sent_file)

    def _write_rest(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, index: int, counted: _Counted
    ) -> None:
        """Write the rejected rows, and the hashes of the others' keys."""
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
