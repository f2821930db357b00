"""What a write would do with each of its staged rows: the result that each would have.

The results are those of a run in which everything succeeds that the org would not certainly
refuse, so that other tasks can be planned on them. Knows staged rows and what their records hold.
Knows nothing of the org.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL
from runner.job.model import Verb
from runner.outcome import Counts, RowStatus
from runner.plan import Change, FieldChanges, PlannedCell, PlannedRow, Refusal
from runner.tables.database import storage_errors
from runner.tables.field_types import NUMBERS, FieldKind
from runner.tables.plans.placeholders import is_placeholder, is_planned, placeholder
from runner.tables.plans.refusals import (
    NO_RECORD,
    SEVERAL_RECORDS,
    FieldRule,
    refusal,
)
from runner.tables.results.row_results import RowResults
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.comparison import KNOWN, LAST_CHANGED, Comparison
from runner.tables.staging.local_files import StagedFile
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import BETWEEN_MEMBERS, problem
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows
from runner.tables.targets.exponents import without_exponent

Relation = Callable[[RowChunk], str]
_FAILURE = "The plan's rows cannot be stored"
_NULL = literal(EXPLICIT_NULL)
_STATUS_OF = {
    Change.CREATE: f"status = {literal(RowStatus.SUCCEEDED)} AND created",
    Change.UPDATE: f"status = {literal(RowStatus.SUCCEEDED)} AND NOT created",
    Change.DELETE: f"status = {literal(RowStatus.SUCCEEDED)}",
    Change.UNDELETE: f"status = {literal(RowStatus.SUCCEEDED)}",
    Change.MERGE: f"status = {literal(RowStatus.SUCCEEDED)}",
    Change.REFUSED: f"status = {literal(RowStatus.FAILED)}",
    Change.SKIPPED: f"status = {literal(RowStatus.SKIPPED)}",
}
_KINDS = {
    Verb.CREATE: (Change.CREATE,),
    Verb.UPDATE: (Change.UPDATE,),
    Verb.UPSERT: (Change.CREATE, Change.UPDATE),
    Verb.DELETE: (Change.DELETE,),
    Verb.UNDELETE: (Change.UNDELETE,),
    Verb.MERGE: (Change.MERGE,),
}


class Write(Struct, frozen=True):
    """What is known of a write besides its rows."""

    verb: Verb
    sobject: str
    key: ColumnMapping | None
    """The column that identifies records."""
    prefix: str = ""
    """The first three characters of each Id of the object."""
    rules: tuple[FieldRule, ...] = ()
    first_number: int = 0
    """Of the placeholders of its new records; no other task of the plan has them."""


class PlannedRows:
    """The rows of one write, each with its planned result."""

    def __init__(self, staging: StagedRows, write: Write, comparison: Comparison | None) -> None:
        """Judge nothing yet.

        Args:
            staging: The rows, with what records hold already left out.
            write: What they are for.
            comparison: Beside what records hold; None where no record is read, as for a create.
        """
        self._staging = staging
        self._write = write
        self._comparison = comparison
        self._connection = staging.database.connection
        self._results = RowResults(staging, verb=write.verb)
        self._results.use_table()
        key = write.key.cell if write.key else None
        self._cells = {each.cell: each.column for each in staging.mappings if each.cell != key}
        self._counts: Counts | None = None
        self._fields: dict[str, list[int]] = {cell: [0, 0] for cell in self._cells}

    def judge(self) -> None:
        """Give each row to send its result, and count the fields that change.

        Raises:
            StateError: The rows cannot be stored.
        """
        with storage_errors(_FAILURE):
            for chunk in self._staging.chunks:
                if chunk.sendable:
                    self._judge(chunk)

    def write_files(self, folder: Path, unchanged: Path | None) -> None:
        """Write the rows by result, as a run would, for other tasks of the plan.

        Args:
            folder: Where to.
            unchanged: A file of unchanged rows that a run sends, and so hands to other tasks.

        Raises:
            StateError: A file cannot be written.
        """
        self._counts = self._results.write_files(folder, unchanged)

    @property
    def counts(self) -> Mapping[Change, int]:
        """Rows of each kind that has any."""
        if self._counts is None:
            self._counts = self._results.counts()
        counts = self._counts
        found = {
            Change.CREATE: counts.created,
            Change.UPDATE: counts.updated,
            Change.DELETE: counts.deleted,
            Change.UNDELETE: counts.undeleted,
            Change.MERGE: counts.merged,
            Change.UNCHANGED: counts.unchanged,
            Change.SKIPPED: counts.skipped,
            Change.REFUSED: counts.failed,
        }
        return {kind: number for kind, number in found.items() if number}

    @property
    def fields(self) -> tuple[FieldChanges, ...]:
        """Fields of updated records that change, the most frequent first."""
        found = [
            FieldChanges(self._cells[cell].label, records, emptied)
            for cell, (records, emptied) in self._fields.items()
            if records
        ]
        return tuple(sorted(found, key=lambda each: -each.records))

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The most frequent reasons why rows fail or are skipped."""
        return tuple(Refusal(*each) for each in self._results.top_errors())

    def first(self, most: int) -> tuple[PlannedRow, ...]:
        """The first rows of each kind.

        Raises:
            StateError: They cannot be read.
        """
        kinds = (*_KINDS[self._write.verb], Change.REFUSED, Change.SKIPPED)
        with storage_errors(_FAILURE):
            found = [row for kind in kinds for row in self._first(kind, most)]
        return tuple(found)

    @property
    def has_placeholders(self) -> bool:
        """Whether rows are for records that do not exist yet, or a cell stands for one."""
        if self._comparison is not None:
            query = f"SELECT 1 FROM {KNOWN} WHERE {is_placeholder('id')} LIMIT 1"
            with storage_errors(_FAILURE):
                if self._connection.execute(query).fetchall():
                    return True
        ids = [cell for cell in self._all_cells if self._is_id(cell)]
        test = " OR ".join(is_placeholder(each) for each in ids)
        if not test:
            return False
        with storage_errors(_FAILURE):
            return any(
                self._connection.execute(
                    f"SELECT 1 FROM {chunk.sent_rows()} WHERE {test} LIMIT 1"
                ).fetchall()
                for chunk in self._staging.chunks
                if chunk.sendable
            )

    def save_new_keys(self, fields: Sequence[str], file: Path) -> bool:
        """Write `id` and keys of records to be created: placeholders, and values of fields.

        Args:
            fields: As they are sent, in any letter case, or only `Id`, whose values are the
                placeholders.
            file: Where to, as CSV.

        Returns:
            Whether the rows fill the first field; if not, nothing is written.
        """
        created = "SELECT row, id FROM outcome WHERE created AND status = 'succeeded'"
        if tuple(fields) == ("Id",):
            pieces = [f"SELECT id, id AS key FROM ({created})"]
        else:
            cells = {each.column.field.lower(): each.cell for each in self._staging.mappings}
            first, *others = [cells.get(field.lower(), "NULL") for field in fields]
            if first == "NULL":
                return False
            keys = "".join(f", {cell} AS key{at}" for at, cell in enumerate((first, *others)))
            pieces = [
                f"SELECT id{keys} FROM {chunk.sent_rows()} JOIN ({created}) USING (row)"
                f" WHERE {first} IS NOT NULL"
                for chunk in self._staging.chunks
                if chunk.sendable
            ]
        with storage_errors(_FAILURE):
            self._connection.execute(copy_csv(" UNION ALL ".join(pieces), file, header=True))
        return True

    def leave_out_refused(self) -> None:
        """Leave refused rows out of those to send, as rows that do not fit are.

        Raises:
            StateError: The rows cannot be stored.
        """
        refused = "SELECT row, code, fields, message FROM outcome WHERE status = 'failed'"
        member = literal(BETWEEN_MEMBERS)
        why = f"concat_ws({member}, code, coalesce(fields, ''), coalesce(message, ''))"
        with storage_errors(_FAILURE):
            self._connection.execute(
                f"CREATE OR REPLACE TABLE refused AS SELECT row, {why} AS why FROM ({refused})"
            )
        rewrite_chunks(self._staging, {}, "k.why", known="refused")

    def save_moments(self, file: Path) -> None:
        """Write `row`, `id` and `changed` of the rows to send: what a later check compares with.

        The two others are blank for a record to be created; a row whose record another task of the
        plan creates is left out.
        """
        query = "SELECT row, id, NULL AS changed FROM outcome WHERE false"
        stamp = self._held(LAST_CHANGED)
        pieces = [
            f"SELECT o.row AS row, CASE WHEN NOT o.created THEN o.id END AS id,"
            f" {f'r.{stamp}' if stamp else 'NULL'} AS changed"
            f" FROM outcome o JOIN {self._relation(chunk)} r USING (row)"
            f" WHERE o.status = 'succeeded' AND NOT {is_placeholder('r.id')}"
            for chunk in self._staging.chunks
            if chunk.sendable
        ]
        with storage_errors(_FAILURE):
            self._connection.execute(
                copy_csv(" UNION ALL ".join([query, *pieces]), file, header=True)
            )

    def _judge(self, chunk: RowChunk) -> None:
        connection = self._connection
        is_new = self._is_new
        why = f"coalesce({self._no_record()}, {refusal(self._write.rules, is_new=is_new)})"
        number = f"row + {self._write.first_number}"
        new_id = placeholder(self._write.prefix, number)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE judged AS"
            f" SELECT *, {is_new} AS is_new, {why} AS why FROM {self._relation(chunk)}"
        )

        def member(place: int) -> str:
            return f"nullif(split_part(why, {literal(BETWEEN_MEMBERS)}, {place}), '')"

        good = literal(RowStatus.SUCCEEDED)
        self._results.add_query(
            f"SELECT row, CASE WHEN why IS NULL THEN {good} ELSE {literal(RowStatus.FAILED)} END,"
            f" CASE WHEN why IS NOT NULL THEN NULL WHEN is_new THEN {new_id} ELSE id END,"
            f" CASE WHEN why IS NULL THEN is_new END, {member(1)}, {member(3)}, {member(2)}"
            " FROM judged"
        )
        if self._write.verb in {Verb.UPDATE, Verb.UPSERT} and self._cells:
            sums = ", ".join(
                f"count({each}), count(*) FILTER ({each} = {_NULL})" for each in self._cells
            )
            query = f"SELECT {sums} FROM judged WHERE why IS NULL AND NOT is_new"
            (found,) = connection.execute(query).fetchall()
            for place, tally in enumerate(self._fields.values()):
                tally[0] += found[2 * place]
                tally[1] += found[2 * place + 1]

    @property
    def _is_new(self) -> str:
        if self._write.verb is Verb.CREATE:
            return "true"
        if self._write.verb is not Verb.UPSERT:
            return "false"
        key = self._write.key
        return f"{key.cell} IS NULL" if key and key.column.field == "Id" else "id IS NULL"

    def _no_record(self) -> str:
        """SQL of the problem of a row that does not find exactly one record."""
        if self._comparison is None or self._write.key is None:
            return "CAST(NULL AS VARCHAR)"
        key = self._write.key
        name = key.column.label
        several = literal(f"{name}: more than one record found for external id field: [")
        cases = [("records > 1", problem(name, SEVERAL_RECORDS, f"{several} || {key.cell} || ']'"))]
        if self._write.verb is not Verb.UPSERT or key.column.field == "Id":
            none = literal(f"{name}: no {self._write.sobject} has the Id ")
            gone = f"id IS NULL AND {key.cell} IS NOT NULL"
            cases.append((gone, problem(name, NO_RECORD, f"{none} || {key.cell}")))
        return f"CASE{''.join(f' WHEN {test} THEN {why}' for test, why in cases)} END"

    def _relation(self, chunk: RowChunk) -> str:
        """A chunk's rows to send, each beside its record: `row`, cells, `id`, `records`, `held`."""
        if self._comparison is not None:
            return self._comparison.changes(chunk)
        return f"(SELECT *, CAST(NULL AS VARCHAR) AS id, 0 AS records FROM {chunk.sent_rows()})"

    def _held(self, path: str) -> str | None:
        return self._comparison.held_cell.get(path) if self._comparison else None

    @property
    def _all_cells(self) -> list[str]:
        return [each.cell for each in self._staging.mappings]

    def _is_id(self, cell: str) -> bool:
        column = next(each.column for each in self._staging.mappings if each.cell == cell)
        return column.kind is FieldKind.ID

    def _first(self, kind: Change, most: int) -> Iterator[PlannedRow]:
        found = self._connection.execute(
            f"SELECT row, id, code, message FROM outcome WHERE {_STATUS_OF[kind]}"
            f" ORDER BY row LIMIT {most}"
        ).fetchall()
        numbers = [row for row, *_ in found]
        cells = {} if kind in {Change.REFUSED, Change.SKIPPED} else self._cells_of(numbers, kind)
        keys = self._keys_of(numbers)
        for row, record, code, message in found:
            known = None if is_planned(record) else record
            yield PlannedRow(row, kind, known, keys.get(row), cells.get(row, ()), code, message)

    def _cells_of(self, rows: Sequence[int], kind: Change) -> dict[int, tuple[PlannedCell, ...]]:
        """The cells of these rows that differ."""
        read = self._comparison.paths if self._comparison else ()
        paths = {path: place for place, path in enumerate(read)}
        found: dict[int, tuple[PlannedCell, ...]] = {}
        for record in self._records(rows, self._relation):
            cells = []
            for cell, column in self._cells.items():
                after = record[cell]
                if after is None:
                    continue
                place = paths.get(column.field)
                holds = record.get("held")
                before = holds[place] if place is not None and holds else None
                if before is not None and column.kind in NUMBERS:
                    before = without_exponent(before)
                is_compared = place is not None and not is_planned(record["id"])
                is_later = is_planned(after)
                if column.is_file and after != EXPLICIT_NULL:
                    file = StagedFile.read(after)
                    after = f"{file.path.name}, {file.size:,} bytes"
                cells.append(
                    PlannedCell(
                        column.label,
                        before,
                        None if after == EXPLICIT_NULL or is_later else after,
                        before_known=kind in {Change.CREATE, Change.MERGE} or is_compared,
                        after_known=not is_later,
                    )
                )
            found[record["row"]] = tuple(cells)
        return found

    def _keys_of(self, rows: Sequence[int]) -> dict[int, str]:
        """The key of each row: as its source has it where that is a column of its own."""
        key = self._write.key
        if key is None:
            return {}
        columns = self._staging.source_columns
        if key.source is not None:
            cell = f"s{key.source}"
            records = self._records(rows, lambda chunk: chunk.source_rows(columns))
        else:
            cell = key.cell
            records = self._records(rows, lambda chunk: chunk.sent_rows(), only_sent=True)
        with suppress(KeyError):
            return {each["row"]: each[cell] for each in records if each[cell] is not None}
        return {}

    def _records(
        self, rows: Sequence[int], relation: Relation, *, only_sent: bool = False
    ) -> Iterator[dict[str, Any]]:
        """These rows of a relation over chunks."""
        for chunk in self._staging.chunks:
            wanted = [row for row in rows if chunk.first_row <= row <= chunk.last_row]
            if not wanted or (not chunk.sendable and (only_sent or relation == self._relation)):
                continue
            listed = ", ".join(map(str, wanted))
            query = f"FROM {relation(chunk)} WHERE row IN ({listed})"
            result = self._connection.execute(query)
            names = [each[0] for each in result.description or ()]
            for values in result.fetchall():
                yield dict(zip(names, values, strict=True))
