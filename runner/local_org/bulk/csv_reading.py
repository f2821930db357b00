"""Reads an uploaded CSV as strictly as Salesforce does, and tracks where each row starts.

Knows delimiters, line endings, quotes and limits. Knows no sObject.

Every line ending must be the job's, also inside quoted values. A byte order mark is not removed,
so it becomes part of the first column's name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from runner.local_org.bulk.failure import JobFailure

MAX_HEADER_CHARACTERS = 32_000
MAX_COLUMNS = 5_000
MAX_FIELD_CHARACTERS = 131_072
MAX_ROW_CHARACTERS = 400_000
_BLOCK = 1024 * 1024
_ROWS_AT_ONCE = 200
_UNQUOTED = (
    "Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
)


class Chunk(Struct, frozen=True):
    """Rows that follow each other, and where the next one starts."""

    rows: list[list[str]]
    end_byte: int


class Upload:
    """The content of one ingest job. Not thread-safe."""

    def __init__(self, path: Path, *, delimiter: str = ",", line_ending: str = "LF") -> None:
        """`delimiter` is one character; `line_ending` is LF or CRLF."""
        self._line_ending = line_ending
        self._file = path.open("rb") if path.exists() else None
        self._lines_read: list[str] = []
        self._at = 0
        self._delimiter = delimiter
        self._proper = _proper_record(delimiter)
        self.raw_header = ""
        """The header as sent, without its line ending."""
        self.header: list[str] = []
        self.rows_start = 0
        """Byte offset of the first row."""

    def read_header(self) -> bool:
        """Read the header; False if there is no content at all.

        Raises:
            JobFailure: with Salesforce's message.
        """
        if self._file is None:
            return False
        first = next(self._records(self._file), None)
        if first is None:
            return False
        self.header = first
        self.raw_header = "".join(self._lines_read).rstrip("\r\n")
        self.rows_start = self._at
        if len(self.raw_header) > MAX_HEADER_CHARACTERS:
            raise JobFailure.invalid_batch(
                f"Header is longer than {MAX_HEADER_CHARACTERS} characters"
            )
        if len(self.header) > MAX_COLUMNS:
            raise JobFailure.invalid_batch(f"Header has more than {MAX_COLUMNS} fields")
        return True

    def rows(self) -> Iterator[list[str]]:
        """All rows; see `chunks`."""
        chunks = self.chunks(self.rows_start, _ROWS_AT_ONCE)
        return chain.from_iterable(chunk.rows for chunk in chunks)

    def chunks(self, start_byte: int, most: int) -> Iterator[Chunk]:
        """The rows from a byte offset on, `most` at once. Call `read_header` first.

        A row may have more values than the header: `write_rows` refuses it alone.

        Raises:
            JobFailure: with Salesforce's message where it is known.
        """
        if self._file is None:
            return
        self._at = start_byte
        while chunk := self._sound_chunk(self._file, most) or self._chunk(self._file, most):
            yield chunk
            self._at = chunk.end_byte

    def _sound_chunk(self, file: BinaryIO, most: int) -> Chunk | None:
        """Rows that are read and checked together; None if `_chunk` must look at each."""
        file.seek(self._at)
        lines = list(islice(file, most))
        feed = chain(tuple(lines), _kept(file, lines))
        reader = csv.reader(map(bytes.decode, feed), delimiter=self._delimiter, strict=True)
        rows, ends = [], [0]
        try:
            for row in islice(reader, most):
                rows.append(row)
                ends.append(reader.line_num)
        except (csv.Error, UnicodeDecodeError):
            return None
        # An empty line is no row, but has a length of 0 here.
        if not rows or min(map(len, rows)) < max(len(self.header), 1):
            return None
        if sum(map(len, lines)) > MAX_FIELD_CHARACTERS and any(map(_is_long, rows)):
            return None
        for row, (start, end) in zip(rows, pairwise(ends), strict=True):
            if b'"' in lines[start] and not self._is_proper(row, lines[start:end]):
                return None
        return Chunk(rows, self._at + sum(map(len, lines)))

    def _is_proper(self, values: list[str], lines: list[bytes]) -> bool:
        has_quotes = '"' in "".join(values)
        return not has_quotes or bool(self._proper.fullmatch(b"".join(lines).decode()))

    def _chunk(self, file: BinaryIO, most: int) -> Chunk | None:
        """The same, row by row; None at the end. Raises JobFailure for the first mistake."""
        file.seek(self._at)
        rows = list(islice(self._wide_enough(file), most))
        return Chunk(rows, self._at) if rows else None

    def _wide_enough(self, file: BinaryIO) -> Iterator[list[str]]:
        width = len(self.header)
        for values in self._records(file):
            if len(values) < width:
                raise JobFailure.invalid_batch(
                    f"Number of fields in a row ({len(values)}) differs from the header ({width})"
                )
            yield values

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def check_line_endings(self) -> None:
        """Check every line ending of the content, also inside quotes.

        Raises:
            JobFailure: one differs from the job's setting.
        """
        if self._file is None:
            return
        wanted = self._line_ending
        last = b""
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            ends = block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
            wrong = ends if wanted == "LF" else block.count(b"\n") - ends
            if wrong:
                raise JobFailure(
                    "ClientInputError : LineEnding is invalid on user data. "
                    f"Current LineEnding setting is {wanted}"
                )
            last = block[-1:]

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        for line in file:
            self._at += len(line)
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise JobFailure.invalid_batch("Content is not valid UTF-8") from None
            self._lines_read.append(text)
            yield text

    def _records(self, file: BinaryIO) -> Iterator[list[str]]:
        self._lines_read.clear()
        reader = csv.reader(self._lines(file), delimiter=self._delimiter, strict=True)
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise JobFailure.invalid_batch(_words_for(error)) from None
            if values:
                self._check(values)
                yield values
            self._lines_read.clear()

    def _check(self, values: list[str]) -> None:
        text = "".join(values)
        if len(text) > MAX_FIELD_CHARACTERS:
            if max(map(len, values)) > MAX_FIELD_CHARACTERS:
                raise JobFailure.invalid_batch(_too_long())
            if len(text) > MAX_ROW_CHARACTERS:
                raise JobFailure.invalid_batch(
                    f"A row is longer than {MAX_ROW_CHARACTERS} characters"
                )
        if '"' in text and not self._proper.fullmatch("".join(self._lines_read)):
            raise JobFailure.invalid_batch(_UNQUOTED)


def _kept(file: BinaryIO, lines: list[bytes]) -> Iterator[bytes]:
    """The lines of a file; each is appended to `lines` too."""
    for line in file:
        lines.append(line)
        yield line


def _is_long(values: list[str]) -> bool:
    return sum(map(len, values)) > MAX_FIELD_CHARACTERS


def _proper_record(delimiter: str) -> re.Pattern[str]:
    """A record whose quotes enclose whole values and are doubled inside them."""
    mark = re.escape(delimiter)
    value = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"{mark}\r\n]*+)'
    return re.compile(rf"{value}(?:{mark}{value})*+\r?\n?")


def _words_for(error: csv.Error) -> str:
    words = str(error)
    if "field larger" in words:
        return _too_long()
    if "unexpected end" in words:
        return "Failed to parse CSV. EOF reached before closing an opened quote"
    if "new-line" in words:
        return "Failed to parse CSV. Found a line ending outside quotes that is not the job's"
    return _UNQUOTED


def _too_long() -> str:
    return f"A field is longer than {MAX_FIELD_CHARACTERS} characters"
