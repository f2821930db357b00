"""The one shape that every source is given, and CSV files, which nearly have it.

The shape is named columns and UTF-8 CSV records in slabs. The fast way only cuts bytes; what it
cannot take is respelled record by record (`respell`), which also finds the row of every fault.
Knows nothing of other formats (`opening`) or of Salesforce fields.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from runner.errors import SourceError, StorageError
from runner.job.endpoints import FileFormat, FileShape
from runner.job.sniffing import START_BYTES, noticed, sniffed
from runner.tables.database import first_line
from runner.tables.sources.chunks import (
    Digest,
    UncutError,
    encoding_hint,
    first_bytes,
    slabs,
    unreadable,
    utf8_blocks,
)
from runner.tables.sql import CsvDialect

RESULT_PREFIX = "sf__"
"""Columns that a result file adds to the source's own."""
PLAIN_CSV = FileShape(FileFormat.CSV)


@dataclass(frozen=True, slots=True)
class RowsSource:
    """Rows that another task left: a query's records or a write's result file, as plain CSV.

    Unlike in a file that a person hands in, columns such as `sf__Id` can be used in expressions.
    """

    path: Path


@dataclass(slots=True)
class Records:
    """CSV records after their header, ready to be read once."""

    path: Path
    """What to call them in messages."""
    columns: tuple[str, ...]
    """All of them, in order."""
    shape: FileShape
    blocks: Iterator[bytes]
    digest: Digest = field(default_factory=hashlib.sha256)
    line_end: str = "\n"
    ragged: bool = False
    """Rows may end early: what is missing is blank."""
    respell: Callable[[Path], Records] | None = None
    """Writes them anew in plain spelling, for a reader that would not take them as they are."""
    place: str | None = None
    """Where they were fetched from, which is what messages name instead of `path`."""
    files: tuple[tuple[int, Path], ...] = ()
    """Where many files are one run of records: how many stand before each."""
    notes: tuple[str, ...] = ()
    """What a person should know of how they were read."""

    def slabs(self) -> Iterator[bytes]:
        """Cut the records into pieces that can be read side by side."""
        return slabs(self.blocks, self.shape.quote.encode())

    def dialect(self, chunk: bytes) -> CsvDialect:
        """How a file of nothing but this chunk is written."""
        shape = self.shape
        spelled = shape.delimiter, shape.quote, self.line_end
        return CsvDialect(self.columns, len(chunk), *spelled, ragged=self.ragged)


@contextmanager
def called(place: str | None, path: Path) -> Iterator[None]:
    """Name where a file was fetched from, not its copy here, in what goes wrong."""
    try:
        yield
    except SourceError as error:
        if place is None:
            raise
        message = error.message.replace(str(path), place)
        raise SourceError(message, hint=error.hint) from error


def load_error(path: Path, error: Exception) -> SourceError | StorageError:
    """Say what it means that records cannot be read or stored."""
    import duckdb

    if isinstance(error, UncutError):
        return SourceError(
            f"{path}: a value that begins with a quote is never closed.",
            hint="Double each quote inside a quoted value.",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException)):
        return StorageError(
            f"{path}: its rows cannot be stored: {first_line(error)}.",
            hint="Check that the disk of the state folder has room; then `runner resume`.",
        )
    return SourceError(f"{path}: {first_line(error)}.")


def size_of(path: Path) -> int:
    """Give a source file's size in bytes.

    Raises:
        SourceError: There is no such file, or it may not be read.
    """
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a folder.", hint="Name one file in `from`.")
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error


def own_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what a result file added."""
    return tuple(c for c in columns if not c.lower().startswith(RESULT_PREFIX))


def open_csv(path: Path, shape: FileShape) -> Records:
    """Read a CSV file's header and stand before its first record.

    Raises:
        SourceError: The file cannot be read, or its header has a blank or a doubled name.
    """
    shape, notes = _told(path, shape)
    digest = hashlib.sha256()
    blocks = utf8_blocks(path, shape.encoding, digest, shape.compression)
    first = next(blocks, b"").lstrip(b"\r\n")
    header = _header_bytes(first, shape.quote)
    line_end = _line_end(header)
    if shape.header:
        check_header(path, shape.header)
        rest = chain([first], blocks)
        return Records(path, shape.header, shape, rest, digest, line_end, notes=notes)
    columns = _header_names(path, header, shape)
    rest = chain([first[len(header) :]], blocks)
    return Records(path, columns, shape, rest, digest, line_end, notes=notes)


def _told(path: Path, shape: FileShape) -> tuple[FileShape, tuple[str, ...]]:
    """How a file is written, and what of that a person should hear."""
    if not shape.undeclared:
        return shape, ()
    found = sniffed(shape, first_bytes(path, shape.compression, START_BYTES))
    note = noticed(shape, found)
    return found, (note,) if note else ()


def _line_end(header: bytes) -> str:
    ends = (end for end in ("\r\n", "\n", "\r") if header.endswith(end.encode()))
    return next(ends, "\n")


def _header_bytes(block: bytes, quote: str) -> bytes:
    marks = re.escape(quote.encode())
    record = rb"(?:[^\r\n%(q)s]|%(q)s[^%(q)s]*%(q)s)*(?:\r\n|\n|\r)?" % {b"q": marks}
    found = re.match(record, block)
    return found.group() if found else block


def _header_names(path: Path, header: bytes, shape: FileShape) -> tuple[str, ...]:
    try:
        lines = header.decode().splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}: the header is not {shape.encoding}: byte {error.start + 1:,}.",
            hint=encoding_hint(path),
        ) from error
    rows = list(csv.reader(lines, delimiter=shape.delimiter, quotechar=shape.quote or None))
    names = tuple(rows[0]) if rows else ()
    check_header(path, names)
    return names


def check_header(path: Path, names: tuple[str, ...]) -> None:
    """Refuse blank and doubled names; Salesforce and SQL take `Name` and `NAME` for the same.

    Raises:
        SourceError: Names the column and its place.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name.strip():
            raise SourceError(
                f"{path}: column {place} of {len(names)} has no name.",
                hint="Give it one in the first line, or check `delimiter` in `from`.",
            )
        first = seen.setdefault(name.lower(), place)
        if first != place:
            raise SourceError(
                f"{path}: column {name!r} stands twice in the header, at {first} and {place}.",
                hint="Rename or drop one; upper and lower case make no difference.",
            )
