"""How a task ended: finished, skipped, or stopped by an error.

Pure. Knows `max_failures` and the exit codes. Knows nothing of how rows are sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import AbortedError, ExitCode, JobError, RailError, RunnerError
from runner.job.model import AnyTask, WriteTask
from runner.outcome import Counts, TaskOutcome, TaskStatus
from runner.wording import counted

if TYPE_CHECKING:
    from runner.state.managed import ManagedChange
    from runner.state.watermarks import Extracted


class TaskEnd(Struct, frozen=True):
    """How a task ended, and whether that is final."""

    outcome: TaskOutcome
    final: bool = True
    """False when a resume can still change the outcome."""
    extracted: Extracted | None = None
    """How far an incremental query has come, once its rows are in the target."""
    managed: ManagedChange | None = None
    """What changes in the list of a mirror's records."""


def outcome_of(task: AnyTask, status: TaskStatus = TaskStatus.DONE) -> TaskOutcome:
    """An outcome that says nothing but its status."""
    return TaskOutcome(task.name, task.verb.value, task.sobject, status)


def skipped(task: AnyTask, reason: str) -> TaskOutcome:
    """The outcome of a task that did not run."""
    return replace(outcome_of(task, TaskStatus.SKIPPED), message=reason)


def stopped_by(error: RunnerError, outcome: TaskOutcome) -> TaskOutcome:
    """The outcome of a task that an error ended."""
    aborted = isinstance(error, AbortedError)
    problems = error.diagnostics if isinstance(error, JobError) else ()
    found = f"{counted(len(problems), 'problem')} in the job"
    if isinstance(error, RailError):
        found = error.count
        counts = Counts(read=error.rows, unprocessed=error.rows)
        outcome = replace(outcome, counts=counts)
    return replace(
        outcome,
        status=TaskStatus.ABORTED if aborted else TaskStatus.FAILED,
        # Earlier tasks may have written, so the error's own words do not fit.
        message=f"{found}; the task sent nothing." if problems else error.message,
        problems=problems,
        code=getattr(error, "code", None),
        hint=error.hint,
        exit_code=error.exit_code,
    )


def outcome_of_write(task: WriteTask, counts: Counts, error: RunnerError | None) -> TaskOutcome:
    """The outcome of a write, from its counts and the error that stopped it, if any.

    Without `max_failures` a write that got at least one row through is PARTIAL; one whose every
    row failed is FAILED, unless the job allows just that.
    """
    outcome = replace(outcome_of(task), counts=counts)
    if error is not None:
        return stopped_by(error, outcome)
    bad = counts.failed + counts.unprocessed + counts.in_doubt
    if bad == 0:
        return outcome
    reason = _reason_to_fail(task, counts, bad)
    if reason is None:
        return replace(outcome, status=TaskStatus.PARTIAL, exit_code=ExitCode.PARTIAL)
    return replace(outcome, status=TaskStatus.FAILED, exit_code=ExitCode.FAILED, message=reason)


def _reason_to_fail(task: WriteTask, counts: Counts, bad: int) -> str | None:
    if counts.unprocessed and counts.failed == 0 and counts.in_doubt == 0:
        were = "was" if counts.unprocessed == 1 else "were"
        return f"{counted(counts.unprocessed, 'row')} {were} left unprocessed."
    if task.max_failures is not None and not task.max_failures.allows(bad, counts.read):
        enough = not task.max_failures.allows(counts.failed, counts.read)
        count, became = (counts.failed, "failed") if enough else (bad, "did not succeed")
        return f"{count:,} of {counts.read:,} rows {became}, more than max_failures allows."
    # A row that `match` skips is as it should be; one of a key that others have was not tried.
    left_out = counts.skipped if task.match is None else 0
    if bad == counts.read - left_out and not counts.in_doubt and task.max_failures is None:
        return "Every row failed."
    return None
