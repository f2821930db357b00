"""Runs a job's tasks in order and records how each ended.

Knows order, failure and the ledger. Knows nothing of how one task does its work, of YAML, of
terminals or of HTTP.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner import events
from runner.engine.context import PARTS, SNAPSHOT, Context
from runner.engine.query import run_query
from runner.engine.task_end import TaskEnd, skipped, stopped_by
from runner.engine.undo import UndoTask, run_undo_step
from runner.engine.write import run_write
from runner.errors import (
    AbortedError,
    ExitCode,
    RunnerError,
    StorageError,
    TransportError,
    UnexpectedAnswerError,
)
from runner.files import NO_ROOM, unwritable
from runner.job.model import AnyTask, OnError, QueryTask
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus

_ENDS_THE_RUN = frozenset({ExitCode.SIGN_IN, ExitCode.TEMPORARY})
"""Whatever `on_error` says: every further request would meet the same answer."""
_MAY_PASS = (AbortedError, StorageError, TransportError, UnexpectedAnswerError)
"""Errors that a later process may not meet again."""
_WITHOUT_SUCCESS = frozenset({TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.ABORTED})


@dataclass(slots=True)
class RunProgress:
    """The run so far."""

    context: Context
    outcomes: list[TaskOutcome] = field(default_factory=list)
    stopped_by: str | None = None
    """The task after which no other starts, except those whose own `needs` are met."""
    is_over: bool = False
    """Whether no task starts at all: a signal, or an error that each would meet."""
    final: bool = True

    def add(self, end: TaskEnd) -> None:
        """Record a task's end in the ledger; then delete what only a resume would have needed."""
        outcome = end.outcome
        self.outcomes.append(outcome)
        self.final &= end.final
        self.context.ledger.finish_task(self.context.run_id, outcome, final=end.final)
        if end.final and outcome.results is not None:
            for name in (PARTS, SNAPSHOT):
                shutil.rmtree(outcome.results / name, ignore_errors=True)
        self.context.sink(events.TaskFinished(outcome))

    def failed(self, name: str) -> bool:
        """Whether a task ended without success, or was skipped."""
        return any(each.name == name and each.status in _WITHOUT_SUCCESS for each in self.outcomes)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the tasks of a run ended, and whether that is final."""

    outcomes: tuple[TaskOutcome, ...]
    final: bool
    """False when a resume can still change an outcome."""


def run_tasks(context: Context, *, only: Collection[str] = ()) -> RunEnd:
    """Run the job's tasks; every task that could run has an outcome, in the order they ran.

    A resume does not repeat finished tasks. A signal ends the task under way as ABORTED and skips
    the others.
    """
    run = RunProgress(context)
    for task in in_order(chosen(context.job.tasks, only)):
        _run_or_skip(task, run, _reason_to_skip(task, run))
        if run.outcomes[-1].status is TaskStatus.ABORTED:
            run.stopped_by, run.is_over = task.name, True
        if run.outcomes[-1].status is TaskStatus.FAILED:
            _handle_failure(task, run)
    return RunEnd(tuple(run.outcomes), run.final)


def finish(context: Context, outcome: RunOutcome, *, final: bool) -> RunOutcome:
    """Record a run's end in the ledger and report it."""
    context.ledger.finish_run(outcome, final=final)
    context.sink(events.RunFinished(outcome))
    return outcome


def chosen(tasks: Sequence[AnyTask], names: Collection[str]) -> tuple[AnyTask, ...]:
    """Only the named tasks; all when none is named."""
    return tuple(task for task in tasks if not names or task.name in names)


def in_order(tasks: Sequence[AnyTask]) -> tuple[AnyTask, ...]:
    """Tasks so that each comes after its prerequisites, otherwise as written.

    Tasks named by an `on_failure` are left out: they run only when the other task fails.
    """
    on_failure = {task.on_failure for task in tasks}
    waiting = [task for task in tasks if task.name not in on_failure]
    ordered: list[AnyTask] = []
    done: set[str] = set()
    while waiting:
        ready = next(task for task in waiting if _is_ready(task, waiting, done))
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.name)
    return tuple(ordered)


def _is_ready(task: AnyTask, waiting: Sequence[AnyTask], done: Collection[str]) -> bool:
    """Whether every task that must come first is done; validation has refused cycles."""
    if task.needs is None:
        return not any(other.index < task.index for other in waiting)
    present = {other.name for other in waiting}
    return all(name in done or name not in present for name in task.needs)


def _run_or_skip(task: AnyTask, run: RunProgress, reason: str | None = None) -> None:
    earlier = run.context.earlier_outcome(task)
    if earlier is not None:
        run.outcomes.append(earlier)
    elif reason:
        run.add(TaskEnd(skipped(task, reason)))
    else:
        run.add(_run(task, run))


def _reason_to_skip(task: AnyTask, run: RunProgress) -> str | None:
    if not task.enabled:
        return "disabled in the job"
    if run.stopped_by and (task.needs is None or run.is_over):
        return f"not run: {run.stopped_by} did not succeed"
    needed = next((name for name in task.needs or () if run.failed(name)), None)
    return f"not run: it needs {needed}, which did not succeed" if needed else None


def _handle_failure(task: AnyTask, run: RunProgress) -> None:
    ends_the_run = run.outcomes[-1].exit_code in _ENDS_THE_RUN
    if task.on_error is OnError.STOP or ends_the_run:
        run.stopped_by = task.name
    run.is_over |= ends_the_run
    on_failure = run.context.job.task(task.on_failure) if task.on_failure else None
    if on_failure and not ends_the_run:
        _run_or_skip(on_failure, run)


def _run(task: AnyTask, run: RunProgress) -> TaskEnd:
    """Run one task from its start to its outcome."""
    context = run.context
    position = len(run.outcomes)
    context.ledger.start_task(
        context.run_id, task.name, position=position, verb=task.verb.value, sobject=task.sobject
    )
    context.sink(events.TaskStarted(task.name, task.verb.value, task.sobject))
    began = context.clock()
    deadline = context.deadline(task)
    session = context.session.scoped(task.retry, deadline.at)
    try:
        end = _run_by_verb(task, replace(context, session=session, task_began=began))
    except RunnerError as caught:
        error = deadline.named(caught)
        final = not _may_pass(task, error, context)
        end = TaskEnd(stopped_by(error, context.known_outcome(task)), final)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        place = Path(error.filename or context.folder)
        error_there = unwritable(place, error)
        end = TaskEnd(stopped_by(error_there, context.known_outcome(task)), final=False)
    seconds = context.clock() - began
    outcome = replace(end.outcome, seconds=seconds, api_calls=session.api_calls)
    return replace(end, outcome=outcome)


def _run_by_verb(task: AnyTask, context: Context) -> TaskEnd:
    if isinstance(task, QueryTask):
        return TaskEnd(run_query(task, context))
    return run_undo_step(task, context) if isinstance(task, UndoTask) else run_write(task, context)


def _may_pass(task: AnyTask, error: RunnerError, context: Context) -> bool:
    """Whether a resume may get further with a task that ended before it had an outcome."""
    past = context.past.task(task.name) if context.past else None
    has_begun = past is not None and past.plan is not None
    return has_begun or isinstance(error, _MAY_PASS) or error.exit_code in _ENDS_THE_RUN
