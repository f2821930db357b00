"""Results that come in the order in which their rows were sent, compared with them as bytes.

That is how they mostly come, and it takes a third of the time of parsing them. Whatever does not
fit is left to who parses them. Knows the form of result files. Knows nothing of databases.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from runner.luajit import address_of, compiled
from runner.tables.plain_csv import join_lines
from runner.tables.results.quoted_records import (
    LINE_FEED_IN_VALUE,
    QuotedRecords,
    quoted_records,
)
from runner.tables.results.succeeded_lines import Piece, SucceededLines
from runner.tables.window import Window

OWN_COLUMNS = ("sf__id", "sf__created")
"""Those of succeeded rows before the columns that were sent, in lower case."""
_OWN_CELLS = re.compile(
    rb"(?:%(cells)b\n)*+%(cells)b" % {b"cells": rb'"[0-9A-Za-z]++","(?:true|false)"'}
)
_READ_BYTES = 128_000
"""What is longer than 128 KB, C's allocator gives back to the system each time."""


class SentRows(Struct, frozen=True):
    """The rows that were sent of some consecutive ones, and the file that they are in."""

    first_row: int
    last_row: int
    numbers: Sequence[int]
    """Of those that were sent, in order."""
    file: Path
    """Plain CSV without a header."""
    records: int
    """Of the file."""
    before: int = 0
    """Records in it before those of these rows."""

    @property
    def are_whole_file(self) -> bool:
        """Whether no other rows are in the file."""
        return self.before == 0 and len(self.numbers) == self.records


class InOrder(Struct, frozen=True):
    """What became of each row."""

    succeeded: list[Piece]
    """Of the rows that did."""
    others: list[int]
    """The row of each record that did not succeed."""


_COMPARE = Path(__file__).with_suffix(".lua")


class _OtherwiseError(Exception):
    """The results have another order or form."""


def find_in_order(
    sent: Iterable[SentRows], succeeded: Path, others: Sequence[bytes], to: SucceededLines
) -> InOrder | None:
    """Find the result of each row.

    Args:
        sent: All rows that were sent, in order.
        succeeded: The results of those that succeeded. The header is `OWN_COLUMNS` and the columns
            that were sent, in their order.
        others: The records that did not succeed, in order, as `quoted_records` gives them.
        to: Where the lines of those that did are written, chunk by chunk: a part has many.

    Returns:
        None if they have another order or form, or are not exactly those that were sent.

    Raises:
        StateError: Lines cannot be written.
    """
    every = list(sent)
    found = InOrder([], [])
    try:
        are_whole = all(rows.are_whole_file for rows in every)
        compare = compiled(_COMPARE, succeeded.stat().st_size) if are_whole else None
        with succeeded.open("rb") as stream:
            stream.readline()
            search: _Search | _CompiledSearch = _Search(stream, others)
            if compare is not None:
                search = _CompiledSearch(compare, stream, others)
            for rows in every:
                lines, places = search.find(rows)
                _add(rows, lines, [rows.numbers[place] for place in places], found, to)
            search.check_end()
    except (_OtherwiseError, ValueError, OSError):
        return None
    return found


def _add(
    rows: SentRows, lines: bytes, others: list[int], found: InOrder, to: SucceededLines
) -> None:
    """Add what became of rows, given the lines of those that succeeded."""
    numbers = rows.numbers
    found.others.extend(others)
    if len(others) < len(numbers):
        every = range(rows.first_row, rows.last_row + 1)
        if len(numbers) < len(every):
            others = sorted(set(every).difference(numbers).union(others))
        found.succeeded.append(to.write(rows.first_row, rows.last_row, others, lines))


