"""Carries a job out, task after task, and says how each ended.

Knows order, failure and the ledger. Knows nothing of how one task does its work, of YAML, of
terminals or of HTTP.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner import events
from runner.engine.context import KEPT, PARTS, Context, TaskEnd, ended_by
from runner.engine.order import chosen, in_order
from runner.engine.query import run_query
from runner.engine.undo import UndoTask, run_undo_step
from runner.engine.write import run_write
from runner.errors import AbortedError, ExitCode, RunnerError, StorageError, UnexpectedAnswerError
from runner.files import NO_ROOM, unwritable
from runner.job.model import AnyTask, OnError, QueryTask
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus

_ENDS_THE_RUN = frozenset({ExitCode.SIGN_IN, ExitCode.TEMPORARY})
"""Whatever `on_error` says: every further request would meet the same answer."""
_PASSING = (AbortedError, StorageError, UnexpectedAnswerError)
"""What a later process need not meet again."""


@dataclass(slots=True)
class RunProgress:
    """The run so far."""

    context: Context
    outcomes: list[TaskOutcome] = field(default_factory=list)
    stopped_by: str | None = None

    settled: bool = True

    def keep(self, end: TaskEnd) -> None:
        """Write a task's end down; what a resume would have needed can go after that."""
        outcome = end.outcome
        self.outcomes.append(outcome)
        self.settled &= end.settled
        self.context.ledger.finish_task(self.context.run_id, outcome, final=end.settled)
        if end.settled and outcome.results is not None:
            for name in (PARTS, KEPT):
                shutil.rmtree(outcome.results / name, ignore_errors=True)
        self.context.sink(events.TaskFinished(outcome))

    def failed(self, name: str) -> bool:
        """Whether a task ran, or was skipped, without success."""
        bad = {TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.ABORTED}
        return any(each.name == name and each.status in bad for each in self.outcomes)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the tasks of a run ended, and whether a resume has anything to add."""

    outcomes: tuple[TaskOutcome, ...]
    settled: bool


def run_tasks(context: Context, *, only: Collection[str] = ()) -> RunEnd:
    """Carry out the job's tasks; every task that could run has an outcome, in the order they ran.

    Tasks that came to their end before a resume are not repeated. A signal ends the task under
    way as ABORTED and leaves the others out.
    """
    run = RunProgress(context)
    for task in in_order(chosen(context.job.tasks, only)):
        _bring_to_its_end(task, run, _reason_to_skip(task, run))
        if run.outcomes[-1].status is TaskStatus.ABORTED:
            run.stopped_by = task.name
        if run.outcomes[-1].status is TaskStatus.FAILED:
            _answer_failure(task, run)
    return RunEnd(tuple(run.outcomes), run.settled)


def _bring_to_its_end(task: AnyTask, run: RunProgress, reason: str | None = None) -> None:
    kept = run.context.kept(task)
    if kept is not None:
        run.outcomes.append(kept)
    elif reason:
        run.keep(TaskEnd(_skipped(task, reason)))
    else:
        run.keep(_carry_out(task, run))


def finish(context: Context, outcome: RunOutcome, *, settled: bool) -> RunOutcome:
    """Write a run's end into the ledger and tell it."""
    context.ledger.finish_run(outcome, final=settled)
    context.sink(events.RunFinished(outcome))
    return outcome


def _reason_to_skip(task: AnyTask, run: RunProgress) -> str | None:
    if not task.enabled:
        return "disabled in the job"
    if run.stopped_by:
        return f"not run: {run.stopped_by} did not succeed"
    needed = next((name for name in task.needs or () if run.failed(name)), None)
    return f"not run: it needs {needed}, which did not succeed" if needed else None


def _answer_failure(task: AnyTask, run: RunProgress) -> None:
    outcome = run.outcomes[-1]
    if task.on_error is OnError.STOP or outcome.exit_code in _ENDS_THE_RUN:
        run.stopped_by = task.name
    answer = run.context.job.task(task.on_failure) if task.on_failure else None
    if answer and outcome.exit_code not in _ENDS_THE_RUN:
        _bring_to_its_end(answer, run)


def _carry_out(task: AnyTask, run: RunProgress) -> TaskEnd:
    """One task from its start to its outcome."""
    context = run.context
    position = len(run.outcomes)
    context.ledger.start_task(
        context.run_id, task.name, position=position, verb=task.verb.value, sobject=task.sobject
    )
    context.sink(events.TaskStarted(task.name, task.verb.value, task.sobject))
    began = context.clock()
    session = context.session.scoped(task.retry)
    try:
        end = _run_one(task, replace(context, session=session))
    except RunnerError as error:
        end = TaskEnd(ended_by(task, error), settled=not _may_pass(task, error, context))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        place = Path(error.filename or context.folder)
        end = TaskEnd(ended_by(task, unwritable(place, error)), settled=False)
    seconds = context.clock() - began
    outcome = replace(end.outcome, seconds=seconds, api_calls=session.api_calls)
    return replace(end, outcome=outcome)


def _run_one(task: AnyTask, context: Context) -> TaskEnd:
    if isinstance(task, QueryTask):
        return TaskEnd(run_query(task, context))
    return run_undo_step(task, context) if isinstance(task, UndoTask) else run_write(task, context)


def _may_pass(task: AnyTask, error: RunnerError, context: Context) -> bool:
    """Whether a resume may bring a task further that ended before it had an outcome."""
    past = context.past.task(task.name) if context.past else None
    has_begun = past is not None and past.plan is not None
    return has_begun or isinstance(error, _PASSING) or error.exit_code in _ENDS_THE_RUN


def _skipped(task: AnyTask, reason: str) -> TaskOutcome:
    return TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=TaskStatus.SKIPPED,
        message=reason,
    )
