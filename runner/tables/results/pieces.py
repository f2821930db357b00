"""The rows of one chunk as pieces of the result files: each as it was read, then how it ended.

A row is not parsed again where it was read as plain CSV already. Knows staged rows and lines of
rows that succeeded. Knows nothing of how a result was obtained, or of where the others are.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from io import SEEK_END, BufferedIOBase, BufferedReader, BytesIO
from itertools import chain, compress, islice
from pathlib import Path
from typing import IO, Protocol

from msgspec import Struct

from runner.luajit import compiled
from runner.outcome import Counts, RowStatus
from runner.tables.database import UnreadableRowsError
from runner.tables.plain_csv import (
    as_written,
    bare_rows,
    is_plain,
    records_of,
)
from runner.tables.results.succeeded_lines import SucceededLines, SucceededRows
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.rows import StagedRows
from runner.tables.window import Window

IN_DOUBT_FILE = f"{RowStatus.IN_DOUBT}.csv"
"""Written only if rows are in doubt."""
UNPROCESSED_FILE = f"{RowStatus.UNPROCESSED}.csv"
SKIPPED_FILE = f"{RowStatus.SKIPPED}.csv"
"""Written only if rows are skipped."""
_FAILED_COLUMNS = ("sf__Row", "sf__Id", "sf__Code", "sf__Message", "sf__Fields")
_COLUMNS_OF = {
    RowStatus.SUCCEEDED: ("sf__Row", "sf__Id", "sf__Created"),
    RowStatus.FAILED: _FAILED_COLUMNS,
    RowStatus.UNPROCESSED: ("sf__Row",),
}
_FILE_COLUMNS = ("sf__File", "sf__FileRow")
"""After the row's number, if the source is several files."""
_STATUSES = tuple(RowStatus)
FIRST_SIGN = 97
"""A status is one character: `a` is the first one in the order of its type."""
_WRITTEN_AT_ONCE = 1_000
_PUT_TOGETHER = Path(__file__).with_suffix(".lua")
_COMPILED_BYTES = 100_000
"""Records put together at once: so few that they stay in the processor's cache."""
_READ_BYTES = 64_000
_MOST_BYTES_IN_MEMORY = 16_000_000
"""Of a piece: a few times what the rows of a chunk mostly take."""


def columns_added(
    staging: StagedRows, counts: Counts, *, under_way: int
) -> dict[RowStatus, tuple[str, ...]]:
    """The columns that follow the source's own in each file.

    Args:
        staging: The rows.
        counts: How they ended.
        under_way: Rows in doubt that are in no file.
    """
    added: dict[RowStatus, tuple[str, ...]] = dict(_COLUMNS_OF)
    if counts.in_doubt > under_way:
        added[RowStatus.IN_DOUBT] = _FAILED_COLUMNS
    if counts.skipped:
        added[RowStatus.SKIPPED] = ("sf__Row", "sf__Code", "sf__Message")
    if staging.file_column is not None:
        added[RowStatus.SUCCEEDED] += ("sf__Checksum",)
    if staging.files:
        added = {status: (row, *_FILE_COLUMNS, *rest) for status, (row, *rest) in added.items()}
    return added


class Endings(Protocol):
    """How rows of a chunk ended that have no line; for one thread."""

    def find(self, rows: Sequence[int] | None) -> bytes:
        """Find what became of rows, which are in order; None: of all of the chunk.

        Returns:
            The status of each as one character: `FIRST_SIGN` is the first of `RowStatus`.
        """

    def cells(self, status: RowStatus, columns: Sequence[str]) -> tuple[bytes, int]:
        """Plain CSV of what is known of the rows with a status, and how many there are."""


