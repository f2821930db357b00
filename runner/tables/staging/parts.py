"""Staged rows as Bulk API 2.0 CSV, in parts that are each one ingest job.

A part is UTF-8, LF, with a header of API names, never larger than asked. Slabs are appended as
they are; only a slab that is too large for a part is looked at record by record. Knows nothing of
jobs or the org.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runner.errors import SourceError
from runner.files import unwritable
from runner.tables.database import Database, state_errors
from runner.tables.staging.chunk import Slab

MOST_BYTES = 100_000_000
"""Bulk API 2.0 takes 150 MB after base64, which is about 100 MB as it stands."""
_RECORD = re.compile(rb'[^"\n]*(?:"[^"]*"[^"\n]*)*\n')


@dataclass(frozen=True, slots=True)
class Part:
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
    """Source rows between these, both included, are in it unless they were rejected."""
    attempt: int = 0
    """Above 0: of these rows only those without an outcome are in it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one part may hold; the header counts."""

    bytes: int = MOST_BYTES
    rows: int | None = None


class PartWriter:
    """Writes a staging's rows into parts, as they are asked for."""

    def __init__(
        self, database: Database, columns: tuple[str, ...], folder: Path, limits: Limits
    ) -> None:
        self._database = database
        self._folder = folder
        self._limits = limits
        self._columns = columns
        self._header = header_line(columns)

    def write(self, slabs: Sequence[Slab]) -> Iterator[Part]:
        """Give each part once it is on disk.

        Raises:
            SourceError: One row alone is larger than a part may be; names it.
            StateError: A part cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            yield from self._parts([slab for slab in slabs if slab.rows > slab.rejected])
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _parts(self, slabs: Sequence[Slab]) -> Iterator[Part]:
        growing: _Growing | None = None
        index = 0
        try:
            for slab in slabs:
                if growing is not None and self._fits_better_alone(slab, growing):
                    yield growing.part(index, self._columns, None)
                    growing = None
                cut = _Cut(slab.sent_file.read_bytes(), slab.rows - slab.rejected)
                while cut.rows_left:
                    if growing is None:
                        index += 1
                        growing = self._begun(index, slab, cut)
                    last_row = self._filled(growing, slab, cut)
                    if cut.rows_left:
                        yield growing.part(index, self._columns, last_row)
                        growing = None
            if growing is not None:
                yield growing.part(index, self._columns, None)
        finally:
            if growing is not None:
                growing.close()

    def _fits_better_alone(self, slab: Slab, growing: _Growing) -> bool:
        """Whether the slab goes whole into a part of its own, but not into this one."""
        if self._limits.rows is not None:
            return False
        alone = len(self._header) + slab.sent_bytes
        return growing.bytes + slab.sent_bytes > self._limits.bytes >= alone

    def _begun(self, index: int, slab: Slab, cut: _Cut) -> _Growing:
        first = self._row_number(slab, cut.rows_taken) if cut.rows_taken else slab.first_row
        return _Growing(self._folder / f"part-{index:04}.csv", self._header, first)

    def _filled(self, growing: _Growing, slab: Slab, cut: _Cut) -> int | None:
        """Append what fits; gives the last row where the part ends inside the slab."""
        rows, content = cut.take(*self._room(growing))
        if rows:
            growing.append(content, rows, slab)
        elif not growing.rows:
            raise self._oversize(self._row_number(slab, cut.rows_taken))
        return self._row_number(slab, cut.rows_taken - 1) if rows and cut.rows_left else None

    def _room(self, growing: _Growing) -> tuple[int, int | None]:
        rows = self._limits.rows
        return self._limits.bytes - growing.bytes, None if rows is None else rows - growing.rows

    def _row_number(self, slab: Slab, place: int) -> int:
        """Find the source row of the slab's sent row at a place, from 0."""
        if not slab.rejected:
            return slab.first_row + place
        query = f"SELECT row FROM {slab.numbers()} WHERE place = {place + 1}"
        with state_errors("Parts cannot be written"), self._database.cursor() as cursor:
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


class _Cut:
    """One slab's CSV, taken record by record only where it does not fit whole."""

    def __init__(self, content: bytes, rows: int) -> None:
        self._content = memoryview(content)
        self._rows = rows
        self._ends: list[int] = []
        self.rows_taken = 0
        self._start = 0

    @property
    def rows_left(self) -> int:
        return self._rows - self.rows_taken

    def take(self, most_bytes: int, most_rows: int | None) -> tuple[int, memoryview]:
        """Take as many records as fit; none where not even one does."""
        rows, end = self.rows_left, len(self._content)
        if end - self._start > most_bytes or (most_rows is not None and rows > most_rows):
            self._ends = self._ends or [m.end() for m in _RECORD.finditer(self._content)]
            fitting = bisect_right(self._ends, self._start + most_bytes) - self.rows_taken
            rows = max(0, fitting if most_rows is None else min(fitting, most_rows))
            end = self._ends[self.rows_taken + rows - 1] if rows else self._start
        taken = self._content[self._start : end]
        self._start = end
        self.rows_taken += rows
        return rows, taken


class _Growing:
    """A part that is being written."""

    def __init__(self, file: Path, header: bytes, first_row: int) -> None:
        self._file = file
        self._stream: BinaryIO = file.open("wb")
        self._digest = hashlib.sha256()
        self._first_row = first_row
        self._last_row = first_row
        self.bytes = 0
        self.rows = 0
        self._put(header)

    def append(self, content: memoryview, rows: int, slab: Slab) -> None:
        self._put(content)
        self.rows += rows
        self._last_row = slab.last_row

    def part(self, index: int, columns: tuple[str, ...], last_row: int | None) -> Part:
        """Finish it; `last_row` where it ends inside a slab."""
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

    def _put(self, content: bytes | memoryview) -> None:
        self._stream.write(content)
        self._digest.update(content)
        self.bytes += len(content)
