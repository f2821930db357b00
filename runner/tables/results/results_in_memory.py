"""The results of rows that are in no table, because there are few: counted, grouped, written.

A run in which nearly every row succeeds needs no engine for the others. What is written is what
DuckDB would write. Knows results and plain CSV. Knows nothing of how a result was obtained.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import ge

from runner.outcome import RowResult, RowStatus
from runner.redaction import redacted
from runner.tables.plain_csv import as_written
from runner.tables.results.messages import values_taken_out
from runner.tables.results.pieces import FIRST_SIGN
from runner.tables.results.succeeded_lines import SucceededLines, file_cells
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
_OBJECT_BYTES = 300
"""Of a result, without its message."""
Cells = tuple[object, ...]


def cells_of(result: RowResult) -> Cells:
    """Row, status, Id, created, code, message and fields, without secrets."""
    said = _clean(result.code, result.message, result.fields)
    return (result.row, result.status, result.id, result.created, *said)


def _clean(
    code: str | None, message: str | None, fields: tuple[str, ...]
) -> tuple[str | None, ...]:
    """What the org said of a row: it may repeat a token in a message."""
    said = (code, message, " ".join(fields) or None)
    return tuple(redacted(each) if each else each for each in said)


def bytes_of(results: Iterable[RowResult]) -> int:
    """How much memory results take, about."""
    return sum(_OBJECT_BYTES + len(each.message or "") for each in results)


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


def top_errors(results: Iterable[RowResult], most: int) -> tuple[tuple[str, str, int, int], ...]:
    """The most frequent reasons: code, message of the first such row, count, its number."""
    said: dict[tuple[str | None, str | None, tuple[str, ...]], list[int]] = {}
    for result in results:
        if result.status in _WITH_REASONS:
            said.setdefault((result.code, result.message, result.fields), []).append(result.row)
    found: dict[tuple[str | None, ...], list[tuple[int, str, str, int]]] = {}
    for each, rows in said.items():
        code, message, fields = _clean(*each)
        key = (code or None, fields or None, values_taken_out(message) if message else None)
        first = (min(rows), code or "", message or "", len(rows))
        found.setdefault(key, []).append(first)
    groups = [(min(each)[:3], sum(rows for *_, rows in each)) for each in found.values()]
    groups.sort(key=lambda group: (-group[1], group[0][0]))
    return tuple((code, message, rows, row) for (row, code, message), rows in groups[:most])


class FewResults:
    """The results of rows that are in no table; threads may share it."""

    def __init__(self, results: Iterable[RowResult], files: Sequence[tuple[int, str]]) -> None:
        """Take them in any order, at most one of a row.

        Args:
            results: Of rows.
            files: The first row of each file, and its name, if the source is several.
        """
        self._results = sorted(results, key=lambda each: each.row)
        self._rows = [each.row for each in self._results]
        self._files = files
        # Rows mostly fail for the same few reasons.
        self._cells_of = lru_cache(_SAID_KEPT)(_said_cells)

    @contextmanager
    def of(self, chunk: RowChunk) -> Iterator[_EndingsInMemory]:
        """How the rows of a chunk ended."""
        yield _EndingsInMemory(self, chunk)

    def find(self, rows: Sequence[int]) -> list[RowResult]:
        """The result of each row; rows are in order."""
        start, end = bisect_left(self._rows, rows[0]), bisect_right(self._rows, rows[-1])
        known = {each.row: each for each in self._results[start:end]}
        return [known.get(row) or RowResult(row, RowStatus.UNPROCESSED) for row in rows]

    def line(self, result: RowResult, columns: Sequence[str]) -> bytes:
        """What is known of a row as a line of plain CSV, with these columns."""
        row = result.row
        said = self._cells_of(result.code, result.message, result.fields)
        known: dict[str, bytes] = dict(zip(_SAID_COLUMNS, said, strict=True))
        known["sf__Row"] = b"%d" % row
        known["sf__Id"], known["sf__Created"] = _text(result.id), _text(result.created)
        if self._files:
            (place,) = file_cells(self._files, row, row + 1)
            known["sf__File"], known["sf__FileRow"], _ = place.split(b",")
        return b",".join([known[each] for each in columns]) + b"\n"


class _EndingsInMemory:
    """Those of one chunk."""

    def __init__(self, results: FewResults, chunk: RowChunk) -> None:
        self._of = results
        self._every = range(chunk.first_row, chunk.last_row + 1)
        self._found: list[RowResult] = []

    def find(self, rows: Sequence[int] | None) -> bytes:
        """Find what became of rows, as `Endings` says."""
        self._found = self._of.find(self._every if rows is None else rows)
        return bytes([_SIGNS[each.status] for each in self._found])

    def cells(self, status: RowStatus, columns: Sequence[str]) -> tuple[bytes, int]:
        """Plain CSV of what is known of the rows with a status, and how many there are."""
        lines = [self._of.line(each, columns) for each in self._found if each.status is status]
        return b"".join(lines), len(lines)


def _said_cells(code: str | None, message: str | None, fields: tuple[str, ...]) -> list[bytes]:
    """What the org said of a row, as cells of plain CSV."""
    return [_text(each) for each in _clean(code, message, fields)]


def _text(cell: object) -> bytes:
    if isinstance(cell, bool):
        return b"true" if cell else b"false"
    return as_written(str(cell)).encode(errors="replace") if cell else b""
