"""What every task of a run shares.

Knows the collaborators by name. Builds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import AbortedError, RunnerError, TransientError
from runner.events import Sink
from runner.job.model import AnyTask, Job, ParamValue, WriteTask
from runner.job.places import TaskRows, TaskSource
from runner.outcome import TaskOutcome, TaskStatus
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import Ledger


class Deadline:
    """The moment at which a task's `timeout` is up; without one it never comes."""

    def __init__(self, task: AnyTask, clock: Callable[[], float]) -> None:
        self._task = task
        self._clock = clock
        self._at = None if task.timeout_seconds is None else clock() + task.timeout_seconds

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it, never below zero; None where it never comes."""
        return None if self._at is None else max(0.0, self._at - self._clock())

    @property
    def passed(self) -> bool:
        """Whether it has come."""
        return self.seconds_left == 0.0

    def error(self) -> TransientError:
        """What to end the task with once it has."""
        return TransientError(
            f"Task {self._task.name!r} took longer than its timeout of "
            f"{self._task.timeout_seconds:g} s.",
            hint="Raise `timeout`, or run again.",
        )


@dataclass(frozen=True, slots=True)
class Context:
    """One run's collaborators and where it keeps its files."""

    job: Job
    run_id: str
    folder: Path
    """The run's own folder; each task has one below it."""
    session: Session
    describes: Describes
    version: str
    ledger: Ledger
    sink: Sink
    clock: Callable[[], float]
    """Monotonic seconds."""
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    first_poll_seconds: float = 1.0
    """How soon a Bulk job is first asked for its state."""

    def task_folder(self, task: AnyTask) -> Path:
        """Where a task keeps its parts and row results."""
        return self.folder / task.name

    def rows_file(self, source: TaskSource) -> Path:
        """The file that holds the rows another task hands over."""
        giver = self.job.task(source.task)
        default = TaskRows.SUCCEEDED if isinstance(giver, WriteTask) else TaskRows.RECORDS
        return self.folder / source.task / f"{source.rows or default}.csv"


def ended_by(task: AnyTask, error: RunnerError) -> TaskOutcome:
    """The outcome of a task that an error ended before anything of it could be counted."""
    aborted = isinstance(error, AbortedError)
    return TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=TaskStatus.ABORTED if aborted else TaskStatus.FAILED,
        message=error.message,
        code=getattr(error, "code", None),
        hint=error.hint,
        exit_code=error.exit_code,
    )
