"""Carries a write out: rows in, one result a row, result files.

Knows the order: stage, map, send, account. Knows nothing of requests or SQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runner.engine.bulk import BulkWrite
from runner.engine.choice import api_for_write
from runner.engine.columns import ColumnPlan, plan_columns
from runner.engine.context import Context, Deadline
from runner.engine.rest import RestWrite
from runner.engine.verdict import verdict_of
from runner.errors import JobError, RunnerError, StateError
from runner.job.model import Api, WriteTask
from runner.job.places import DatabaseSource, FileSource, SqlSource, TaskSource
from runner.outcome import TaskOutcome, TaskStatus
from runner.tables.opening import AnySource, JoinedSource
from runner.tables.results import Results
from runner.tables.source import RowsSource
from runner.tables.staging import Staging

Sender = Callable[[Staging, Results], None]


def run_write(task: WriteTask, context: Context) -> TaskOutcome:
    """Carry a write out.

    Raises:
        RunnerError: it could not begin; nothing was sent.
    """
    folder = context.task_folder(task)
    staging = Staging(folder / "staging")
    try:
        staging.load(_source(task, context))
        plan = _plan(task, context, staging)
        staging.map(plan.columns, blank=task.blank, timezone=task.timezone)
        api, send, job_ids = _sender(task, context, plan, staging)
        results = Results(staging, verb=task.verb)
        stopped_by = _sent(send, staging, results)
        outcome = _account(task, folder, results, stopped_by)
        return replace(outcome, api=api, bulk_job_ids=tuple(job_ids))
    finally:
        staging.discard()


def _source(task: WriteTask, context: Context) -> AnySource:
    source = task.source
    if isinstance(source, SqlSource):
        rows = {each.name: _rows(each.source, task, context) for each in source.tables}
        return JoinedSource(source.sql, rows)
    return source if isinstance(source, DatabaseSource) else _rows(source, task, context)


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


def _plan(task: WriteTask, context: Context, staging: Staging) -> ColumnPlan:
    if not staging.source_columns:
        return ColumnPlan((), task.key, {})
    plan, problems = plan_columns(context.job, task, staging.source_columns, context.describes)
    if problems:
        raise JobError(problems)
    return plan


def _sender(
    task: WriteTask, context: Context, plan: ColumnPlan, staging: Staging
) -> tuple[str | None, Sender, list[str]]:
    """Which API, and what to call; nothing at all for no rows."""
    rows = staging.rows_total - staging.rejected_total
    if rows == 0:
        return None, lambda _staging, _results: None, []
    deadline = Deadline(task, context.clock)
    if api_for_write(task, rows, context.version) is Api.REST:
        return Api.REST.value, RestWrite(task, context, plan, deadline).send, []
    bulk = BulkWrite(task, context, plan, deadline)
    return Api.BULK.value, bulk.send, bulk.job_ids


def _sent(send: Sender, staging: Staging, results: Results) -> RunnerError | None:
    """Send; what ended it early is kept, so that the rows so far are still accounted for."""
    try:
        send(staging, results)
    except RunnerError as error:
        return error
    return None


def _account(
    task: WriteTask, folder: Path, results: Results, stopped_by: RunnerError | None
) -> TaskOutcome:
    results.write_files(folder)
    if task.results is not None:
        _copy_results(folder, task.results)
    counts = results.counts()
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
    )


def _copy_results(folder: Path, to: Path) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.csv"):
            shutil.copyfile(file, to / file.name)
    except OSError as error:
        raise StateError(
            f"The row results cannot be copied to {to}: {error.strerror}.",
            hint=f"They are in {folder}.",
        ) from error
