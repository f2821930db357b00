"""The rows of one chunk as pieces of the result files: each as it was read, then how it ended.

A row is not parsed again where it was read as plain CSV already. Knows staged rows and the table
`outcome`. Knows nothing of how a result was obtained.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import chain, compress, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from runner.luajit import compiled
from runner.outcome import RowStatus
from runner.tables.database import UnreadableRowsError
from runner.tables.plain_csv import (
    BUFFER_BYTES,
    as_written,
    bare_rows,
    is_plain,
    read_blocks,
    record_blocks,
    records_of,
)
from runner.tables.results.outcome_table import STATUS_SQL
from runner.tables.results.succeeded_lines import SucceededLines, SucceededRows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.local_files import checksum_of
from runner.tables.staging.rows import StagedRows

if TYPE_CHECKING:
    from runner.tables import duckdb

_SQL_OF_COLUMN = {
    "sf__Row": "row",
    "sf__File": "file",
    "sf__FileRow": "file_row",
    "sf__Id": "id",
    "sf__Created": "created",
    "sf__Code": "code",
    "sf__Message": "message",
    "sf__Fields": "fields",
    "sf__Checksum": "checksum",
}
_STATUSES = tuple(RowStatus)
_FIRST_SIGN = 97
"""A status is one character: `a` is the first one in the order of its type."""
_WRITTEN_AT_ONCE = 1_000
_PUT_TOGETHER = Path(__file__).with_suffix(".lua")
_COMPILED_BYTES = 32_000
"""Records put together at once: so few that they stay in the processor's cache."""
_READ_BYTES = 64_000
_MOST_BYTES_IN_MEMORY = 16_000_000
"""Of a piece: a few times what the rows of a chunk mostly take."""


