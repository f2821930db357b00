"""The results of rows that are in no table: counted, grouped, written.

A run in which nearly every row succeeds needs no engine for the others; if they are many, they are
in a file. What is written is what DuckDB would write. Knows results and plain CSV. Knows nothing of
how a result was obtained.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import attrgetter, ge
from pathlib import Path

from msgspec import MsgspecError, Struct, msgpack
from msgspec.structs import replace

from runner.outcome import RowResult, RowStatus
from runner.redaction import redacted
from runner.tables.database import UnreadableRowsError
from runner.tables.plain_csv import as_written
from runner.tables.results.messages import values_taken_out
from runner.tables.results.pieces import FIRST_SIGN
from runner.tables.results.succeeded_lines import (
    SucceededLines,
    file_cells,
    read_at,
    write_at,
)
from runner.tables.staging.chunk import RowChunk

_FEWEST = 10
"""Rows that are worth a piece of their own among the lines of those that succeeded."""
_MOST_GAPS = 4
"""Rows of a piece, for each of which it has a line."""
_PLAIN_IDS = re.compile("[0-9A-Za-z]*", re.ASCII)
_WITH_REASONS = frozenset({RowStatus.FAILED, RowStatus.IN_DOUBT, RowStatus.SKIPPED})
_SIGNS = {status: FIRST_SIGN + place for place, status in enumerate(RowStatus)}
_SAID_COLUMNS = ("sf__Code", "sf__Message", "sf__Fields")
_SAID_KEPT = 1_000
_READ_AT_ONCE = 1_000
"""Results from the file: of one chunk they are few."""
_OBJECT_BYTES = 300
"""Of a result, without its message."""
_MOST_BYTES_IN_MEMORY = 2_000_000
TOP_ERRORS = 10
Cells = tuple[object, ...]
Members = tuple[int, RowStatus, str | None, bool | None, str | None, str | None, str | None]
"""Of a result, as they are in the file: with the fields as one text."""
_decoder = msgpack.Decoder(list[Members])


def cells_of(result: RowResult) -> Cells:
    """Row, status, Id, created, code, message and fields."""
    said = (result.code, result.message, _joined(result.fields))
    return (result.row, result.status, result.id, result.created, *said)


def _joined(fields: tuple[str, ...]) -> str | None:
    return " ".join(fields) or None


def _cleaned(results: Sequence[RowResult]) -> Sequence[RowResult]:
    said = {text for each in results for text in (each.code, each.message, *each.fields) if text}
    # All at once, because hardly any has one.
    together = "\n".join(said)
    if _clean(together) == together:
        return results
    clean: dict[str | None, str | None] = {text: _clean(text) for text in said}
    return [
        replace(
            each,
            code=clean.get(each.code),
            message=clean.get(each.message),
            fields=tuple(map(_clean, each.fields)),
        )
        for each in results
    ]


def _clean(text: str) -> str:
    """What the org said, without secrets and halves of surrogate pairs, which no file can hold."""
    return redacted(text).encode(errors="replace").decode()


def keep_succeeded(lines: SucceededLines, results: Sequence[RowResult]) -> Sequence[RowResult]:
    """Add results of rows in order to the lines of those that succeeded; give the others.

    Raises:
        StateError: The lines cannot be written.
    """
    succeeded = [each for each in results if each.status is RowStatus.SUCCEEDED]
    ids = [each.id or "" for each in succeeded]
    if len(succeeded) < _FEWEST or not _PLAIN_IDS.fullmatch("".join(ids)):
        return results
    if any(each.created is None or each.message or each.code for each in succeeded):
        return results
    rows = [each.row for each in succeeded]
    first, last = rows[0], rows[-1]
    if last - first > _MOST_GAPS * len(rows) or any(map(ge, rows, rows[1:])):
        return results
    others = sorted({*range(first, last + 1)}.difference(rows))
    ends = [",true\n" if each.created else ",false\n" for each in succeeded]
    text = "".join(map(str.__add__, ids, ends)).encode()
    lines.add(lines.write(first, last, others, text))
    return [each for each in results if each.status is not RowStatus.SUCCEEDED]


class _Saved(Struct, frozen=True):
    """Where results are in the file."""

    first_row: int
    last_row: int
    offset: int
    size: int


class _Reason(Struct, frozen=True):
    """Rows with the same error."""

    rows: int
    first_row: int
    code: str
    message: str
    """Of the first row."""


class HeldResults:
    """The results of rows, of which one has at most one; read by several threads once all are in.

    No secret is in them: what the org says may repeat one. All of it can be written as UTF-8.

    Attributes:
        endings: How many rows ended in each way: the status, and whether a record was created.
        has_null: Whether a message has the character U+0000.
    """

    def __init__(self, file: Path) -> None:
        """Write what is long to this file; what it has already is no matter."""
        self._file = file
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._results: list[RowResult] = []
        self._bytes = 0
        self._saved: list[_Saved] = []
        self._codes: set[str | None] = set()
        self._reasons: dict[Cells, _Reason] = {}
        self.endings: Counter[tuple[RowStatus, bool | None]] = Counter()
        self.has_null = False

    def add(self, results: Sequence[RowResult]) -> None:
        """Add results.

        Raises:
            StateError: They cannot be written.
        """
        results = _cleaned(results)
        self._results += results
        for each in results:
            self.endings[each.status, each.created] += 1
            self._codes.add(each.code)
            self._bytes += _OBJECT_BYTES + len(each.message or "")
            self.has_null = self.has_null or "\0" in (each.message or "")
        if self._bytes > _MOST_BYTES_IN_MEMORY:
            self._save()

    def has_code(self, codes: Collection[str]) -> bool:
        """Whether a row may have ended with one of these."""
        return not self._codes.isdisjoint(codes)

    def has_any(self, first_row: int, last_row: int) -> bool:
        """Whether a row between two may have ended."""
        return any(True for _ in self._between(first_row, last_row))

    def every(self) -> Iterator[RowResult]:
        """All of them."""
        for saved in self._saved:
            yield from self._read(saved)
        yield from self._results

    def top_errors(self) -> tuple[tuple[str, str, int, int], ...]:
        """The most frequent reasons: code, message of the first such row, count, its number."""
        found = dict(self._reasons)
        _group(self._results, found)
        reasons = sorted(found.values(), key=lambda each: (-each.rows, each.first_row))
        return tuple((r.code, r.message, r.rows, r.first_row) for r in reasons[:TOP_ERRORS])

    @contextmanager
    def of(self, files: Sequence[tuple[int, str]], chunk: RowChunk) -> Iterator[_HeldEndings]:
        """How the rows of a chunk ended.

        Args:
            files: The first row of each file, and its name, if the source is several.
            chunk: Which rows.
        """
        found = {each.row: each for each in self._between(chunk.first_row, chunk.last_row)}
        yield _HeldEndings(chunk, files, found)

    def _between(self, first_row: int, last_row: int) -> Iterator[RowResult]:
        near = (s for s in self._saved if s.first_row <= last_row and s.last_row >= first_row)
        for some in (*map(self._read, near), self._results):
            yield from (each for each in some if first_row <= each.row <= last_row)

    def _save(self) -> None:
        results = sorted(self._results, key=attrgetter("row"))
        _group(results, self._reasons)
        offset = end = sum(each.size for each in self._saved)
        pieces: list[bytes] = []
        for at in range(0, len(results), _READ_AT_ONCE):
            some = results[at : at + _READ_AT_ONCE]
            encoded = msgpack.encode([*map(cells_of, some)])
            self._saved.append(_Saved(some[0].row, some[-1].row, end, len(encoded)))
            pieces.append(encoded)
            end += len(encoded)
        write_at(self._file, offset, b"".join(pieces))
        self._results, self._bytes = [], 0

    def _read(self, saved: _Saved) -> list[RowResult]:
        try:
            members = _decoder.decode(read_at(self._file, saved.offset, saved.size))
        except (MsgspecError, ValueError) as error:  # before msgspec 0.23 it is no ValueError
            raise UnreadableRowsError(f"{self._file}: {error}") from error
        return [
            RowResult(row, status, record, created, code, message, (fields,) if fields else ())
            for row, status, record, created, code, message, fields in members
        ]


class _HeldEndings:
    """Those of one chunk."""

    def __init__(
        self, chunk: RowChunk, files: Sequence[tuple[int, str]], results: dict[int, RowResult]
    ) -> None:
        self._every = range(chunk.first_row, chunk.last_row + 1)
        self._files = files
        self._results = results
        self._found: list[RowResult] = []
        # Rows mostly fail for the same few reasons.
        self._said = lru_cache(_SAID_KEPT)(_said_cells)

    def find(self, rows: Sequence[int] | None) -> bytes:
        """Find what became of rows, as `Endings` says."""
        known = self._results
        wanted = self._every if rows is None else rows
        self._found = [known.get(r) or RowResult(r, RowStatus.UNPROCESSED) for r in wanted]
        return bytes([_SIGNS[each.status] for each in self._found])

    def cells(self, status: RowStatus, columns: Sequence[str]) -> tuple[bytes, int]:
        """Plain CSV of what is known of the rows with a status, and how many there are."""
        lines = [self._line(each, columns) for each in self._found if each.status is status]
        return b"".join(lines), len(lines)

    def _line(self, result: RowResult, columns: Sequence[str]) -> bytes:
        """What is known of a row as a line with these columns."""
        row = result.row
        said = self._said(result.code, result.message, result.fields)
        known: dict[str, bytes] = dict(zip(_SAID_COLUMNS, said, strict=True))
        known["sf__Row"] = b"%d" % row
        known["sf__Id"], known["sf__Created"] = _text(result.id), _text(result.created)
        if self._files:
            (place,) = file_cells(self._files, row, row + 1)
            known["sf__File"], known["sf__FileRow"], _ = place.split(b",")
        return b",".join([known[each] for each in columns]) + b"\n"


def _group(results: Iterable[RowResult], found: dict[Cells, _Reason]) -> None:
    """Add rows to those with the same error: code, fields and message, but for values in it."""
    said: dict[tuple[str | None, str | None, tuple[str, ...]], list[int]] = {}
    for each in results:
        if each.status in _WITH_REASONS:
            said.setdefault((each.code, each.message, each.fields), []).append(each.row)
    for (code, message, fields), rows in said.items():
        key = (code or None, _joined(fields), values_taken_out(message) if message else None)
        own = _Reason(len(rows), min(rows), code or "", message or "")
        other = found.get(key)
        if other is not None:
            first = min(own, other, key=attrgetter("first_row"))
            own = _Reason(own.rows + other.rows, first.first_row, first.code, first.message)
        found[key] = own


def _said_cells(code: str | None, message: str | None, fields: tuple[str, ...]) -> list[bytes]:
    """What the org said of a row, as cells of plain CSV."""
    return [_text(each) for each in (code, message, _joined(fields))]


def _text(cell: object) -> bytes:
    if isinstance(cell, bool):
        return b"true" if cell else b"false"
    return as_written(str(cell)).encode(errors="replace") if cell else b""
