"""Staged rows as Bulk API 2.0 CSV, in parts that are one ingest job each.

A part is UTF-8, LF, with a header of API names, and never larger than allowed. Its rows are sent
from the files of chunks, and only a chunk that does not fit is cut between records. Knows nothing
of jobs or the org.
"""

from __future__ import annotations

import csv
import hashlib
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from runner.csv_rows import csv_reader
from runner.errors import SourceError, StateError
from runner.files import unwritable
from runner.tables.database import Database, storage_errors
from runner.tables.plain_csv import record_ends
from runner.tables.staging.chunk import RowChunk

MAX_BYTES = 100_000_000
"""Bulk API 2.0 accepts 150 MB after base64, which is about 100 MB of CSV."""


_PIECE_BYTES = 256 * 1024


class FileSlice(Struct, frozen=True):
    """Bytes of a file, from one place up to another."""

    file: Path
    start: int
    end: int

    def pieces(self) -> Iterator[bytes]:
        """Read them.

        Raises:
            StateError: The file cannot be read, or is shorter.
        """
        left = self.end - self.start
        try:
            with self.file.open("rb", buffering=0) as stream:
                stream.seek(self.start)
                while left and (piece := stream.read(min(left, _PIECE_BYTES))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise _unreadable(self.file, error.strerror or str(error)) from error
        if left:
            raise _unreadable(self.file, f"it lacks its last {left:,} bytes")


def _unreadable(file: Path, reason: str) -> StateError:
    return StateError(
        f"{file} cannot be read: {reason}.",
        hint="It belongs to this run; start a new run.",
    )


class PartContent(Struct, frozen=True):
    """What is sent of a part; it is read again each time."""

    header: bytes
    slices: tuple[FileSlice, ...]

    @property
    def length(self) -> int:
        """In bytes."""
        return len(self.header) + sum(each.end - each.start for each in self.slices)

    def pieces(self) -> Iterator[bytes]:
        """All of it.

        Raises:
            StateError: A file cannot be read, or is shorter than it was.
        """
        yield self.header
        for each in self.slices:
            yield from each.pieces()

    def sha256(self) -> str:
        """Its digest, in hexadecimal.

        Raises:
            StateError: As for `pieces`.
        """
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


class Part(Struct, frozen=True):
    """A slice of a task's rows."""

    index: int
    """From 1."""
    folder: Path
    """For files about it."""
    rows: int
    sha256: str
    """Of its content."""
    columns: tuple[str, ...]
    first_row: int
    last_row: int
    """It contains the source rows from first to last, except rejected ones."""
    attempt: int = 0
    """From 0; a retry contains only those of its rows that have no outcome."""
    content: PartContent = PartContent(b"", ())
    """Nothing of one that an earlier process sent and that is not sent again."""

    def file(self, ending: str) -> Path:
        """One of the files about this attempt."""
        attempt = f".{self.attempt}" if self.attempt else ""
        return self.folder / f"part-{self.index:04}{attempt}.{ending}"


class Limits(Struct, frozen=True):
    """How much one part may contain, its header included."""

    bytes: int = MAX_BYTES
    rows: int | None = None


class PartCutter:
    """Cuts staged rows into parts, on demand."""

    def __init__(
        self, database: Database, columns: tuple[str, ...], folder: Path, limits: Limits
    ) -> None:
        self._database = database
        self._folder = folder
        self._limits = limits
        self._columns = columns
        self._header = header_line(columns)

    def cut(self, chunks: Sequence[RowChunk], after: int = 0) -> Iterator[Part]:
        """Give each part; they are numbered from the one `after`.

        Raises:
            SourceError: A row is larger than a part may be; the message names it.
            StateError: A file of rows cannot be read, or there can be no folder.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self._folder, error) from error
        index = after
        part: _OpenPart | None = None
        for chunk in chunks:
            if not chunk.sendable:
                continue
            if part is not None and self._fits_only_in_next(chunk, part):
                yield self._finished(part, index, None)
                part = None
            records = _ChunkRecords(chunk)
            while records.left:
                if part is None:
                    index += 1
                    part = self._open_part(chunk, records)
                last_row = self._fill(part, chunk, records)
                if records.left:
                    yield self._finished(part, index, last_row)
                    part = None
        if part is not None:
            yield self._finished(part, index, None)

    def _fits_only_in_next(self, chunk: RowChunk, part: _OpenPart) -> bool:
        """Whether the chunk fits whole into the next part, but not into this one."""
        if self._limits.rows is not None:
            return False
        alone = len(self._header) + chunk.sent_bytes
        return part.bytes + chunk.sent_bytes > self._limits.bytes >= alone

    def _open_part(self, chunk: RowChunk, records: _ChunkRecords) -> _OpenPart:
        first = self._row_number(chunk, records.read) if records.read else chunk.first_row
        return _OpenPart(len(self._header), first)

    def _fill(self, part: _OpenPart, chunk: RowChunk, records: _ChunkRecords) -> int | None:
        """Append what fits; give the last row if the part ends inside the chunk."""
        max_rows = None if self._limits.rows is None else self._limits.rows - part.rows
        rows, content = records.next(self._limits.bytes - part.bytes, max_rows)
        if rows:
            part.append(content, rows, chunk)
        elif not part.rows:
            raise self._oversize(self._row_number(chunk, records.read))
        return self._row_number(chunk, records.read - 1) if rows and records.left else None

    def _finished(self, part: _OpenPart, index: int, last_row: int | None) -> Part:
        """Read it once; `last_row` if it ends inside a chunk."""
        content = PartContent(self._header, tuple(part.slices))
        return Part(
            index,
            self._folder,
            part.rows,
            content.sha256(),
            self._columns,
            part.first_row,
            last_row or part.last_row,
            content=content,
        )

    def _row_number(self, chunk: RowChunk, place: int) -> int:
        """Find the source row of a record to send by its place in the chunk, from 0."""
        if not chunk.rejected:
            return chunk.first_row + place
        query = f"SELECT row FROM {chunk.sent_numbers()} WHERE place = {place + 1}"
        with storage_errors("Parts cannot be cut"), self._database.cursor() as cursor:
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
            return tuple(next(csv_reader(stream), ()))
    except (OSError, ValueError, csv.Error) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error


class _ChunkRecords:
    """A chunk's CSV, cut between records only if it does not fit whole."""

    def __init__(self, chunk: RowChunk) -> None:
        self._file = chunk.sent_file
        self._size = chunk.sent_bytes
        self._rows = chunk.sendable
        self._ends: list[int] = []
        self._start = 0
        self.read = 0
        """How many records were given out."""

    @property
    def left(self) -> int:
        return self._rows - self.read

    def next(self, max_bytes: int, max_rows: int | None) -> tuple[int, FileSlice]:
        """Give as many records as fit; none if the next one does not."""
        rows, end = self.left, self._size
        if end - self._start > max_bytes or (max_rows is not None and rows > max_rows):
            self._ends = self._ends or self._find_ends()
            fitting = bisect_right(self._ends, self._start + max_bytes) - self.read
            rows = max(0, fitting if max_rows is None else min(fitting, max_rows))
            end = self._ends[self.read + rows - 1] if rows else self._start
        content = FileSlice(self._file, self._start, end)
        self._start = end
        self.read += rows
        return rows, content

    def _find_ends(self) -> list[int]:
        try:
            ends = record_ends(memoryview(self._file.read_bytes()))
        except OSError as error:
            raise _unreadable(self._file, error.strerror or str(error)) from error
        if len(ends) != self._rows or ends[-1] != self._size:
            raise _unreadable(self._file, f"it no longer has the {self._rows:,} rows written to it")
        return ends


class _OpenPart:
    """A part that may get more rows."""

    def __init__(self, size: int, first_row: int) -> None:
        self.slices: list[FileSlice] = []
        self.bytes = size
        self.rows = 0
        self.first_row = self.last_row = first_row

    def append(self, content: FileSlice, rows: int, chunk: RowChunk) -> None:
        self.slices.append(content)
        self.bytes += content.end - content.start
        self.rows += rows
        self.last_row = chunk.last_row
