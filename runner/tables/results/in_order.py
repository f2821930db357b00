"""Results that come in the order in which their rows were sent, compared with them as bytes.

That is how they mostly come, and it takes a third of the time of parsing them. Whatever does not
fit is left to who parses them. Knows the form of result files. Knows nothing of databases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from runner.tables.results.quoted_records import (
    LINE_FEED_IN_VALUE,
    QuotedRecords,
    quoted_records,
)
from runner.tables.results.succeeded_lines import SucceededRows

OWN_COLUMNS = ("sf__id", "sf__created")
"""Those of succeeded rows before the columns that were sent, in lower case."""
_OWN_CELLS = re.compile(rb'(?:"[0-9A-Za-z]++","(?:true|false)"\n)*+')
_READ_BYTES = 128_000


class SentRows(Struct, frozen=True):
    """Rows that were sent, and the file that they are in."""

    numbers: Sequence[int]
    """In order."""
    file: Path
    """Plain CSV without a header."""
    records: int
    """Of the file."""
    first: int = 0
    """The place of the first row in it, from 0."""


class InOrder(Struct, frozen=True):
    """What became of each row."""

    succeeded: list[SucceededRows]
    others: list[int]
    """The row of each record that did not succeed."""


class _OtherwiseError(Exception):
    """The results have another order or form."""


def find_in_order(
    sent: Iterable[SentRows], succeeded: Path, others: Sequence[bytes]
) -> InOrder | None:
    """Find the result of each row.

    Args:
        sent: All rows that were sent, in order.
        succeeded: The results of those that succeeded. The header is `OWN_COLUMNS` and the columns
            that were sent, in their order.
        others: The records that did not succeed, in order, as `quoted_records` gives them.

    Returns:
        None if they have another order or form, or are not exactly those that were sent.
    """
    found = InOrder([], [])
    try:
        with succeeded.open("rb") as stream:
            stream.readline()
            search = _Search(_Lines(stream), others)
            for rows in sent:
                _find(rows, search, found)
            search.check_end()
    except (_OtherwiseError, ValueError, OSError):
        return None
    return found


def _find(rows: SentRows, search: _Search, found: InOrder) -> None:
    numbers, lines = rows.numbers, []
    for records in _records_of(rows):
        lines += search.lines_of(records)
    span = numbers[-1] - numbers[0] + 1
    found.others.extend(n for n, line in zip(numbers, lines, strict=True) if not line)
    if span > len(numbers):  # other rows are in between
        spread = [b""] * span
        for number, line in zip(numbers, lines, strict=True):
            spread[number - numbers[0]] = line
        lines = spread
    found.succeeded.append(SucceededRows(numbers[0], span, b"\n".join(lines)))


def _records_of(rows: SentRows) -> Iterator[QuotedRecords]:
    """The records of rows, some at a time."""
    content = rows.file.read_bytes()
    if LINE_FEED_IN_VALUE in content:
        raise _OtherwiseError
    place, last = 0, rows.first + len(rows.numbers)
    for block in quoted_records(content):
        start, end = max(rows.first - place, 0), min(last - place, len(block.records))
        place += len(block.records)
        if start == 0 and end == len(block.records):
            yield block
        elif start < end:
            yield block.between(start, end)
    if place != rows.records:
        raise _OtherwiseError


class _Lines:
    """The lines of a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []
        self._at = 0
        self._rest = b""

    def next(self, count: int) -> list[bytes]:
        """The next lines."""
        while len(self._lines) - self._at < count:
            block = self._stream.read(_READ_BYTES)
            if not block:
                raise _OtherwiseError
            lines = (self._rest + block).split(b"\n")
            self._rest = lines.pop()
            self._lines = self._lines[self._at :] + lines
            self._at = 0
        start, self._at = self._at, self._at + count
        return self._lines[start : self._at]

    def next_like(self, sent: QuotedRecords) -> list[bytes]:
        """As many lines as these records have, with a line a record."""
        lines = self.next(len(sent.records) + sum(sent.folded.values()))
        if not sent.folded:
            return lines
        records: list[bytes] = []
        start = 0
        for at, more in sent.folded.items():
            first = start + at - len(records)
            records += lines[start:first]
            start = first + 1 + more
            records.append(LINE_FEED_IN_VALUE.join(lines[first:start]))
        return records + lines[start:]

    @property
    def is_at_end(self) -> bool:
        return len(self._lines) == self._at and not self._rest and not self._stream.read(1)


class _Search:
    """Goes through the results beside the records that were sent."""

    def __init__(self, lines: _Lines, others: Sequence[bytes]) -> None:
        self._lines = lines
        self._others = others
        self._next_other = 0

    def lines_of(self, sent: QuotedRecords) -> list[bytes]:
        """`Id,true` of each record; nothing of those that did not succeed."""
        others = self._places_of_others(sent.records)
        succeeded = sent.without(others) if others else sent
        lines = self._succeeded(succeeded) if succeeded.records else []
        for place in others:
            lines.insert(place, b"")
        return lines

    def check_end(self) -> None:
        """Check that no result is left."""
        if self._next_other < len(self._others) or not self._lines.is_at_end:
            raise _OtherwiseError

    def _places_of_others(self, records: list[bytes]) -> list[int]:
        places: list[int] = []
        start = 0
        while self._next_other < len(self._others):
            try:
                place = records.index(self._others[self._next_other], start)
            except ValueError:
                break
            places.append(place)
            start = place + 1
            self._next_other += 1
        return places

    def _succeeded(self, sent: QuotedRecords) -> list[bytes]:
        results = self._lines.next_like(sent)
        own = b"\n".join(map(bytes.removesuffix, results, sent.records)) + b"\n"
        # If these are two whole cells, what follows them are those that were sent.
        if _OWN_CELLS.fullmatch(own) is None:
            raise _OtherwiseError
        lines = own.translate(None, b'"').split(b"\n")
        lines.pop()
        return lines
