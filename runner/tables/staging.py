"""The rows of one write task on this machine: read once, mapped, kept until the task is over.

Source records come in slabs; each becomes a table of staged rows (see `mapping`), several side by
side. DuckDB moves tables to disk as they outgrow its memory, so memory does not grow with the
source, and rows keep their numbers. Knows nothing of the org.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from runner.errors import SourceError, StateError
from runner.job.model import Blank, FileFormat, FileSource
from runner.outcome import RowResult, RowStatus
from runner.tables.conversion import MACROS
from runner.tables.csv_sql import read_csv
from runner.tables.database import Database, first_line, side_by_side, state_errors
from runner.tables.json_values import JsonValue, with_json_values
from runner.tables.kinds import MappedColumn
from runner.tables.lines import UncutError
from runner.tables.mapping import BETWEEN_MEMBERS, BETWEEN_PROBLEMS, Plan, check, plan, select
from runner.tables.parts import MOST_BYTES, Limits, Part, PartWriter
from runner.tables.respell import respell_csv, respell_jsonl
from runner.tables.slab import Slab
from runner.tables.source import (
    PLAIN_CSV,
    Records,
    RowsSource,
    open_csv,
    own_columns,
    size_of,
)
from runner.tables.sql import name

Record = dict[str, JsonValue]
_FETCHED_ROWS = 2_000


class Staging:
    """One task's rows.

    Attributes:
        columns: The source's columns that can be mapped by their name alone.
        plans: How each mapped column is found in a staged row.
        slabs: Where the staged rows are.
        blank: What an empty value does to its field.
        source_sha256: Of the source file's bytes, once its rows are read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{folder} cannot be made: {error.strerror}.") from error
        self.database = Database(folder)
        for macro in MACROS:
            self.database.connection.execute(macro)
        self._source: FileSource | RowsSource | None = None
        self._records: Records | None = None
        self.columns: tuple[str, ...] = ()
        self.plans: tuple[Plan, ...] = ()
        self.slabs: tuple[Slab, ...] = ()
        self.blank = Blank.KEEP
        self.source_sha256 = ""

    @property
    def folder(self) -> Path:
        """Where this task's files are kept."""
        return self._folder

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns of the source, `sf__` ones too, in the order of `s0, s1, …`."""
        return self._records.columns if self._records else ()

    def load(self, source: FileSource | RowsSource) -> None:
        """Open a source and read its header; its rows are read by `map`.

        Raises:
            SourceError: The file cannot be read or its header is wrong.
        """
        self._source = source
        size_of(source.path)
        if isinstance(source, RowsSource):
            self._records = open_csv(source.path, PLAIN_CSV)
        elif source.shape.format is FileFormat.JSONL:
            self._records = respell_jsonl(source.path, source.shape, self._respelled)
        else:
            self._records = open_csv(source.path, source.shape)
        self.columns = own_columns(self._records.columns)

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
        records = self._opened()
        self.blank = blank
        self._set_timezone(timezone)
        self.plans = plan(columns, records.columns)
        check(self.database.connection, self.plans, records.columns)
        try:
            self.slabs = self._staged(records)
        except (duckdb.InvalidInputException, UncutError) as error:
            self.slabs = self._staged_slowly(error)
        except duckdb.Error as error:
            raise _load_error(records.path, error) from error
        self._respelled.unlink(missing_ok=True)
        self.source_sha256 = records.digest.hexdigest()

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
        asked = (
            f"SELECT row, problem FROM {slab.relation} WHERE problem IS NOT NULL ORDER BY row"
            for slab in self.slabs
            if slab.rejected
        )
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
        return PartWriter(self.database, self.plans, self.blank, folder, limits).write(self.slabs)

    def duplicate_keys(self, field: str, limit: int = 10) -> list[tuple[str, int]]:
        """Find values that more than one row would send for a field, the commonest first."""
        cell = next(p.cell for p in self.plans if p.column.field.lower() == field.lower())
        if not self.slabs:
            return []
        query = (
            f"SELECT {cell} AS key, count(*) AS rows FROM {self.relation} WHERE problem IS NULL"
            " GROUP BY key HAVING rows > 1 AND key IS NOT NULL"
            f" ORDER BY rows DESC, key LIMIT {limit}"
        )
        return list(self._rows(query))

    @property
    def relation(self) -> str:
        """SQL of all staged rows with their number as `row`."""
        return "(" + " UNION ALL ".join(f"FROM {slab.relation}" for slab in self.slabs) + ")"

    def discard(self) -> None:
        """Close and delete everything that was kept for the task."""
        self.database.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _respelled(self) -> Path:
        return self._folder / "respelled.csv"

    def _opened(self) -> Records:
        if self._records is None:
            raise StateError("Rows are mapped before a source is loaded.")
        return self._records

    def _set_timezone(self, timezone: str) -> None:
        try:
            self.database.set_timezone(timezone)
        except duckdb.Error as error:
            raise SourceError(
                f"There is no time zone {timezone!r}.", hint="Write one like Europe/Berlin."
            ) from error

    def _staged(self, records: Records) -> tuple[Slab, ...]:
        if not records.columns:
            return ()
        slabs: list[Slab] = []
        first_row = 1
        pieces = enumerate(records.slabs())
        for table, rows, rejected in side_by_side(lambda p: self._stage(records, *p), pieces):
            slabs.append(Slab(table, first_row, rows, rejected))
            first_row += rows
        return tuple(slab for slab in slabs if slab.rows)

    def _stage(self, records: Records, index: int, piece: bytes) -> tuple[str, int, int]:
        table = f"slab_{index}"
        text = self._folder / f"{table}.csv"
        try:
            text.write_bytes(piece)
            shape, columns = records.shape, records.columns
            read = read_csv(
                text,
                columns,
                shape,
                longest_row_bytes=len(piece),
                line_end=records.line_end,
                ragged=records.ragged,
            )
            if len(columns) == 1 and isinstance(self._source, FileSource) and not records.ragged:
                # In a file of one column an empty line cannot be told from a blank: it is no row.
                read = f"(FROM {read} WHERE {name(columns[0])} IS NOT NULL)"
            query = select(self.plans, columns, read)
            with self.database.cursor() as cursor:
                cursor.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")
                counted = f"SELECT count(*), count(problem) FROM {table}"
                rows, rejected = cursor.execute(counted).fetchall()[0]
        except OSError as error:
            raise StateError(f"{text} cannot be written: {error.strerror}.") from error
        finally:
            text.unlink(missing_ok=True)
        return table, rows, rejected

    def _staged_slowly(self, first: Exception) -> tuple[Slab, ...]:
        """Find the row that DuckDB would not read, or read the source in plain spelling."""
        source = self._source
        if not isinstance(source, FileSource) or source.shape.format is FileFormat.JSONL:
            raise _load_error(self._opened().path, first) from first
        records = respell_csv(source.path, source.shape, self._respelled)
        try:
            return self._staged(records)
        except (duckdb.Error, UncutError) as error:
            raise _load_error(source.path, error) from error

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        with state_errors("Staged rows cannot be read"), self.database.cursor() as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_FETCHED_ROWS):
                yield from rows

    def _sendable(self, after_row: int) -> Iterator[tuple[Any, ...]]:
        cells = ", ".join(p.cell for p in self.plans)
        for slab in self.slabs:
            if slab.first_row + slab.rows > after_row + 1:
                yield from self._rows(
                    f"SELECT row, {cells} FROM {slab.relation}"
                    f" WHERE problem IS NULL AND row > {after_row} ORDER BY row"
                )


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


def _load_error(path: Path, error: Exception) -> SourceError | StateError:
    if isinstance(error, UncutError):
        return SourceError(
            f"{path}: a value that begins with a quote is never closed.",
            hint="A quote inside a quoted value is written twice.",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException)):
        return StateError(
            f"{path}: its rows cannot be kept: {first_line(error)}.",
            hint="Check that the disk of the state folder has room.",
        )
    return SourceError(f"{path}: {first_line(error)}.")
