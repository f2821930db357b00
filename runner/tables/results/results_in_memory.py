"""The results of rows that are in no table, because there are few: counted, grouped, written.

A run in which nearly every row succeeds needs no engine for the others. What is written is what
DuckDB would write. Knows results and plain CSV. Knows nothing of how a result was obtained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import ge

from msgspec import Struct

from runner.outcome import RowResult, RowStatus
from runner.redaction import redacted
from runner.tables.database import UnreadableRowsError
from runner.tables.plain_csv import as_written, records_of
from runner.tables.results.messages import values_taken_out
from runner.tables.results.pieces import plain_content
from runner.tables.results.succeeded_lines import SucceededLines, file_cells, nothing_known
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.rows import StagedRows

_FEWEST = 10
"""Rows that are worth a piece of their own among the lines of those that succeeded."""
_MOST_GAPS = 4
"""Rows of a piece, for each of which it has a line."""
_PLAIN_IDS = re.compile("[0-9A-Za-z]*", re.ASCII)
_WITH_REASONS = frozenset({RowStatus.FAILED, RowStatus.IN_DOUBT, RowStatus.SKIPPED})
_COLUMNS = ("sf__Id", "sf__Created", "sf__Code", "sf__Message", "sf__Fields")
Cells = tuple[object, ...]


def cells_of(result: RowResult) -> Cells:
    """Row, status, Id, created, code, message and fields, without secrets."""
    if result.code is None and result.message is None and not result.fields:
        return (result.row, result.status, result.id, result.created, None, None, None)
    said = (result.code, result.message, " ".join(result.fields))
    # The org may repeat a token in a message.
    clean = (redacted(each) if each else each for each in said)
    return (result.row, result.status, result.id, result.created, *clean)


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
    found: dict[tuple[object, ...], list[tuple[int, str, str]]] = {}
    for result in results:
        if result.status in _WITH_REASONS:
            code, message, fields = cells_of(result)[4:]
            said = values_taken_out(str(message)) if message else None
            key = (code or None, fields or None, said)
            found.setdefault(key, []).append((result.row, str(code or ""), str(message or "")))
    groups = [(min(each), len(each)) for each in found.values()]
    groups.sort(key=lambda group: (-group[1], group[0][0]))
    return tuple((code, message, rows, row) for (row, code, message), rows in groups[:most])


class PlainPieces(Struct, frozen=True):
    """Writes the pieces of the only chunk of a source, as `PieceWriter` does."""

    staging: StagedRows
    records: Sequence[bytes]
    """The source's own cells of each row."""
    added: Mapping[RowStatus, Sequence[str]]
    """The columns that follow them in each file."""
    succeeded: SucceededLines
    results: Mapping[int, RowResult]
    """Of rows that are not among those."""

    def write(self, chunk: RowChunk) -> dict[RowStatus, Iterable[bytes]]:
        """Write a chunk's rows as pieces of the result files.

        Raises:
            UnreadableRowsError: The rows are not those that were staged.
        """
        first, files = chunk.first_row, self.staging.files
        if len(self.records) != chunk.rows:
            raise UnreadableRowsError(f"{chunk.read_file} has other rows than were read")
        known = self.succeeded.between(first, chunk.last_row)
        known = known or nothing_known(first, chunk.last_row)
        more = {row: b",".join(self._cells(row)) for row in known.others if self._has_line(row)}
        known = known.with_rows(more) if more else known
        pieces: dict[RowStatus, list[bytes]] = {status: [] for status in self.added}
        pieces[RowStatus.SUCCEEDED] += known.after(self.records, files)
        for row in known.others:
            if self._status(row) not in pieces:  # in no file: it was not to be sent
                continue
            place = b"".join(file_cells(files, row, row + 1)).removesuffix(b",")
            numbers = [b"%d" % row, *([place] if place else [])]
            cells = [self.records[row - first], *numbers, *self._cells(row)]
            pieces[self._status(row)].append(b",".join(cells) + b"\n")
        return {**pieces}

    def _status(self, row: int) -> RowStatus:
        result = self.results.get(row)
        return RowStatus.UNPROCESSED if result is None else result.status

    def _has_line(self, row: int) -> bool:
        return self._status(row) is RowStatus.SUCCEEDED

    def _cells(self, row: int) -> list[bytes]:
        """What follows the number of a row."""
        result = self.results.get(row)
        if result is None:
            return []
        known = dict(zip(_COLUMNS, cells_of(result)[2:], strict=True))
        wanted = self.added[self._status(row)]
        return [_text(known[each]) for each in wanted if each in known]


def plain_pieces(
    staging: StagedRows,
    added: Mapping[RowStatus, Sequence[str]],
    succeeded: SucceededLines,
    results: Sequence[RowResult],
) -> PlainPieces | None:
    """How to write result files without an engine; None if DuckDB has to.

    Args:
        staging: The rows.
        added: The columns that follow the source's own, of which none is left out.
        succeeded: Rows that are not among `results`.
        results: The others that have one.
    """
    if len(staging.chunks) > 1 or any("\0" in (each.message or "") for each in results):
        return None
    records: list[bytes] = []
    for chunk in staging.chunks:
        content = plain_content(chunk, staging.source_columns)
        if content is None:
            return None
        records = records_of(content, chunk.rows)
    return PlainPieces(staging, records, added, succeeded, {each.row: each for each in results})


def _text(cell: object) -> bytes:
    if isinstance(cell, bool):
        return b"true" if cell else b"false"
    return as_written(str(cell)).encode(errors="replace") if cell else b""
