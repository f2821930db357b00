"""What every task of a run shares.

Knows the collaborators by name. Builds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.engine.task_ledger import TaskLedger
from runner.errors import AbortedError, RunnerError, TransientError
from runner.events import Sink
from runner.job.endpoints import TaskRows, TaskSource
from runner.job.model import AnyTask, Job, ParamValue, WriteTask
from runner.outcome import TaskOutcome, TaskStatus
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord
from runner.tables.disk import UNBOUNDED, Disk

KEPT = "rows"
PARTS = "parts"
"""Folders of a task that nobody needs once its end is settled."""


class Deadline:
    """The moment at which a task's `timeout` or the run's is up; without one it never comes."""

    def __init__(
        self, task: AnyTask, clock: Callable[[], float], run_ends_at: float | None = None
    ) -> None:
        self._task = task
        self._clock = clock
        own = None if task.timeout_seconds is None else clock() + task.timeout_seconds
        ends = [at for at in (own, run_ends_at) if at is not None]
        self._at = min(ends, default=None)
        self._is_own = own is not None and self._at == own

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
        if not self._is_own:
            return TransientError(
                "The run took longer than its `--timeout`.",
                hint="`runner resume` goes on where it stopped.",
            )
        return TransientError(
            f"Task {self._task.name!r} took longer than its timeout of "
            f"{self._task.timeout_seconds:g} s.",
            hint="`runner resume` goes on where it stopped; raise `timeout` for the next run.",
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
    user_id: str = ""
    """Whose token the session has."""
    past: RunRecord | None = None
    """What earlier processes wrote down of this run; None for a run that begins."""
    ends_at: float | None = None
    """When the run's `--timeout` is up, by `clock`."""
    disk: Disk = UNBOUNDED
    """How much the run's files may take."""

    def deadline(self, task: AnyTask) -> Deadline:
        """When a task must have ended; it begins now."""
        return Deadline(task, self.clock, self.ends_at)

    def kept(self, task: AnyTask) -> TaskOutcome | None:
        """The end that a task came to before this process went on with the run."""
        past = self.past.task(task.name) if self.past else None
        if past is None or not past.final or past.outcome is None:
            return None
        return None if past.outcome.status is TaskStatus.SKIPPED else past.outcome

    def task_ledger(self, task: AnyTask) -> TaskLedger:
        """A task's lines in the ledger."""
        past = self.past.task(task.name) if self.past else None
        return TaskLedger(self.ledger, self.run_id, task.name, past)

    def task_folder(self, task: AnyTask) -> Path:
        """Where a task keeps its parts and row results."""
        return self.folder / task.name

    def rows_file(self, source: TaskSource) -> Path:
        """The file that holds the rows another task hands over."""
        giver = self.job.task(source.task)
        default = TaskRows.SUCCEEDED if isinstance(giver, WriteTask) else TaskRows.RECORDS
        return self.folder / source.task / f"{source.rows or default}.csv"


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended, and whether a resume has anything to add to it."""

    outcome: TaskOutcome
    settled: bool = True


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