class PieceWriter(Struct, frozen=True):
    """Writes the pieces of chunks of the same staged rows; several threads may do so at once."""

    staging: StagedRows
    own: Sequence[int]
    """The places of those of the source's columns that are in the files."""
    added: Mapping[RowStatus, Sequence[str]]
    """The columns that follow in each file; rows of other statuses are in none."""
    succeeded: SucceededLines
    """Rows that have a line there."""
    endings: Callable[[RowChunk], AbstractContextManager[Endings]]
    """What became of the other rows of a chunk."""

    def write(self, chunk: RowChunk) -> dict[RowStatus, Iterable[bytes]]:
        """Write a chunk's rows as pieces of the result files.

        Raises:
            UnreadableRowsError: The rows are not those that were staged.
        """
        known = self.succeeded.between(chunk.first_row, chunk.last_row)
        asked = None if known is None else known.others
        with self.endings(chunk) as endings:
            signs = endings.find(asked) if asked is None or asked else b""
            ended = {_STATUSES[sign - FIRST_SIGN]: sign for sign in sorted(set(signs))}
            listed = {status: sign for status, sign in ended.items() if status in self.added}
            pieces: dict[RowStatus, Iterable[bytes]] = {}
            records: list[bytes] = []
            if known is None:
                if listed:
                    records = _records(self._content(chunk), chunk)
            else:
                if (sign := listed.pop(RowStatus.SUCCEEDED, None)) is not None:
                    known = _completed(known, compress(known.others, _where(signs, sign)), endings)
                left: list[bytes] = []
                lines = self._lines(chunk, known, left)
                pieces[RowStatus.SUCCEEDED] = self._piece(lines)
                without_line = dict(zip(known.others, left, strict=True))
                records = [without_line.get(row, b"") for row in asked or ()]
            for status, sign in listed.items():
                own = compress(records, _where(signs, sign))
                pieces[status] = self._write_piece(endings, status, own)
            return pieces

    def _write_piece(
        self, endings: Endings, status: RowStatus, records: Iterable[bytes]
    ) -> Iterable[bytes]:
        content, count = endings.cells(status, self.added[status])
        if not self.own:
            return self._piece([content])
        # A short row takes several times its length as an object: one at a time is enough.
        has_lines = content.count(b"\n") == count
        ends = BytesIO(content) if has_lines else (e + b"\n" for e in records_of(content, count))
        lines = map(b",".join, zip(records, ends, strict=True))
        return self._piece(iter(lambda: b"".join(islice(lines, _WRITTEN_AT_ONCE)), b""))

    def _piece(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Make all blocks; they are in a file if they are long."""
        made: list[bytes] = []
        size = 0
        others = iter(blocks)
        for block in others:
            made.append(block)
            size += len(block)
            if size > _MOST_BYTES_IN_MEMORY:
                break
        else:
            return made
        from tempfile import TemporaryFile

        file = TemporaryFile(dir=self.staging.folder)  # noqa: SIM115 - open until it is read
        file.writelines(chain(made, others))
        file.seek(0)
        return _all_of(file)

    def _lines(self, chunk: RowChunk, known: SucceededRows, left: list[bytes]) -> Iterator[bytes]:
        """The lines of rows that succeeded; the records of the others are added to `left`."""
        put_together = None
        if not self.staging.files:
            put_together = compiled(_PUT_TOGETHER, chunk.read_file.stat().st_size)
        if put_together is None:
            records = _records(self._content(chunk), chunk)
            left += [records[row - known.first_row] for row in known.others]
            yield from known.after(records, self.staging.files)
            return
        following = put_together(known.text, known.first_row, array("Q", known.others).tobytes())
        with self._stream(chunk) as stream:
            window = Window(stream, _COMPILED_BYTES)
            rows = 0
            while window.read_on():
                text, rest, missing, count, used = following(*window.place)
                if not used:
                    if window.is_last:
                        break
                    window.widen()
                left += records_of(rest, missing)
                rows += count
                window.use(used)
                yield text
        if rows != chunk.rows or not following(0, 0):
            raise _other_rows(chunk)

    def _stream(self, chunk: RowChunk) -> BufferedIOBase:
        """What `_content` gives, without reading it if the file has just that."""
        columns = tuple(self.staging.source_columns)
        has_own = len(self.own) == len(columns) and chunk.dialect.columns == columns
        if has_own and chunk.dialect.is_plain(columns) and chunk.is_sent_as_read:
            stream = chunk.read_file.open("rb")
            if _ends_line(stream):
                return stream
            stream.close()
        return BytesIO(self._content(chunk))

    def _content(self, chunk: RowChunk) -> bytes:
        """The source's own cells of each row, as plain CSV."""
        columns = self.staging.source_columns
        if len(self.own) == len(columns):
            content = plain_content(chunk, columns)
            if content is not None:
                return content
        if not self.own:
            return b"\n" * chunk.rows
        from runner.tables.results.table_endings import csv_of

        cells = ", ".join(f"s{place}" for place in self.own)
        query = f"SELECT {cells} FROM {chunk.source_rows(columns)}"
        with self.staging.database.cursor() as cursor:
            return csv_of(query, cursor, self.staging.folder / f"own-{chunk.stem.name}.csv")[0]


def _completed(known: SucceededRows, others: Iterable[int], endings: Endings) -> SucceededRows:
    """Add the lines of other rows that succeeded, whose results were not in order."""
    content, count = endings.cells(RowStatus.SUCCEEDED, ("sf__Id", "sf__Created"))
    return known.with_rows(dict(zip(others, records_of(content, count), strict=True)))


def _all_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(partial(file.read, _READ_BYTES), b"")


def _records(content: bytes, chunk: RowChunk) -> list[bytes]:
    records = records_of(content, chunk.rows)
    if records and len(records) != chunk.rows:
        raise _other_rows(chunk)
    return records


def _other_rows(chunk: RowChunk) -> UnreadableRowsError:
    return UnreadableRowsError(f"{chunk.read_file} has other rows than were read")


def plain_content(chunk: RowChunk, columns: Sequence[str]) -> bytes | None:
    """A chunk's rows as they are written, if that is nearly how they were read; None if not."""
    if chunk.dialect.columns != tuple(columns):
        return None
    content = chunk.read_file.read_bytes()
    if not chunk.dialect.is_plain(columns):
        if bare_rows(content, chunk.dialect) != chunk.rows:
            return None
        lines = content.decode().split("\n")[:-1]
        cells = (line.split(chunk.dialect.delimiter) for line in lines)
        return "".join([",".join(map(as_written, row)) + "\n" for row in cells]).encode()
    content = content if content.endswith(b"\n") else content + b"\n"
    if chunk.is_sent_as_read or is_plain(content, chunk.rows, len(columns)):
        return content
    return None


def _ends_line(stream: BufferedReader) -> bool:
    """Whether a line feed is the last of a file; it is at its start then."""
    stream.seek(-min(1, stream.seek(0, SEEK_END)), SEEK_END)
    is_line_feed = stream.read(1) == b"\n"
    stream.seek(0)
    return is_line_feed


def _where(signs: bytes, sign: int) -> bytes:
    """A byte for each of some: 1 where it is this one, else 0."""
    return signs.translate(bytes(each == sign for each in range(256)))
