"""The rows of one write task on this machine: read once, mapped, kept until the task is over.

Source records come in slabs; each becomes files of its rows as read and as they are to be sent (see
`slab`), several slabs side by side. Memory does not grow with the source, and rows keep their
numbers. Knows nothing of the org.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from runner.errors import SourceError, StateError
from runner.files import unwritable
from runner.job.model import Blank
from runner.outcome import RowResult, RowStatus
from runner.parallel import parallel_map
from runner.tables.database import Database, state_errors
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.field_types import MappedColumn
from runner.tables.sources.chunks import UncutError
from runner.tables.sources.csv import PLAIN_CSV, Records, called, load_error, own_columns
from runner.tables.sources.open import AnySource, notes_of, open_source
from runner.tables.sql import CsvDialect, copy_csv, read_records
from runner.tables.staging.canonical_values import MACROS
from runner.tables.staging.chunk import (
    Slab,
    read_file,
    rejected_file,
    sent_between,
    sent_file,
    union,
)
from runner.tables.staging.json_values import JsonValue, with_json_values
from runner.tables.staging.mapping import (
    BETWEEN_MEMBERS,
    BETWEEN_PROBLEMS,
    Plan,
    check,
    plan,
    select,
)
from runner.tables.staging.parts import MOST_BYTES, Limits, Part, PartWriter

Record = dict[str, JsonValue]
_FETCHED_ROWS = 2_000


class StagedRows:
    """One task's rows.

    Attributes:
        columns: The source's columns that can be mapped by their name alone.
        plans: How each mapped column is computed.
        slabs: Where the rows are.
        source_sha256: Of the rows as they were read; tells a source that has changed.
        files: Where a source is many files, the number of each one's first row, and its name.
        blank: What an empty value does to its field.
        disk: How much the run's files may take.
    """

    def __init__(self, folder: Path, disk: Disk = UNBOUNDED) -> None:
        self._folder = folder
        self.disk = disk
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        self.database = Database(folder, most_spilled_bytes=disk.most_bytes)
        for macro in MACROS:
            self.database.connection.execute(macro)
        self._records: tuple[Records, ...] = ()
        self._numbers = count()
        self.columns: tuple[str, ...] = ()
        self.plans: tuple[Plan, ...] = ()
        self.slabs: tuple[Slab, ...] = ()
        self.blank = Blank.KEEP
        self.source_sha256 = ""
        self.files: tuple[tuple[int, str], ...] = ()
        self._columns: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where this task's files are kept."""
        return self._folder

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns of the source, `sf__` ones too, in the order of `s0, s1, …`."""
        return self._records[0].columns if self._records else self._columns

    def load(self, source: AnySource) -> None:
        """Open a source and read its header; its rows are read by `map`.

        Raises:
            SourceError: The source cannot be read or its header is wrong.
        """
        self._records = open_source(source, self._folder, self.disk)
        self.columns = own_columns(self.source_columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the source was read."""
        return notes_of(self._records)

    def map(
        self, columns: Sequence[MappedColumn], *, blank: Blank = Blank.KEEP, timezone: str = "UTC"
    ) -> None:
        """Read every row, once, and compute what is to be sent.

        A row with a value that does not fit its field, an expression that fails, or a blank
        required field is kept as rejected. Called once after `load`.

        Args:
            columns: What to send, in the order it is to be sent.
            blank: What an empty value does to its field.
            timezone: IANA name; the zone of datetimes that have none.

        Raises:
            SourceError: A row, byte, column or expression that is wrong for the whole source.
            StateError: The rows cannot be kept, for want of room for one.
        """
        if not self._records:
            raise StateError("Rows are mapped before a source is loaded.")
        self.blank = blank
        self._set_timezone(timezone)
        self.plans = plan(columns, self.source_columns, self._records[0].shape)
        check(self.database.connection, self.plans, self.source_columns)
        begun: list[tuple[int, Path]] = []
        digests: list[str] = []
        for records in self._records:
            before = self.rows_total
            with called(records.place, records.path):
                digests.append(self._taken_in(records))
            files = records.files or ((0, records.path),)
            begun += [(before + 1 + rows, file) for rows, file in files]
        self.files = _named(begun)
        joined = hashlib.sha256("".join(digests).encode()).hexdigest()
        self.source_sha256 = digests[0] if len(digests) == 1 else joined

    def restore(
        self,
        columns: Sequence[MappedColumn],
        source_columns: tuple[str, ...],
        slabs: tuple[Slab, ...],
        *,
        blank: Blank,
        timezone: str,
    ) -> None:
        """Go on with rows that another staging has mapped and that are in the database again."""
        self._columns = source_columns
        self.columns = own_columns(source_columns)
        self.blank = blank
        self._set_timezone(timezone)
        self.plans = plan(columns, source_columns, PLAIN_CSV)
        self.slabs = slabs

    @property
    def rows_total(self) -> int:
        """Rows of the source."""
        return sum(slab.rows for slab in self.slabs)

    @property
    def rejected_total(self) -> int:
        """Rows that are not sent."""
        return sum(slab.rejected for slab in self.slabs)

    def rejected(self, limit: int | None = None) -> Iterator[RowResult]:
        """Give the rows that are not sent, with why, in their order."""
        asked = (f"FROM {slab.rejections()}" for slab in self.slabs if slab.rejected)
        rows = (row for query in asked for row in self._rows(query))
        return (_rejection(number, problem) for number, problem in islice(rows, limit))

    def records(self, after_row: int = 0, limit: int = 200) -> list[tuple[int, Record]]:
        """Give the next rows to send as JSON objects; an empty list at the end.

        For many requests `batches` is the cheaper way.
        """
        return next(self.batches(limit, after_row=after_row), [])

    def batches(self, size: int, *, after_row: int = 0) -> Iterator[list[tuple[int, Record]]]:
        """Give the rows to send in their order, `size` at a time, as (row number, fields).

        Values are of JSON's types. A number with more digits than a double holds is given as
        text, which the org reads as a number. Blank: the field is left out, or None where
        `blank: clear`. `#N/A` gives None.
        """
        fields = tuple((p.column.field, p.column.kind) for p in self.plans)
        rows = (
            (number, with_json_values(fields, tuple(texts), self.blank))
            for number, *texts in self._sendable(after_row)
        )
        while batch := list(islice(rows, size)):
            yield batch

    def write_parts(
        self, folder: Path, max_bytes: int = MOST_BYTES, max_rows: int | None = None
    ) -> list[Part]:
        """Write the rows to send as Bulk API 2.0 CSV, in their order.

        Args:
            folder: Where to; made where it is missing.
            max_bytes: No part is larger.
            max_rows: No part has more rows.

        Raises:
            SourceError: One row alone is larger than a part may be.
            StateError: A part cannot be written.
        """
        return list(self.parts(folder, max_bytes, max_rows))

    def parts(
        self, folder: Path, max_bytes: int = MOST_BYTES, max_rows: int | None = None
    ) -> Iterator[Part]:
        """Like `write_parts`, each part made when it is asked for."""
        limits = Limits(max_bytes, max_rows)
        columns = tuple(plan.column.field for plan in self.plans)
        for part in PartWriter(self.database, columns, folder, limits).write(self.slabs):
            self.disk.grew(part.bytes)
            yield part

    def duplicate_keys(self, field: str, limit: int = 10) -> list[tuple[str, int]]:
        """Find values that more than one row would send for a field, the commonest first."""
        cell = next(p.cell for p in self.plans if p.column.field.lower() == field.lower())
        if not self.slabs:
            return []
        query = (
            f"SELECT {cell} AS key, count(*) AS rows FROM {union(s.sent() for s in self.slabs)}"
            " GROUP BY key HAVING rows > 1 AND key IS NOT NULL"
            f" ORDER BY rows DESC, key LIMIT {limit}"
        )
        return list(self._rows(query))

    def discard(self) -> None:
        """Close and delete everything that was kept for the task."""
        self.database.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _set_timezone(self, timezone: str) -> None:
        import duckdb

        try:
            self.database.set_timezone(timezone)
        except duckdb.Error as error:
            raise SourceError(
                f"There is no time zone {timezone!r}.", hint="Write one like Europe/Berlin."
            ) from error

    def _taken_in(self, records: Records) -> str:
        """Stage records the fast way, or in plain spelling; gives the digest of what was read."""
        import duckdb

        try:
            self.slabs += self._staged(records)
        except (duckdb.Error, UncutError) as error:
            is_misread = isinstance(error, duckdb.InvalidInputException | UncutError)
            if records.respell is None or not is_misread:
                raise load_error(records.path, error) from error
        else:
            return records.digest.hexdigest()
        # Either this finds what is wrong, with its row, or the spelling alone was in the way.
        plain = records.respell(self._folder / "respelled.csv")
        try:
            self.slabs += self._staged(plain)
        except (duckdb.Error, UncutError) as error:
            raise load_error(records.path, error) from error
        return plain.digest.hexdigest()

    def _staged(self, records: Records) -> tuple[Slab, ...]:
        if not records.columns:
            return ()
        slabs: list[Slab] = []
        first_row = self.rows_total + 1
        pieces = zip(self._numbers, records.slabs(), strict=False)
        for slab in parallel_map(lambda piece: self._stage(records, *piece), pieces):
            slabs.append(replace(slab, first_row=first_row))
            first_row += slab.rows
        return tuple(slab for slab in slabs if slab.rows)

    def _stage(self, records: Records, index: int, piece: bytes) -> Slab:
        stem = self._folder / f"slab-{index}"
        reading = records.dialect(piece)
        try:
            read_file(stem).write_bytes(piece)
            rows, rejected = self._mapped(stem, reading)
            sent_bytes = sent_file(stem).stat().st_size
            self.disk.grew(len(piece) + sent_bytes)
        except OSError as error:
            raise unwritable(stem, error) from error
        return Slab(stem, reading, rows, rejected, len(self.plans), sent_bytes)

    def _mapped(self, stem: Path, reading: CsvDialect) -> tuple[int, int]:
        """Write the rows to send, and those that are not; gives how many there are of both."""
        read = read_records(read_file(stem), reading, self.source_columns)
        cells = ", ".join(plan.cell for plan in self.plans)
        query = select(self.plans, self.source_columns, read, self.blank)
        with self.database.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE staged AS {query}")
            counted = "SELECT count(*), count(problem) FROM staged"
            rows, rejected = cursor.execute(counted).fetchall()[0]
            sent = f"SELECT {cells} FROM staged WHERE problem IS NULL"
            cursor.execute(copy_csv(sent, sent_file(stem), header=False))
            if rejected:
                told = "SELECT rowid + 1, problem FROM staged WHERE problem IS NOT NULL"
                cursor.execute(copy_csv(told, rejected_file(stem), header=False))
        return rows, rejected

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        with state_errors("Staged rows cannot be read"), self.database.cursor() as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_FETCHED_ROWS):
                yield from rows

    def _sendable(self, after_row: int) -> Iterator[tuple[Any, ...]]:
        for slab in self.slabs:
            if slab.last_row > after_row:
                sent = sent_between((slab,), after_row + 1, slab.last_row)
                yield from self._rows(f"FROM {sent}")


def _named(begun: Sequence[tuple[int, Path]]) -> tuple[tuple[int, str], ...]:
    """Files by their names alone where these tell them apart; none where there is but one."""
    if len(begun) == 1:
        return ()
    names = {file.name for _, file in begun}
    is_told = len(names) == len(begun)
    return tuple((row, file.name if is_told else str(file)) for row, file in begun)


def _rejection(number: int, problem: str) -> RowResult:
    """Read what `mapping` wrote into a row's `problem`."""
    found = [each.split(BETWEEN_MEMBERS) for each in problem.split(BETWEEN_PROBLEMS)]
    return RowResult(
        row=number,
        status=RowStatus.FAILED,
        code=found[0][0],
        message="; ".join(message for _, _, message in found),
        fields=tuple(dict.fromkeys(field for _, field, _ in found)),
    )
