"""Carries a job out, task after task, and says how each ended.

Knows order, failure and the ledger. Knows nothing of how one task does its work, of YAML, of
terminals or of HTTP.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from runner import events
from runner.engine.context import Context, ended_by
from runner.engine.order import chosen, in_order
from runner.engine.query import run_query
from runner.engine.write import run_write
from runner.errors import ExitCode, RunnerError
from runner.job.model import AnyTask, OnError, QueryTask
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus

_ENDS_THE_RUN = frozenset({ExitCode.SIGN_IN, ExitCode.TEMPORARY})
"""Whatever `on_error` says: every further request would meet the same answer."""


@dataclass(slots=True)
class _Ledgered:
    """The run so far."""

    context: Context
    outcomes: list[TaskOutcome] = field(default_factory=list)
    stopped_by: str | None = None

    def keep(self, outcome: TaskOutcome) -> None:
        self.outcomes.append(outcome)
        self.context.ledger.finish_task(self.context.run_id, outcome)
        self.context.sink(events.TaskFinished(outcome))

    def failed(self, name: str) -> bool:
        bad = {TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.ABORTED}
        return any(each.name == name and each.status in bad for each in self.outcomes)


def run_tasks(context: Context, *, only: Collection[str] = ()) -> tuple[TaskOutcome, ...]:
    """Carry out the job's tasks; every task that could run has an outcome, in the order they ran.

    A signal ends the task under way as ABORTED and leaves the others out.
    """
    run = _Ledgered(context)
    for task in in_order(chosen(context.job.tasks, only)):
        reason = _reason_to_skip(task, run)
        run.keep(_skipped(task, reason) if reason else _carry_out(task, run))
        if run.outcomes[-1].status is TaskStatus.ABORTED:
            run.stopped_by = task.name
        if run.outcomes[-1].status is TaskStatus.FAILED:
            _answer_failure(task, run)
    return tuple(run.outcomes)


def finish(context: Context, outcome: RunOutcome) -> RunOutcome:
    """Write a run's end into the ledger and tell it."""
    context.ledger.finish_run(outcome)
    context.sink(events.RunFinished(outcome))
    return outcome


def _reason_to_skip(task: AnyTask, run: _Ledgered) -> str | None:
    if not task.enabled:
        return "disabled in the job"
    if run.stopped_by:
        return f"not run: {run.stopped_by} did not succeed"
    needed = next((name for name in task.needs or () if run.failed(name)), None)
    return f"not run: it needs {needed}, which did not succeed" if needed else None


def _answer_failure(task: AnyTask, run: _Ledgered) -> None:
    outcome = run.outcomes[-1]
    if task.on_error is OnError.STOP or outcome.exit_code in _ENDS_THE_RUN:
        run.stopped_by = task.name
    answer = run.context.job.task(task.on_failure) if task.on_failure else None
    if answer and outcome.exit_code not in _ENDS_THE_RUN:
        run.keep(_carry_out(answer, run))


def _carry_out(task: AnyTask, run: _Ledgered) -> TaskOutcome:
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
        outcome = _run_one(task, replace(context, session=session))
    except RunnerError as error:
        outcome = ended_by(task, error)
    return replace(outcome, seconds=context.clock() - began, api_calls=session.api_calls)


def _run_one(task: AnyTask, context: Context) -> TaskOutcome:
    if isinstance(task, QueryTask):
        return run_query(task, context)
    return run_write(task, context)


def _skipped(task: AnyTask, reason: str) -> TaskOutcome:
    return TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=TaskStatus.SKIPPED,
        message=reason,
    )
