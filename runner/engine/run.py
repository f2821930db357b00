"""Runs a job's tasks, side by side where their order allows it, and records how each ended.

Knows order, failure and the ledger. Knows nothing of how one task does its work, of YAML, of
terminals or of HTTP.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.engine.context import LOOKUPS, PARTS, PLANNED, SNAPSHOT, Context
from runner.engine.known_lookups import KnownLookups
from runner.engine.schedule import Schedule
from runner.engine.task_conflicts import conflicts_of
from runner.engine.task_end import TaskEnd, skipped, stopped_by
from runner.errors import (
    AbortedError,
    ExitCode,
    RailError,
    RunnerError,
    StorageError,
    TransportError,
    UnexpectedAnswerError,
)
from runner.files import NO_ROOM, unwritable
from runner.job.choices import OnError
from runner.job.endpoints import MissingSource
from runner.job.mirrors import is_chosen
from runner.job.model import AnyTask, QueryTask, WriteTask
from runner.job.order import in_order, left_out, sources_of
from runner.job.source_query import SourceQuery, query_name
from runner.lanes import Lanes
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus

if TYPE_CHECKING:
    from runner.engine.stage_ahead import StageAhead

_ENDS_THE_RUN = frozenset({ExitCode.SIGN_IN, ExitCode.TEMPORARY, ExitCode.STOPPED})
"""Whatever `on_error` says: every further request would meet the same answer, or must not be."""
_MAY_PASS = (AbortedError, StorageError, TransportError, UnexpectedAnswerError)
"""Errors that a later process may not meet again."""
_WITHOUT_SUCCESS = frozenset({TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.ABORTED})


class RunEnd(Struct, frozen=True):
    """How the tasks of a run ended, and whether that is final."""

    outcomes: tuple[TaskOutcome, ...]
    final: bool
    """False when a resume can still change an outcome."""


def run_tasks(context: Context, *, only: Collection[str] = (), parallel: int = 1) -> RunEnd:
    """Run the job's tasks; every task that could run has an outcome, in the order of the file.

    A resume does not repeat finished tasks. A signal ends the tasks under way as ABORTED and skips
    the others.

    Args:
        context: The run.
        only: Names of the tasks to run; all when empty.
        parallel: How many tasks may be under way at once, where their order allows it.
    """
    if any((context.task_folder(task) / PLANNED).exists() for task in context.job.tasks):
        from runner.engine.applied import take_over_plan  # noqa: PLC0415 - few runs apply a plan

        take_over_plan(context)
    tasks = in_order(chosen(context.job.tasks, only))
    schedule = Schedule(tasks)
    width = min(parallel, schedule.most_at_once)
    if width > 1:
        answers = {task.on_failure for task in tasks}
        touching = [*tasks, *(task for task in context.job.tasks if task.name in answers)]
        schedule = Schedule(tasks, conflicts_of(touching, context))
        width = min(parallel, schedule.most_at_once)
    with (
        KnownLookups(context.folder / LOOKUPS) as lookups,
        _ahead(tasks, width) as ahead,
        Lanes[str, TaskEnd](width) as lanes,
    ):
        run = replace(context, lookups=lookups, ahead=ahead)
        return _TaskRuns(run, schedule, lanes, left_out(tasks)).run()


def _ahead(tasks: Sequence[AnyTask], width: int) -> AbstractContextManager[StageAhead | None]:
    """What reads rows of tasks ahead, if one follows another."""
    if width > 1 or len(tasks) < 2:  # noqa: PLR2004 - none follows a single one
        return nullcontext()
    from runner.engine.stage_ahead import StageAhead  # noqa: PLC0415 - most runs have one task

    return StageAhead(tasks)


class _TaskRuns:
    """The run so far."""

    def __init__(
        self,
        context: Context,
        schedule: Schedule,
        lanes: Lanes[str, TaskEnd],
        left_out: Mapping[str, str],
    ) -> None:
        self._context = context
        self._left_out = left_out
        """The disabled task that each of some tasks needs."""
        self._schedule = schedule
        self._lanes = lanes
        self._outcomes: dict[str, TaskOutcome] = {}
        self._places: dict[str, tuple[int, ...]] = {}
        """Where each outcome stands: as in the file, an answer to a failure behind that."""
        self._stopped_by: str | None = None
        """The task after which no other starts, except those whose own `needs` are met."""
        self._is_over = False
        """Whether no task starts at all: a signal, or an error that each would meet."""
        self._interrupted: AbortedError | None = None
        self._final = True
        self._incomplete: list[TaskOutcome] = []
        """Those whose result files are no longer as they were written."""

    def run(self) -> RunEnd:
        """Run them all.

        Raises:
            AbortedError: A signal came while no task was under way, or all ended well.
        """
        while True:
            try:
                self._run()
            except AbortedError as error:
                if self._interrupted or not self._lanes.keys:
                    raise
                self._interrupted, self._is_over = error, True
                self._lanes.stop(error.exit_code)
            else:
                if self._final:  # until then, somebody may put the files back
                    for each in self._incomplete:
                        self._context.ledger.finish_task(self._context.run_id, each)
                outcomes = sorted(self._outcomes, key=self._places.__getitem__)
                return RunEnd(tuple(map(self._outcomes.__getitem__, outcomes)), self._final)

    def _run(self) -> None:
        """Start tasks and take their ends until there are none left."""
        while True:
            if not self._is_over or not self._lanes.keys:
                while self._lanes.has_room and (task := self._schedule.next(self._lanes.keys)):
                    self._start_or_skip(task)
            if not self._lanes.keys:
                return
            for name, end in self._lanes.ended():
                self._add(end)
                self._has_ended(self._task(name))
                self._lanes.take_away(name)
            if self._interrupted and not self._lanes.keys and not self._has_aborted:
                raise self._interrupted

    @property
    def _has_aborted(self) -> bool:
        return any(each.status is TaskStatus.ABORTED for each in self._outcomes.values())

    def _task(self, name: str) -> AnyTask:
        return next(task for task in self._context.job.tasks if task.name == name)

    def _start_or_skip(self, task: AnyTask) -> None:
        context = self._context
        self._places.setdefault(task.name, (task.index,))
        earlier = context.earlier_outcome(task)
        reason = self._reason_to_skip(task)
        if earlier is not None:
            self._outcomes[task.name] = self._as_left(earlier)
        elif reason:
            self._add(TaskEnd(skipped(task, reason)))
        else:
            context.record_start(task, self._places[task.name][0])
            context.sink(events.TaskStarted(task.name, task.verb.value, task.sobject))
            self._lanes.start(task.name, partial(_run, task, context))
            return
        self._has_ended(task)

    def _as_left(self, earlier: TaskOutcome) -> TaskOutcome:
        """The outcome of a task of an earlier process, with what is missing of its result files."""
        from runner.engine.left_results import as_left  # noqa: PLC0415 - only a resume

        outcome = as_left(earlier)
        if outcome != earlier:
            self._incomplete.append(outcome)
        return outcome

    def _add(self, end: TaskEnd) -> None:
        """Record a task's end in the ledger; then delete what only a resume would have needed."""
        outcome, context = end.outcome, self._context
        self._outcomes[outcome.name] = outcome
        self._final &= end.final
        position = self._places[outcome.name][0]
        if end.final and any(map(_reads_tasks, context.job.tasks)):
            from runner.engine.left_rows import note_left_rows  # noqa: PLC0415 - few jobs

            note_left_rows(self._task(outcome.name), context)
        context.ledger.finish_task(
            context.run_id,
            outcome,
            final=end.final,
            position=position,
            extracted=end.extracted,
            managed=end.managed,
        )
        if end.final and outcome.results is not None:
            for name in (PARTS, SNAPSHOT):
                shutil.rmtree(outcome.results / name, ignore_errors=True)
        context.sink(events.TaskFinished(outcome))

    def _has_ended(self, task: AnyTask) -> None:
        outcome = self._outcomes[task.name]
        if outcome.status is TaskStatus.ABORTED:
            self._stopped_by, self._is_over = task.name, True
        elif outcome.status is TaskStatus.FAILED and not self._is_answer(task):
            self._handle_failure(task, outcome)
        self._schedule.ended(task)

    def _is_answer(self, task: AnyTask) -> bool:
        """Whether the task is the `on_failure` of another."""
        return len(self._places[task.name]) > 1

    def _handle_failure(self, task: AnyTask, outcome: TaskOutcome) -> None:
        ends_the_run = outcome.exit_code in _ENDS_THE_RUN
        if task.on_error is OnError.STOP or ends_the_run:
            self._stopped_by = task.name
        self._is_over |= ends_the_run
        owner = self._task(task.write) if isinstance(task, SourceQuery) else task
        answer = self._context.job.task(owner.on_failure) if owner.on_failure else None
        if answer and not self._is_over:
            self._places[answer.name] = (*self._places[task.name], answer.index)
            self._schedule.answer(task, answer, self._lanes.keys)

    def _reason_to_skip(self, task: AnyTask) -> str | None:
        is_answer = self._is_answer(task)
        if not task.enabled:
            return "disabled in the job"
        if (disabled := self._left_out.get(task.name)) and not is_answer:
            return f"not run: it needs {disabled}, which is disabled"
        if self._stopped_by and (self._is_over or (task.needs is None and not is_answer)):
            return f"not run: {self._stopped_by} did not succeed"
        needed = [query_name(task.name), *(() if is_answer else task.needs or ())]
        failed = next((name for name in needed if self._failed(name)), None)
        return f"not run: it needs {failed}, which did not succeed" if failed else None

    def _failed(self, name: str) -> bool:
        """Whether a task ended without success, or was skipped."""
        outcome = self._outcomes.get(name)
        return outcome is not None and outcome.status in _WITHOUT_SUCCESS