def _records_of(rows: SentRows) -> Iterator[QuotedRecords]:
    """The records of rows, some at a time."""
    content = rows.file.read_bytes()
    if LINE_FEED_IN_VALUE in content:
        raise _OtherwiseError
    place, last = 0, rows.before + len(rows.numbers)
    for block in quoted_records(content):
        start, end = max(rows.before - place, 0), min(last - place, len(block.records))
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
        counts = sent.line_feeds
        lines = self.next(len(sent.records) + sum(counts.values()))
        return join_lines(lines, counts, LINE_FEED_IN_VALUE) if counts else lines

    @property
    def is_at_end(self) -> bool:
        return len(self._lines) == self._at and not self._rest and not self._stream.read(1)


class _Search:
    """Goes through the results beside the records that were sent."""

    def __init__(self, results: BinaryIO, others: Sequence[bytes]) -> None:
        self._lines = _Lines(results)
        self._others = others
        self._next_other = 0

    def find(self, rows: SentRows) -> tuple[bytes, list[int]]:
        """A line `Id,true` of each row that succeeded, and the places of the others."""
        texts: list[bytes] = []
        others: list[int] = []
        start = 0
        for records in _records_of(rows):
            places = self._others_in(records)
            texts.append(self._lines_of(records.without(places) if places else records))
            others += [start + place for place in places]
            start += len(records.records)
        return b"".join(texts), others

    def check_end(self) -> None:
        """Check that no result is left."""
        if self._next_other < len(self._others) or not self._lines.is_at_end:
            raise _OtherwiseError

    def _others_in(self, sent: QuotedRecords) -> list[int]:
        places: list[int] = []
        start = 0
        while self._next_other < len(self._others):
            try:
                place = sent.records.index(self._others[self._next_other], start)
            except ValueError:
                break
            places.append(place)
            start = place + 1
            self._next_other += 1
        return places

    def _lines_of(self, sent: QuotedRecords) -> bytes:
        results = self._lines.next_like(sent)
        own = b"\n".join(map(bytes.removesuffix, results, sent.records))
        # If these are two whole cells, what follows them are those that were sent.
        if results and _OWN_CELLS.fullmatch(own) is None:
            raise _OtherwiseError
        return own.translate(None, b'"') + b"\n" if results else b""


class _CompiledSearch:
    """Does the same in less than half the time, where rows fill their files."""

    def __init__(
        self, compare: Callable[..., Any], results: BufferedReader, others: Sequence[bytes]
    ) -> None:
        self._compare = compare
        self._results = Window(results, _READ_BYTES)
        self._others = b"".join(each.replace(LINE_FEED_IN_VALUE, b"\n") + b"\n" for each in others)
        self._others_at = address_of(self._others)
        self._next_other = 0

    def find(self, rows: SentRows) -> tuple[bytes, list[int]]:
        """A line `Id,true` of each row that succeeded, and the places of the others."""
        texts: list[bytes] = []
        others: list[int] = []
        start = 0
        with rows.file.open("rb") as stream:
            sent = Window(stream, _READ_BYTES)
            while sent.read_on():
                self._results.read_on()
                lines, places, records = self._go_on(sent)
                texts.append(lines)
                others += [start + place for place in places]
                start += records
        if start != rows.records:
            raise _OtherwiseError
        return b"".join(texts), others

    def check_end(self) -> None:
        """Check that no result is left."""
        if self._results.read_on() or self._next_other < len(self._others):
            raise _OtherwiseError

    def _go_on(self, sent: Window) -> tuple[bytes, Sequence[int], int]:
        """Compare as many records as are whole in both windows."""
        if sent.has(LINE_FEED_IN_VALUE):
            raise _OtherwiseError
        results = self._results
        others = self._others_at, len(self._others), self._next_other
        found = self._compare(*sent.place, *results.place, *others)
        if found is None:
            raise _OtherwiseError
        lines, places, compared, used, self._next_other, records = found
        if not compared:
            cut = [each for each in (sent, results) if not each.is_last]
            if not cut:
                raise _OtherwiseError
            # One of them: the results are those of all files, and would be widened for each.
            min(cut, key=lambda each: each.size).widen()
        sent.use(compared)
        results.use(used)
        return lines, array("I", places), records
