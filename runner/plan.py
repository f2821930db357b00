"""What a run would do: the values of a plan.

Plain values. Knows nothing of how a plan is made or shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner.diagnostics import Position
from runner.errors import ExitCode


class Change(StrEnum):
    """What a run would do with a row; the order is that of every view."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNDELETE = "undelete"
    MERGE = "merge"
    UNCHANGED = "unchanged"
    """Writing it would leave the record as it is."""
    SKIPPED = "skipped"
    """Not sent, because the job wants that."""
    REFUSED = "refused"
    """It would fail: it does not fit, or the org would certainly refuse it."""


WRITES = frozenset({Change.CREATE, Change.UPDATE, Change.DELETE, Change.UNDELETE, Change.MERGE})
"""What changes the org."""


class PlannedCell(Struct, frozen=True):
    """One field of a row: what the record has, and what it would get."""

    field: str
    before: str | None = None
    """None: blank."""
    after: str | None = None
    """None: blank."""
    before_known: bool = True
    """False: the org does not give the value as it was written."""
    after_known: bool = True
    """False: it will only be known during the run, such as the Id of a record to be created."""
    is_masked: bool = False


class PlannedRow(Struct, frozen=True):
    """One row of a source."""

    row: int
    """Its number in the source, from 1, the header not counted."""
    change: Change
    id: str | None = None
    """The record; None if there is none, or it is unknown."""
    key: str | None = None
    """The row's value of the task's key; None without a key."""
    cells: tuple[PlannedCell, ...] = ()
    """The fields that differ; of a create those that are filled."""
    code: str | None = None
    message: str | None = None
    """Why it is refused or skipped."""


class FieldChanges(Struct, frozen=True):
    """How many records would get another value of a field."""

    field: str
    records: int
    """Updated records whose value changes; created ones are not counted."""
    emptied: int = 0
    """How many of them lose their value."""


class Refusal(Struct, frozen=True):
    """A reason why rows are refused."""

    code: str
    message: str
    """Of the first such row."""
    rows: int
    first_row: int


class TaskPlan(Struct, frozen=True):
    """What one task would do."""

    name: str
    verb: str
    sobject: str
    source: str = ""
    """Where its rows come from, in words; of a query where they go."""
    scope: str | None = None
    """SOQL condition of the records that are compared."""
    key: str | None = None
    """The field that identifies a row."""
    columns: tuple[str, ...] = ()
    """Every field that the task fills."""
    read: int = 0
    """Rows of the source; of a query the records that it finds."""
    counts: Mapping[Change, int] = field(default_factory=dict)
    losers: int = 0
    """Records that a merge deletes: a row has one or two of them."""
    fields: tuple[FieldChanges, ...] = ()
    rows: tuple[PlannedRow, ...] = ()
    """The first rows of each kind."""
    refusals: tuple[Refusal, ...] = ()
    """The most frequent reasons."""
    api: str | None = None
    """`rest` or `bulk`; None if nothing is sent."""
    api_calls: int = 0
    """A forecast."""
    bulk_jobs: int = 0
    unknown: tuple[str, ...] = ()
    """What cannot be known before the run, a sentence each."""
    has_unknown_rows: bool = False
    """Whether it may write rows that are not known yet."""
    notes: tuple[str, ...] = ()

    def count(self, change: Change) -> int:
        """Rows of a kind."""
        return self.counts.get(change, 0)

    @property
    def writes(self) -> int:
        """Rows that change the org."""
        return sum(self.count(each) for each in WRITES)

    def shown(self, change: Change) -> tuple[PlannedRow, ...]:
        """The rows of a kind that the plan shows."""
        return tuple(row for row in self.rows if row.change == change)


class Trip(Struct, frozen=True):
    """A rail of the job that would stop the run."""

    rail: str
    message: str
    file: Path
    position: Position | None = None

    @property
    def place(self) -> str:
        """The rail's line in the job."""
        at = self.position
        return f"{self.file}:{at.line}:{at.column}" if at else str(self.file)


class RunPlan(Struct, frozen=True):
    """What a run of a job would do."""

    job: str
    job_file: Path
    created: datetime
    """In UTC."""
    tasks: tuple[TaskPlan, ...] = ()
    org_id: str | None = None
    instance_url: str | None = None
    username: str | None = None
    api_version: str | None = None
    api_calls: int = 0
    """Forecast of the run, all tasks."""
    api_calls_used: int | None = None
    """Of the org in the last 24 hours; None if unknown."""
    api_calls_max: int | None = None
    """The org's daily limit."""
    trips: tuple[Trip, ...] = ()
    notes: tuple[str, ...] = ()
    """What a run would do before or besides these tasks, a sentence each."""
    masked: tuple[str, ...] = ()
    """Fields whose values are not shown."""

    def count(self, change: Change) -> int:
        """Rows of a kind, all tasks."""
        return sum(task.count(change) for task in self.tasks)

    @property
    def has_changes(self) -> bool:
        """Whether a run would, or might, change the org."""
        return any(task.writes or task.has_unknown_rows for task in self.tasks)

    @property
    def api_calls_left(self) -> int | None:
        """What the org has left today."""
        if self.api_calls_max is None or self.api_calls_used is None:
            return None
        return max(0, self.api_calls_max - self.api_calls_used)


def without_trips(plan: RunPlan, allowed: Collection[str]) -> RunPlan:
    """The plan of a run that may exceed some of the job's limits."""
    return replace(plan, trips=tuple(each for each in plan.trips if each.rail not in allowed))


def detailed_exit_code(plans: Sequence[RunPlan]) -> ExitCode:
    """PENDING if there are changes, else PARTIAL if rows are refused, else DONE."""
    if any(plan.has_changes for plan in plans):
        return ExitCode.PENDING
    refused = sum(plan.count(Change.REFUSED) for plan in plans)
    return ExitCode.PARTIAL if refused else ExitCode.DONE