def finish(context: Context, outcome: RunOutcome, *, final: bool) -> RunOutcome:
    """Record a run's end in the ledger and report it."""
    context.ledger.finish_run(outcome, final=final)
    context.sink(events.RunFinished(outcome))
    return outcome


def chosen(tasks: Sequence[AnyTask], names: Collection[str]) -> tuple[AnyTask, ...]:
    """Only the named tasks; all when none is named."""
    return tuple(task for task in tasks if is_chosen(task, names))


def _run(task: AnyTask, run: Context) -> TaskEnd:
    """Run one task from its start to its outcome."""
    context = run.of(task)
    began = context.clock()
    deadline = context.deadline(task)
    session = context.session.scoped(task.retry, deadline.at, task.name)
    try:
        if context.past is not None and _reads_tasks(task):
            from runner.engine.left_rows import check_left_rows  # noqa: PLC0415 - few jobs

            check_left_rows(task, context)
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


def _reads_tasks(task: AnyTask) -> bool:
    """Whether a task reads rows that another one leaves."""
    source = task.source if isinstance(task, WriteTask) else None
    return bool(sources_of(task)) or isinstance(source, MissingSource)


def _run_by_verb(task: AnyTask, context: Context) -> TaskEnd:
    """Run a task; what others of its kind need is imported, so that each run starts fast."""
    if isinstance(task, QueryTask):
        from runner.engine.query import run_query  # noqa: PLC0415

        return run_query(task, context)
    if type(task) is not WriteTask:
        from runner.engine.undo import UndoTask, run_undo_step  # noqa: PLC0415

        if isinstance(task, UndoTask):
            return run_undo_step(task, context)
    from runner.engine.write import run_write  # noqa: PLC0415

    return run_write(task, context)


def _may_pass(task: AnyTask, error: RunnerError, context: Context) -> bool:
    """Whether a resume may get further with a task that ended before it had an outcome."""
    if isinstance(error, RailError):
        return error.resumable
    begun = context.has_begun(task)
    return begun or isinstance(error, _MAY_PASS) or error.exit_code in _ENDS_THE_RUN
