"""Staged rows as Bulk API 2.0 CSV, in parts that are one ingest job each.

A part is UTF-8, LF, with a header of API names, and never larger than allowed. Chunks are appended
whole; only a chunk that does not fit is cut between records. Knows nothing of jobs or the org.
"""

from __future__ import annotations

import csv
import hashlib
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from runner.errors import SourceError, StateError
from runner.files import unwritable
from runner.tables.database import Database, storage_errors
from runner.tables.plain_csv import record_ends
from runner.tables.staging.chunk import RowChunk

MAX_BYTES = 100_000_000
"""Bulk API 2.0 accepts 150 MB after base64, which is about 100 MB of CSV."""


class Part(Struct, frozen=True):
    """A slice of a task's rows in one file."""

    index: int
    """From 1."""
    file: Path
    rows: int
    bytes: int
    sha256: str
    columns: tuple[str, ...]
    first_row: int
    last_row: int
    """It contains the source rows from first to last, except rejected ones."""
    attempt: int = 0
    """From 0; a retry contains only those of its rows that have no outcome."""


class Limits(Struct, frozen=True):
    """How much one part may contain, its header included."""

    bytes: int = MAX_BYTES
    rows: int | None = None


class PartWriter:
    """Writes staged rows into parts, each when it is asked for."""

    def __init__(
        self, database: Database, columns: tuple[str, ...], folder: Path, limits: Limits
    ) -> None:
        self._database = database
        self._folder = folder
        self._limits = limits
        self._columns = columns
        self._header = header_line(columns)

    def write(self, chunks: Sequence[RowChunk], after: int = 0) -> Iterator[Part]:
        """Give each part once it is on disk; they are numbered from the one `after`.

        Raises:
            SourceError: A row is larger than a part may be; the message names it.
            StateError: A part cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            yield from self._parts([chunk for chunk in chunks if chunk.sendable], after)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _parts(self, chunks: Sequence[RowChunk], index: int) -> Iterator[Part]:
        part: _OpenPart | None = None
        try:
            for chunk in chunks:
                if part is not None and self._fits_only_in_next(chunk, part):
                    yield part.finish(index, self._columns, None)
                    part = None
                records = _ChunkRecords(chunk)
                while records.left:
                    if part is None:
                        index += 1
                        part = self._open_part(index, chunk, records)
                    last_row = self._fill(part, chunk, records)
                    if records.left:
                        yield part.finish(index, self._columns, last_row)
                        part = None
            if part is not None:
                yield part.finish(index, self._columns, None)
        finally:
            if part is not None:
                part.close()

    def _fits_only_in_next(self, chunk: RowChunk, part: _OpenPart) -> bool:
        """Whether the chunk fits whole into the next part, but not into this one."""
        if self._limits.rows is not None:
            return False
        alone = len(self._header) + chunk.sent_bytes
        return part.bytes + chunk.sent_bytes > self._limits.bytes >= alone

    def _open_part(self, index: int, chunk: RowChunk, records: _ChunkRecords) -> _OpenPart:
        first = self._row_number(chunk, records.read) if records.read else chunk.first_row
        return _OpenPart(self._folder / f"part-{index:04}.csv", self._header, first)

    def _fill(self, part: _OpenPart, chunk: RowChunk, records: _ChunkRecords) -> int | None:
        """Append what fits; give the last row if the part ends inside the chunk."""
        max_rows = None if self._limits.rows is None else self._limits.rows - part.rows
        rows, content = records.next(self._limits.bytes - part.bytes, max_rows)
        if rows:
            part.append(content, rows, chunk)
        elif not part.rows:
            raise self._oversize(self._row_number(chunk, records.read))
        return self._row_number(chunk, records.read - 1) if rows and records.left else None

    def _row_number(self, chunk: RowChunk, place: int) -> int:
        """Find the source row of a record to send by its place in the chunk, from 0."""
        if not chunk.rejected:
            return chunk.first_row + place
        query = f"SELECT row FROM {chunk.sent_numbers()} WHERE place = {place + 1}"
        with storage_errors("Parts cannot be written"), self._database.cursor() as cursor:
            found = cursor.execute(query).fetchall()
        return int(found[0][0])

    def _oversize(self, row: int) -> SourceError:
        return SourceError(
            f"Row {row:,} alone is larger than a Bulk part may be: {self._limits.bytes:,} bytes.",
            hint="Shorten its values, or send it with `api: rest`.",
        )


def header_line(columns: Sequence[str]) -> bytes:
    """Write a CSV header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue().encode()


def read_header(file: Path) -> tuple[str, ...]:
    """Read the header of a CSV file that the runner or the org wrote.

    Raises:
        StateError: The file cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return tuple(next(csv.reader(stream), ()))
    except (OSError, ValueError, csv.Error) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error


class _ChunkRecords:
    """A chunk's CSV, cut between records only if it does not fit whole."""

    def __init__(self, chunk: RowChunk) -> None:
        self._content = memoryview(chunk.sent_file.read_bytes())
        self._rows = chunk.sendable
        self._ends: list[int] = []
        self._start = 0
        self.read = 0
        """How many records were given out."""

    @property
    def left(self) -> int:
        return self._rows - self.read

    def next(self, max_bytes: int, max_rows: int | None) -> tuple[int, memoryview]:
        """Give as many records as fit; none if the next one does not."""
        rows, end = self.left, len(self._content)
        if end - self._start > max_bytes or (max_rows is not None and rows > max_rows):
            self._ends = self._ends or record_ends(self._content)
            fitting = bisect_right(self._ends, self._start + max_bytes) - self.read
            rows = max(0, fitting if max_rows is None else min(fitting, max_rows))
            end = self._ends[self.read + rows - 1] if rows else self._start
        content = self._content[self._start : end]
        self._start = end
        self.read += rows
        return rows, content


class _OpenPart:
    """A part that is being written."""

    def __init__(self, file: Path, header: bytes, first_row: int) -> None:
        self._file = file
        self._stream: BinaryIO = file.open("wb")
        self._digest = hashlib.sha256()
        self._first_row = first_row
        self._last_row = first_row
        self.bytes = 0
        self.rows = 0
        self._write(header)

    def append(self, content: memoryview, rows: int, chunk: RowChunk) -> None:
        self._write(content)
        self.rows += rows
        self._last_row = chunk.last_row

    def finish(self, index: int, columns: tuple[str, ...], last_row: int | None) -> Part:
        """Close it; `last_row` if it ends inside a chunk."""
        self.close()
        return Part(
            index,
            self._file,
            self.rows,
            self.bytes,
            self._digest.hexdigest(),
            columns,
            self._first_row,
            last_row or self._last_row,
        )

    def close(self) -> None:
        self._stream.close()

    def _write(self, content: bytes | memoryview) -> None:
        self._stream.write(content)
        self._digest.update(content)
        self.bytes += len(content)