class PieceWriter(Struct, frozen=True):
    """Writes the pieces of chunks of the same staged rows; several threads may do so at once."""

    staging: StagedRows
    own: Sequence[int]
    """The places of those of the source's columns that are in the files."""
    added: Mapping[RowStatus, Sequence[str]]
    """The columns that follow in each file; rows of other statuses are in none."""
    succeeded: SucceededLines
    """Rows that are not in the table `outcome`."""

    def write(self, chunk: RowChunk) -> dict[RowStatus, Iterable[bytes]]:
        """Write a chunk's rows as pieces of the result files.

        Raises:
            UnreadableRowsError: The rows are not those that were staged.
        """
        known = self.succeeded.between(chunk.first_row, chunk.last_row)
        asked = None if known is None else known.others
        with self.staging.database.cursor() as cursor:
            signs = b""
            if asked is None or asked:
                self._find_ends(cursor, chunk, asked)
                signs = self._signs(cursor)
            ended = {_STATUSES[sign - _FIRST_SIGN]: sign for sign in sorted(set(signs))}
            listed = {status: sign for status, sign in ended.items() if status in self.added}
            pieces: dict[RowStatus, Iterable[bytes]] = {}
            records: list[bytes] = []
            if known is None:
                if listed:
                    records = _records(self._content(cursor, chunk), chunk)
            else:
                if (sign := listed.pop(RowStatus.SUCCEEDED, None)) is not None:
                    others = compress(known.others, _where(signs, sign))
                    known = self._completed(cursor, chunk, known, others)
                left: list[bytes] = []
                lines = self._lines(cursor, chunk, known, left)
                pieces[RowStatus.SUCCEEDED] = self._piece(lines)
                without_line = dict(zip(known.others, left, strict=True))
                records = [without_line.get(row, b"") for row in asked or ()]
            for status, sign in listed.items():
                own = compress(records, _where(signs, sign))
                pieces[status] = self._write_piece(cursor, chunk, status, own)
            return pieces

    def _completed(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        known: SucceededRows,
        others: Iterable[int],
    ) -> SucceededRows:
        """Add the lines of other rows that succeeded, whose results were not in order."""
        wanted = f"SELECT id, created FROM ended WHERE {_is(RowStatus.SUCCEEDED)}"
        content, count = self._csv(cursor, chunk, "lines", wanted)
        return known.with_rows(dict(zip(others, records_of(content, count), strict=True)))

    def _signs(self, cursor: duckdb.DuckDBPyConnection) -> bytes:
        """The status of each row, in order, as one character."""
        unknown = _STATUSES.index(RowStatus.UNPROCESSED)
        sign = f"chr({_FIRST_SIGN} + coalesce(CAST(enum_code(status) AS INT), {unknown}))"
        query = f"SELECT string_agg({sign}, '') FROM ended"
        return str(cursor.execute(query).fetchall()[0][0]).encode()

    def _write_piece(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        status: RowStatus,
        records: Iterable[bytes],
    ) -> Iterable[bytes]:
        cells = ", ".join(_SQL_OF_COLUMN[each] for each in self.added[status])
        wanted = f"SELECT {cells} FROM ended WHERE {_is(status)}"
        content, count = self._csv(cursor, chunk, status, wanted)
        if not self.own:
            return self._piece([content])
        # A short row takes several times its length as an object: one at a time is enough.
        has_lines = content.count(b"\n") == count
        ends = BytesIO(content) if has_lines else (e + b"\n" for e in records_of(content, count))
        lines = map(b",".join, zip(records, ends, strict=True))
        return self._piece(iter(lambda: b"".join(islice(lines, _WRITTEN_AT_ONCE)), b""))

    def _csv(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, name: str, query: str
    ) -> tuple[bytes, int]:
        """The rows of a query as CSV, and how many there are."""
        file = self.staging.folder / f"{name}-{chunk.stem.name}.csv"
        ((count,),) = cursor.execute(copy_csv(query, file, header=False)).fetchall()
        content = file.read_bytes()
        file.unlink()
        return content, count

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

    def _find_ends(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, rows: Sequence[int] | None
    ) -> None:
        """Make the relation `ended` of how these rows of a chunk ended, in order; None is all."""
        outcome = f"(FROM outcome WHERE row BETWEEN {chunk.first_row} AND {chunk.last_row})"
        files = _file_cells(self.staging.files, chunk)
        if rows is not None and not chunk.unchanged:  # mostly few, of which each has an outcome
            cursor.execute(f"CREATE TEMP VIEW ended AS SELECT *{files} FROM {outcome} ORDER BY row")
            if cursor.execute("SELECT count(*) FROM ended").fetchall()[0][0] == len(rows):
                return
            cursor.execute("DROP VIEW ended")
        numbers = f"(SELECT range AS row FROM range({chunk.first_row}, {chunk.last_row + 1}))"
        given: dict[str, list[int]] = {}
        if rows is not None:
            numbers = "(SELECT unnest($rows) AS row)"
            given["rows"] = list(rows)
        shown = "*"
        if chunk.unchanged:  # what is not sent, and has no problem
            kept = f"(SELECT row, true AS is_kept FROM {chunk.sent_numbers()})"
            numbers = f"(FROM {numbers} LEFT JOIN {kept} USING (row))"
            status = STATUS_SQL[RowStatus.UNCHANGED]
            status = f"coalesce(status, CASE WHEN is_kept IS NULL THEN {status} END) AS status"
            shown = f"* EXCLUDE (is_kept) REPLACE ({status})"
        cursor.execute(
            f"CREATE TEMP TABLE ended AS SELECT {shown}{files}"
            f" FROM {numbers} LEFT JOIN {outcome} USING (row){self._checksums(chunk)}",
            given,
        )

    def _checksums(self, chunk: RowChunk) -> str:
        """SQL that joins the MD5 of the file that each row of a chunk sent, if rows have files."""
        column = self.staging.file_column
        if column is None:
            return ""
        if not chunk.sendable:
            return " CROSS JOIN (SELECT NULL AS checksum)"
        sent = f"SELECT row, {checksum_of(column.cell)} AS checksum FROM {chunk.sent_rows()}"
        return f" LEFT JOIN ({sent}) USING (row)"

    def _lines(
        self,
        cursor: duckdb.DuckDBPyConnection,
        chunk: RowChunk,
        known: SucceededRows,
        left: list[bytes],
    ) -> Iterator[bytes]:
        """The lines of rows that succeeded; the records of the others are added to `left`."""
        put_together = None
        if not self.staging.files:
            put_together = compiled(_PUT_TOGETHER, chunk.read_file.stat().st_size)
        if put_together is None:
            records = _records(self._content(cursor, chunk), chunk)
            left += [records[row - known.first_row] for row in known.others]
            yield from known.after(records, self.staging.files)
            return
        others = array("Q", known.others).tobytes()
        following = put_together(known.text, known.first_row, others)
        rows = 0
        with suppress(ValueError):  # a quote is never closed
            for block in self._blocks(cursor, chunk):
                text, rest, missing, count = following(block)
                left += records_of(rest, missing)
                rows += count
                yield text
        if rows != chunk.rows or not following(b""):
            raise _other_rows(chunk)

    def _blocks(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk) -> Iterator[bytes]:
        """What `_content` gives, in blocks of whole records, and mostly not all in memory.

        Raises:
            ValueError: A quote is never closed.
        """
        columns = self.staging.source_columns
        are_all = chunk.dialect.columns == tuple(columns) and len(self.own) == len(columns)
        if are_all and chunk.dialect.is_plain(columns) and chunk.is_sent_as_read:
            with chunk.read_file.open("rb", buffering=BUFFER_BYTES) as stream:
                yield from read_blocks(stream, _COMPILED_BYTES)
            return
        content = self._content(cursor, chunk)
        for start, end in record_blocks(content, _COMPILED_BYTES):
            yield content[start:end]

    def _content(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk) -> bytes:
        """The source's own cells of each row, as plain CSV."""
        columns = self.staging.source_columns
        if len(self.own) == len(columns):
            content = plain_content(chunk, columns)
            if content is not None:
                return content
        if not self.own:
            return b"\n" * chunk.rows
        cells = ", ".join(f"s{place}" for place in self.own)
        query = f"SELECT {cells} FROM {chunk.source_rows(columns)}"
        return self._csv(cursor, chunk, "own", query)[0]


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


def _where(signs: bytes, sign: int) -> bytes:
    """A byte for each of some: 1 where it is this one, else 0."""
    return signs.translate(bytes(each == sign for each in range(256)))


def _file_cells(files: Sequence[tuple[int, str]], chunk: RowChunk) -> str:
    """SQL of the file that each row of a chunk comes from, and of its number in the file."""
    if not files:
        return ""
    last = [each for each in files if each[0] <= chunk.first_row][-1:]
    inside = [*last, *(each for each in files if chunk.first_row < each[0] <= chunk.last_row)][::-1]
    names = " ".join(f"WHEN row >= {row} THEN {literal(file)}" for row, file in inside)
    numbers = " ".join(f"WHEN row >= {row} THEN row - {row - 1}" for row, _ in inside)
    return f", CASE {names} END AS file, CASE {numbers} END AS file_row"


def _is(status: RowStatus) -> str:
    known = f"status = {literal(status)}"
    return f"(status IS NULL OR {known})" if status is RowStatus.UNPROCESSED else known
