"""How a write ended, by its counts and by what stopped it.

Pure. Knows `max_failures` and the exit codes. Knows nothing of how rows were sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import AbortedError, ExitCode, RunnerError
from runner.job.model import WriteTask
from runner.outcome import Counts, TaskStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """A task's status with its reason."""

    status: TaskStatus
    exit_code: ExitCode
    message: str | None = None
    hint: str | None = None
    code: str | None = None


DONE = Verdict(TaskStatus.DONE, ExitCode.DONE)


def verdict_of(task: WriteTask, counts: Counts, stopped_by: RunnerError | None) -> Verdict:
    """Judge a write.

    Without `max_failures` a task that got at least one row through is PARTIAL; one whose every
    row failed is FAILED, unless the job allows just that.
    """
    if stopped_by is not None:
        return _stopped(stopped_by)
    bad = counts.failed + counts.unprocessed + counts.in_doubt
    if bad == 0:
        return DONE
    if counts.unprocessed and counts.failed == 0 and counts.in_doubt == 0:
        return _failed(f"{counts.unprocessed:,} rows were left unprocessed.")
    if task.max_failures is not None and not task.max_failures.allows(bad, counts.read):
        return _failed(f"{bad:,} of {counts.read:,} rows failed, more than max_failures allows.")
    if bad == counts.read and not counts.in_doubt and task.max_failures is None:
        return _failed("Every row failed.")
    return Verdict(TaskStatus.PARTIAL, ExitCode.PARTIAL)


def _failed(message: str) -> Verdict:
    return Verdict(TaskStatus.FAILED, ExitCode.FAILED, message)


def _stopped(error: RunnerError) -> Verdict:
    aborted = isinstance(error, AbortedError)
    return Verdict(
        TaskStatus.ABORTED if aborted else TaskStatus.FAILED,
        error.exit_code,
        error.message,
        error.hint,
        getattr(error, "code", None),
    )
