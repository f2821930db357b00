"""Maps the rows of chunks: into a file of rows to send, and one of rows that cannot be sent.

Several threads may do so at once, each with its chunks. Knows chunks and mappings. Knows nothing of
the rest of the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from runner import luajit
from runner.files import link_or_copy, unwritable
from runner.job.choices import Blank
from runner.tables.database import Database
from runner.tables.plain_csv import plain_rows, with_line_feeds
from runner.tables.sql import (
    CsvDialect,
    copy_csv,
    name,
    read_csv,
    read_records,
    without_mark,
)
from runner.tables.staging.as_is import look_in_bytes
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.key_hashes import KeyHashes, key_of
from runner.tables.staging.mapping import ColumnMapping, Pass, passed_on, staging_query
from runner.tables.staging.read_chunk import MOST_TRIES, KnownChunks, ReadChunk

if TYPE_CHECKING:
    from runner.tables import duckdb
    from runner.tables.staging.as_is_bytes import Known, Look
    from runner.tables.staging.splicing import Splicer
    from runner.tables.staging.staged_table import Counted

_COLUMNS_AT_ONCE = 20
"""Planning a statement takes as long as running it for a chunk of so many columns, or longer."""
_KNOWN_AT_ONCE = 4
"""Chunks of which DuckDB looks at few columns."""
_SAMPLE = 2_048
"""Rows that are looked at before the first chunk is staged."""
_SAMPLED_FROM = 1_000_000
"""Bytes of a chunk; a smaller one is staged again in no time."""


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
    keys: KeyHashes | None
    """Where hashes of the rows' keys go; None if rows have no key."""
    _explains: bool = False
    _passed: dict[int, str] | None = None
    """Columns whose values have been sent as they are read so far; None before the first chunk."""
    _tries: int = MOST_TRIES
    """More than 0 while it is worth trying whether rows can be passed on."""
    _all: KnownChunks = field(default_factory=KnownChunks)
    _tries_together: int = 0
    """More than 0 while it is worth trying whether whole chunks are sent as they are read."""
    _splicer: Splicer | None = None
    """Once a chunk was mapped."""

    @property
    def at_once(self) -> int:
        """How many chunks are worth being mapped at once."""
        if self._tries_together <= 0 or self._all.may_come:
            return 1
        if self._looks_at_bytes:
            return _KNOWN_AT_ONCE
        return 1 + len(self.columns) // _COLUMNS_AT_ONCE

    def batches(self, chunks: Iterator[ReadChunk]) -> Iterator[list[ReadChunk]]:
        """As many chunks together as are worth being mapped at once by then."""
        while some := list(islice(chunks, self.at_once)):
            yield some

    def read(self, index: int, dialect: CsvDialect, content: bytes) -> ReadChunk:
        """Write the rows of a chunk, whose number in the source is for the caller to set.

        Raises:
            StateError: They cannot be written.
        """
        stem = self.folder / f"chunk-{index}"
        dialect, content = with_line_feeds(dialect, content)
        chunk = RowChunk(stem, dialect, width=len(self.mappings))
        try:
            chunk.read_file.write_bytes(without_mark(content))
        except OSError as error:
            raise unwritable(stem, error) from error
        read = ReadChunk(index, chunk, b"\0" in content, b"\r" in content, None)
        if self._tries <= 0 or not read.is_ordinary or not self._sends_columns_as_read(dialect):
            return read
        known = self._all.find(content, self.mappings, self.blank) or self._find_known(content)
        if known is not None:
            rows, others, hashes = known.rows, known.others, known.hashes
            return replace(read, plain_rows=rows, others=others, hashes=hashes)
        return replace(read, plain_rows=plain_rows(content, len(self.columns)))

    def _find_known(self, content: bytes) -> Known | None:
        are_passed = len(self._passed or ()) == len(self.mappings)
        if self._tries_together <= 0 or not are_passed or not self._looks_at_bytes:
            return None
        from runner.tables.staging.as_is_bytes import find_known

        return find_known(content, self._look)

    @property
    def _looks_at_bytes(self) -> bool:
        """Whether to look at bytes leaves DuckDB less to do."""
        from runner.luajit import can_compile

        return 2 * len(self._look.others) <= len(self.columns) and can_compile()

    @property
    def _look(self) -> Look:
        """What to look for in bytes; the other columns are for DuckDB."""
        return look_in_bytes(self.mappings, self.blank)

    def _sends_columns_as_read(self, dialect: CsvDialect) -> bool:
        places = [each.source for each in self.mappings]
        return places == [*range(len(self.columns))] and dialect.is_plain(self.columns)

    def map(self, chunks: Sequence[ReadChunk]) -> list[RowChunk]:
        """Write the other files of chunks.

        Raises:
            StateError: They cannot be written.
        """
        try:
            if all(each.others == b"" for each in chunks):
                return [self._link(each) for each in chunks]
            if len(chunks) == 1 and (spliced := self._splice_alone(chunks[0])):
                return [spliced]
            with self.database.cursor() as cursor:
                passed = self._pass_on_together(cursor, chunks)
                return passed or [self._map(cursor, each) for each in chunks]
        except OSError as error:
            raise unwritable(chunks[0].chunk.stem, error) from error

    def _pass_on_together(
        self, cursor: duckdb.DuckDBPyConnection, read: Sequence[ReadChunk]
    ) -> list[RowChunk]:
        """Link the rows to send, in one statement, if all of them are sent as they are read.

        Returns:
            None of the chunks if a row has to be mapped, or may have a problem.
        """
        passed = self._passed or {}
        if (
            self._tries_together <= 0
            or len(passed) < len(self.mappings)
            or not all(each.plain_rows and each.is_ordinary for each in read)
        ):
            return []
        if not self._check(cursor, read, passed):
            self._tries_together -= 1
            return []
        self._tries_together = MOST_TRIES
        return [self._link(each) for each in read]

    def _link(self, read: ReadChunk) -> RowChunk:
        """Let the rows to send be those that were read."""
        link_or_copy(read.chunk.read_file, read.chunk.sent_file)
        return self._known(read, read.plain_rows or 0, read.hashes)

    def _splice_alone(self, read: ReadChunk) -> RowChunk | None:
        """Write the rows to send if that takes no DuckDB."""
        is_worth_it = self._splicer is not None or _size(read.chunk.read_file) >= luajit.PAYS_FROM
        if self._tries <= 0 or not (read.is_ordinary and is_worth_it):
            return None
        known = self._spliced.map_alone(read.chunk)
        return self._known(read, known.rows, known.hashes) if known else None

    def _known(self, read: ReadChunk, rows: int, hashes: bytes) -> RowChunk:
        """A chunk whose rows to send are written, and none of which has a problem."""
        if hashes and self.keys:
            self.keys.save_compiled(read.index, hashes)
        return replace(read.chunk, rows=rows, sent_bytes=_size(read.chunk.sent_file))

    @property
    def _spliced(self) -> Splicer:
        if self._splicer is None:
            from runner.tables.staging.splicing import Splicer

            self._splicer = Splicer(self.columns, self.mappings, self.blank)
        return self._splicer

    def _check(
        self, cursor: duckdb.DuckDBPyConnection, read: Sequence[ReadChunk], passed: dict[int, str]
    ) -> bool:
        """Whether all rows of chunks are sent as they are read; if so, their keys are saved."""
        files, columns, known = [each.chunk.read_file for each in read], self.columns, ""
        others = [each.others for each in read if each.others is not None]
        if len(others) == len(read):
            at = self._look.others
            files = [each.chunk.stem.with_suffix(".others.csv") for each in read]
            for file, content in zip(files, others, strict=True):
                file.write_bytes(content)
            columns = tuple(self.columns[each] for each in at)
            known = "".join(f", 'x' AS {name(c)}" for c in self.columns if c not in columns)
            passed = dict.fromkeys(passed, "false") | {each: passed[each] for each in at}
        size = max(map(_size, files))
        dialect = replace(read[0].chunk.dialect, columns=columns, longest_row_bytes=size)
        query = staging_query(
            self.mappings,
            self.columns,
            f"(SELECT *, file_index{known} FROM {read_csv(files, dialect)})",
            self.blank,
            replace(read[0].goal, passed=passed),
            wanted=self._key_columns,
            carried=("file_index",),
        )
        is_other = "problem IS NOT NULL OR is_blank AS other"
        staged = f"file_index, {self.keys.sql if self.keys else 'NULL'} AS hash, {is_other}"
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE passed AS SELECT {staged} FROM ({query})")
        counted = "SELECT file_index, count(*), coalesce(bool_or(other), false) FROM passed"
        found = cursor.execute(f"{counted} GROUP BY file_index ORDER BY file_index").fetchall()
        for file in files if known else ():
            file.unlink()
        if found != [(at, each.plain_rows, False) for at, each in enumerate(read)]:
            return False
        if self.keys:
            first = read[0].index
            self.keys.save(cursor, first, "passed", f"file_index + {first}")
        return True

    @property
    def _key_columns(self) -> list[ColumnMapping]:
        key = key_of(self.mappings)
        return [key] if key else []

    def _map(self, cursor: duckdb.DuckDBPyConnection, read: ReadChunk) -> RowChunk:
        chunk, goal, counted = read.chunk, read.goal, None
        if self._tries > 0 and read.is_ordinary and not self._explains:
            if self._passed is None:
                self._passed = self._first_passed(cursor, chunk)
            counted = self._splice(cursor, read) or self._pass_on(cursor, read)
        if counted is None:
            counted = self._stage(cursor, chunk, goal)
            if counted.has_blank:
                from runner.tables.staging.blank_rows import without_blank_rows

                chunk = without_blank_rows(cursor, chunk, self.columns)
                counted = self._stage(cursor, chunk, goal)
            self._write_sent(cursor, chunk, "staged WHERE problem IS NULL")
        self._write_rest(cursor, chunk, read.index, counted)
        return replace(
            chunk,
            rows=counted.rows,
            rejected=counted.rejected,
            truncated=counted.truncated,
            sent_bytes=_size(chunk.sent_file),
        )

    def _splice(self, cursor: duckdb.DuckDBPyConnection, read: ReadChunk) -> Counted | None:
        """Write the rows to send if bytes show some columns to be sent as they are read."""
        passed = self._passed or {}
        if read.plain_rows and len(passed) == len(self.mappings):
            return None
        return self._spliced.map(cursor, read.chunk, replace(read.goal, passed=passed))

    def _pass_on(self, cursor: duckdb.DuckDBPyConnection, read: ReadChunk) -> Counted | None:
        """Write the rows to send if all values that are not computed are sent as they are read.

        Returns:
            None if a row has to be mapped, or may have a problem.
        """
        chunk = read.chunk
        counted, passed = self._checked(cursor, chunk, read.goal, self._passed or {})
        if counted is None or counted.rejected or counted.has_blank:
            self._tries -= 1
            return None
        self._tries = MOST_TRIES
        is_read = len(passed) == len(self.mappings)
        if not is_read:
            self._write_sent(cursor, chunk, "staged")
        elif read.plain_rows == counted.rows:
            link_or_copy(chunk.read_file, chunk.sent_file)
            if len(self.columns) > 1:  # one column is read in a way of its own
                self._tries_together = self._tries_together or MOST_TRIES
        else:
            rows = read_records(chunk.read_file, chunk.dialect, self.columns)
            columns = [name(self.columns[each.source or 0]) for each in self.mappings]
            named = [f"{c} AS {m.cell}" for c, m in zip(columns, self.mappings, strict=True)]
            self._write_sent(cursor, chunk, f"(SELECT {', '.join(named)} FROM {rows})")
        return counted

    def _first_passed(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk) -> dict[int, str]:
        """The columns that are tried first.

        A value that changes is mostly soon found, and its chunk then staged only once.
        """
        passed = passed_on(self.mappings, self.blank)
        if 0 < len(passed) < len(self.mappings) and _size(chunk.read_file) > _SAMPLED_FROM:
            changing = self._changing(cursor, chunk, passed, f" LIMIT {_SAMPLE}")
            passed = {index: each for index, each in passed.items() if index not in changing}
        return passed

    def _checked(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        goal: Pass,
        passed: dict[int, str],
    ) -> tuple[Counted | None, dict[int, str]]:
        """Make the table of staged rows, and give the columns that are passed on.

        A column that has a value to change is mapped from then on.
        """
        counted = None
        while passed:
            # If nothing is computed, the values are not needed: only whether they may be sent.
            wanted = self._key_columns if len(passed) == len(self.mappings) else None
            counted = self._make(cursor, chunk, replace(goal, passed=passed), wanted)
            changing = self._changing(cursor, chunk, passed) if counted.rejected else set()
            if counted.has_blank or not changing:
                break
            counted = None
            passed = {index: reason for index, reason in passed.items() if index not in changing}
        self._passed = passed
        return counted, passed

    def _changing(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        passed: dict[int, str],
        limit: str = "",
    ) -> set[int]:
        """The columns that have a value that may not be sent as it is read."""
        read = read_records(chunk.read_file, chunk.dialect, self.columns)
        cells = ", ".join(f"{name(column)} AS s{at}" for at, column in enumerate(self.columns))
        changes = ", ".join(f"coalesce(bool_or({each}), false)" for each in passed.values())
        query = f"SELECT {changes} FROM (SELECT {cells} FROM {read}{limit})"
        found = cursor.execute(query).fetchall()[0]
        return {index for index, changes in zip(passed, found, strict=True) if changes}

    def _stage(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass) -> Counted:
        """Make the table of staged rows.

        Whether a row has a problem is found faster than which one it is, and most chunks have none.
        """
        explains = self._explains  # another thread may set it meanwhile
        counted = self._make(cursor, chunk, replace(goal, explains=explains))
        if counted.rejected and not (explains or counted.has_blank):
            counted = self._make(cursor, chunk, replace(goal, explains=True))
            self._explains = counted.rejected > 0  # where one row does not fit, others follow
        return counted

    def _make(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        goal: Pass,
        wanted: Sequence[ColumnMapping] | None = None,
    ) -> Counted:
        from runner.tables.staging.staged_table import make_staged

        read = read_records(chunk.read_file, chunk.dialect, self.columns)
        query = staging_query(self.mappings, self.columns, read, self.blank, goal, wanted=wanted)
        return make_staged(cursor, query)

    def _write_sent(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, rows: str) -> None:
        from runner.tables.staging.staged_table import write_sent

        write_sent(cursor, self.mappings, chunk.sent_file, rows)

    def _write_rest(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, index: int, counted: Counted
    ) -> None:
        """Write the rejected rows, and the hashes of the others' keys."""
        if counted.rejected:
            problems = "SELECT rowid + 1, problem FROM staged WHERE problem IS NOT NULL"
            cursor.execute(copy_csv(problems, chunk.rejected_file, header=False))
        if self.keys:
            hashes = f"(SELECT {self.keys.sql} AS hash FROM staged WHERE problem IS NULL)"
            self.keys.save(cursor, index, hashes, str(index))


def _size(file: Path) -> int:
    return file.stat().st_size
