"""Carries a write out: rows in, one result a row, result files.

Knows the order: stage, map, send, account. Knows nothing of requests or SQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from runner.engine.api_choice import api_for_write
from runner.engine.before_images import BeforeImages, keep_what_was_written
from runner.engine.bulk import BulkWrite
from runner.engine.columns import ColumnPlan, plan_columns
from runner.engine.context import KEPT, Context, TaskEnd
from runner.engine.rest import BATCH_ROWS, RestWrite
from runner.engine.task_ledger import WritePlan, mapping_digest
from runner.engine.undelete import UndeleteWrite
from runner.engine.verdict import verdict_of
from runner.errors import ExitCode, JobError, RunnerError, StateError, UnexpectedAnswerError
from runner.events import Noticed
from runner.files import atomic_write, unwritable
from runner.job.endpoints import DatabaseSource, FileSource, SqlSource, TaskSource
from runner.job.model import Api, Verb, WriteTask
from runner.outcome import TaskOutcome, TaskStatus
from runner.tables.results.row_results import IN_DOUBT_FILE, RowResults
from runner.tables.sources.csv import RowsSource
from runner.tables.sources.open import AnySource
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import read_snapshot, save_snapshot


class Sender(Protocol):
    """Brings staged rows to the org."""

    left_open: bool
    """Whether the org may still know what became of rows that are not settled here."""

    def send(self, staging: StagedRows, results: RowResults) -> None:
        """Send every row; raises what ended it early."""


_OF_THIS_MOMENT = frozenset({ExitCode.TEMPORARY, ExitCode.SIGN_IN})
"""What ended a task with these may be gone when the run is resumed."""


def run_write(task: WriteTask, context: Context) -> TaskEnd:
    """Carry a write out, from its beginning or from where an earlier process left it.

    Raises:
        RunnerError: it could not begin; nothing was sent by this process.
    """
    folder = context.task_folder(task)
    shutil.rmtree(folder / "staging", ignore_errors=True)  # of a process that died
    staging = StagedRows(folder / "staging", context.disk)
    try:
        plan = _staged(task, context, staging)
        results = RowResults(staging, verb=task.verb)
        api = _api(task, context, plan, staging)
        ledger = context.task_ledger(task)
        ledger.begin(_intent(task, api, plan, staging))
        if api is None:
            return TaskEnd(_account(task, staging, results, None))
        before_images = BeforeImages(task, context, plan, staging)
        sender = _sender(task, api)(task, context, plan, ledger, before_images)
        stopped_by = _sent(sender, staging, results)
        outcome = replace(_account(task, staging, results, stopped_by), api=api.value)
        keep_what_was_written(task, context, plan, staging, outcome.counts)
        if isinstance(sender, BulkWrite):
            outcome = replace(outcome, bulk_job_ids=tuple(sender.job_ids))
        return _end(outcome, sender, stopped_by)
    finally:
        staging.discard()


def _staged(task: WriteTask, context: Context, staging: StagedRows) -> ColumnPlan:
    """Read and map the rows; those that an earlier process kept are taken instead."""
    place = context.task_folder(task) / KEPT
    snapshot = read_snapshot(place) if place.exists() else None
    if snapshot is not None:
        plan = _plan(task, context, snapshot.columns)
        snapshot.restore(staging, plan.columns, blank=task.blank, timezone=task.timezone)
        return plan
    staging.load(_source(task, context))
    for note in staging.notes:
        context.sink(Noticed(note, task.name))
    plan = _plan(task, context, staging.source_columns)
    staging.map(plan.columns, blank=task.blank, timezone=task.timezone)
    if not staging.is_repeatable:
        save_snapshot(staging, place)
    return plan


def _end(outcome: TaskOutcome, sender: Sender, stopped_by: RunnerError | None) -> TaskEnd:
    open_end = (
        sender.left_open
        or outcome.status is TaskStatus.ABORTED
        or outcome.exit_code in _OF_THIS_MOMENT
        or isinstance(stopped_by, StateError | UnexpectedAnswerError)
    )
    return TaskEnd(outcome, settled=not open_end)


def _intent(task: WriteTask, api: Api | None, plan: ColumnPlan, staging: StagedRows) -> WritePlan:
    return WritePlan(
        api=api.value if api else "",
        key=plan.key,
        source_sha256=staging.source_sha256,
        rows=staging.rows_total,
        mapping_sha256=mapping_digest(plan.columns),
        batch_rows=task.batch_size or BATCH_ROWS,
        hard=task.hard,
    )


def _source(task: WriteTask, context: Context) -> AnySource:
    source = task.source
    if isinstance(source, SqlSource):
        rows = {each.name: _rows(each.source, task, context) for each in source.tables}
        return JoinedSource(source.sql, rows, context.params)
    if isinstance(source, DatabaseSource):
        return replace(source, params=context.params)
    return _rows(source, task, context)


def _rows(
    source: FileSource | TaskSource, task: WriteTask, context: Context
) -> FileSource | RowsSource:
    if isinstance(source, FileSource):
        return source
    file = context.rows_file(source)
    if not file.exists():
        raise StateError(
            f"Task {source.task!r} left no rows for {task.name!r}: it did not run to its end.",
            hint="Run the whole job, or write `needs` so that both run.",
        )
    return RowsSource(file)


def _plan(task: WriteTask, context: Context, header: Sequence[str]) -> ColumnPlan:
    if not header:
        return ColumnPlan((), task.key, {})
    plan, problems = plan_columns(context.job, task, header, context.describes)
    if problems:
        raise JobError(problems)
    return plan


def _api(task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows) -> Api | None:
    """Which API carries it; none where there is nothing to send."""
    rows = staging.rows_total - staging.rejected_total
    if rows == 0:
        return None
    return api_for_write(task, rows, context.version, findable=bool(plan.unique))


def _sender(task: WriteTask, api: Api) -> type[RestWrite | BulkWrite | UndeleteWrite]:
    if task.verb is Verb.UNDELETE:
        return UndeleteWrite
    return RestWrite if api is Api.REST else BulkWrite


def _sent(sender: Sender, staging: StagedRows, results: RowResults) -> RunnerError | None:
    """Send; what ended it early is kept, so that the rows so far are still accounted for."""
    try:
        sender.send(staging, results)
    except RunnerError as error:
        return error
    return None


def _account(
    task: WriteTask, staging: StagedRows, results: RowResults, stopped_by: RunnerError | None
) -> TaskOutcome:
    folder = staging.folder.parent
    counts = results.write_files(folder)
    if task.results is not None:
        _copy_results(folder, task.results)
    verdict = verdict_of(task, counts, stopped_by)
    return TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=verdict.status,
        counts=counts,
        message=verdict.message,
        hint=verdict.hint,
        code=verdict.code,
        exit_code=verdict.exit_code,
        results=folder,
        top_errors=() if verdict.status is TaskStatus.DONE else results.top_errors(),
        notes=staging.notes,
    )


def _copy_results(folder: Path, to: Path) -> None:
    for file in folder.glob("*.csv"):
        with atomic_write(to / file.name) as beside:
            shutil.copyfile(file, beside)
    if not (folder / IN_DOUBT_FILE).exists():
        try:
            (to / IN_DOUBT_FILE).unlink(missing_ok=True)  # of an earlier run
        except OSError as error:
            raise unwritable(to / IN_DOUBT_FILE, error) from error
