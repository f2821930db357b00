"""Results of rows, outcomes of tasks and runs.

Plain values, and the rule that turns outcomes into an exit code. Knows nothing of how a result
is produced or shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from runner.diagnostics import Diagnostic
from runner.errors import ExitCode


class RowStatus(StrEnum):
    """The result of an input row; every row ends with exactly one."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    IN_DOUBT = "in_doubt"
    """Sent, and the answer was lost: the write may have happened, so it is never sent again."""
    SKIPPED = "skipped"
    """Not sent, because the job does not want it: another row of the same key is sent in its place,
    or `match` leaves out rows whose record exists, or does not."""
    UNCHANGED = "unchanged"
    """Not sent, because its record holds everything already."""


class RowResult(Struct, frozen=True, gc=False):
    """The result of one input row."""

    row: int
    """The row's number in its source, from 1, the header not counted."""
    status: RowStatus
    id: str | None = None
    created: bool | None = None
    """True for created, False for updated or deleted, None if unknown."""
    code: str | None = None
    message: str | None = None
    fields: tuple[str, ...] = ()


class Counts(Struct, frozen=True):
    """Rows of a task, by result."""

    read: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    undeleted: int = 0
    """Records restored from the recycle bin; only an undo does that."""
    merged: int = 0
    """Rows whose losers were merged into their master."""
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    unprocessed: int = 0
    in_doubt: int = 0
    written: int = 0
    """Rows that a query wrote to its target."""
    truncated: int = 0
    """Values that were cut to the length of their field."""
    missing: int = 0
    """Rows that a reconciled target lacked."""
    surplus: int = 0
    """Rows of a reconciled target whose record the query no longer finds."""
    outdated: int = 0
    """Rows of a reconciled target whose record had another stamp."""

    @property
    def succeeded(self) -> int:
        """Rows that the org accepted."""
        return self.created + self.updated + self.deleted + self.undeleted + self.merged


ROW_COUNTS = (
    "created",
    "updated",
    "deleted",
    "undeleted",
    "merged",
    "written",
    "unchanged",
    "skipped",
    "failed",
    "unprocessed",
    "in_doubt",
)
"""Counts in which each row is once."""


class TaskStatus(StrEnum):
    """How a task ended."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    ABORTED = "aborted"


class TaskOutcome(Struct, frozen=True):
    """The end of one task."""

    name: str
    verb: str
    sobject: str
    status: TaskStatus
    counts: Counts = field(default_factory=Counts)
    api: str | None = None
    """`rest` or `bulk`; None if nothing was sent."""
    api_calls: int = 0
    seconds: float = 0.0
    message: str | None = None
    code: str | None = None
    hint: str | None = None
    exit_code: ExitCode = ExitCode.DONE
    results: Path | None = None
    """Folder of the row results of a write."""
    target: str | None = None
    """What a query wrote: the path of a file or folder, a URL, a table."""
    bulk_job_ids: tuple[str, ...] = ()
    top_errors: tuple[tuple[str, str, int, int], ...] = ()
    """The most frequent row errors: code, message of the first such row, number of rows, and the
    number of the first row; 0 if unknown."""
    notes: tuple[str, ...] = ()
    """Assumptions about the source that the job does not state."""
    problems: tuple[Diagnostic, ...] = ()
    """Mistakes in the job that only showed when the task's columns were known."""

    @property
    def other_errors(self) -> int:
        """Rows with an error that is not among the most frequent."""
        if not self.top_errors:
            return 0
        counts = self.counts
        listed = sum(rows for _, _, rows, _ in self.top_errors)
        return max(0, counts.failed + counts.in_doubt + counts.skipped - listed)


class RunOutcome(Struct, frozen=True):
    """The end of a run."""

    run_id: str
    job: str
    job_file: Path
    started: datetime
    finished: datetime
    tasks: tuple[TaskOutcome, ...] = ()
    org_id: str | None = None
    instance_url: str | None = None
    username: str | None = None
    api_version: str | None = None
    folder: Path | None = None
    exit_code: ExitCode = ExitCode.DONE
    message: str | None = None
    """What ended the run before its tasks."""
    hint: str | None = None
    problems: tuple[Diagnostic, ...] = ()
    """What does not fit the org, if that ended the run."""
    resumed: RunOutcome | None = None
    """The unfinished run, started with other params or tasks, that was finished before it."""
    not_started: str | None = None
    """What was requested but not started: this run, an earlier one, is still unfinished, or a
    signal or the timeout ended it before the jobs that were to follow."""

    @property
    def worst_exit_code(self) -> ExitCode:
        """The most severe exit code, that of the resumed run included."""
        return exit_code_of([self.exit_code, *([self.resumed.exit_code] if self.resumed else [])])


_BY_SEVERITY = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.DEFECT,
    ExitCode.SIGN_IN,
    ExitCode.TEMPORARY,
    ExitCode.LOCKED,
    ExitCode.STOPPED,
    ExitCode.PENDING,
    ExitCode.INVALID,
    ExitCode.FAILED,
    ExitCode.PARTIAL,
    ExitCode.DONE,
)


def exit_code_of(codes: Iterable[ExitCode]) -> ExitCode:
    """The most severe of several exit codes; DONE for none."""
    return min(codes, key=_BY_SEVERITY.index, default=ExitCode.DONE)
