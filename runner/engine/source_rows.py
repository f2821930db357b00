"""Reads and maps the rows of a write.

Takes nothing from the org but its describes, so rows may be read before their task starts. Knows
where rows come from. Knows nothing of what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.columns import ColumnPlan, plan_columns
from runner.engine.context import Context
from runner.engine.mirror import missing_rows
from runner.errors import JobError, StateError
from runner.job.endpoints import (
    DatabaseSource,
    FileSource,
    MissingSource,
    SqlSource,
    TaskSource,
)
from runner.job.model import WriteTask
from runner.job.order import earlier, prerequisites
from runner.tables.sources.csv import RowsSource
from runner.tables.sources.open import AnySource
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.sources.written import read_written
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import Snapshot


class ReadRows(Struct, frozen=True):
    """Rows that are read and mapped, and the fields that they fill."""

    staging: StagedRows
    plan: ColumnPlan


def read_rows(
    task: WriteTask,
    context: Context,
    folder: Path,
    snapshot: Snapshot | None = None,
    *,
    is_kept: bool = True,
) -> ReadRows:
    """Read and map the rows of a write.

    Args:
        task: The write.
        context: Of the run.
        folder: For the rows; it is deleted when they are discarded.
        snapshot: The rows as an earlier process left them; None: they are read from their source.
        is_kept: Whether a snapshot of them is going to be saved.

    Raises:
        RunnerError: The rows cannot be read or mapped.
    """
    staging = StagedRows(folder, context.disk, is_kept=is_kept and snapshot is None)
    try:
        if snapshot is None:
            return ReadRows(staging, _read(task, context, staging))
        plan = plan_of(task, context, snapshot.columns)
        snapshot.restore(staging, plan.columns, timezone=task.timezone)
        return ReadRows(staging, plan)
    except BaseException:
        staging.discard()
        raise


def _read(task: WriteTask, context: Context, staging: StagedRows) -> ColumnPlan:
    staging.load(_source(task, context), context.stager)
    plan = plan_of(task, context, staging.source_columns)
    tasks = context.job.tasks
    ended = earlier(task.name, prerequisites(tasks), tasks)  # others may be under way
    rows = (context.rows_file(TaskSource(each.name)) for each in tasks if each.name in ended)
    staging.map(
        plan.staged,
        blank=task.blank,
        timezone=task.timezone,
        written=[file for file in rows if file.exists()],
    )
    return plan


def _source(task: WriteTask, context: Context) -> AnySource:
    source = task.source
    if isinstance(source, SqlSource):
        rows = {each.name: _rows(each.source, task, context) for each in source.tables}
        return JoinedSource(source.sql, rows, context.params)
    if isinstance(source, DatabaseSource):
        return replace(source, params=context.params)
    if isinstance(source, MissingSource):
        return missing_rows(context, source)
    return _rows(source, task, context)


def _rows(
    source: FileSource | TaskSource, task: WriteTask, context: Context
) -> FileSource | RowsSource:
    if isinstance(source, FileSource):
        return source
    file = context.rows_file(source)
    if not file.exists():
        raise StateError(
            f"Task {source.task!r} left no rows for {task.name!r}: it did not finish.",
            hint="Run the whole job, or add `needs` so that both run.",
        )
    return RowsSource(file, read_written(file.parent))


def plan_of(task: WriteTask, context: Context, header: Sequence[str]) -> ColumnPlan:
    """The fields that a write fills from a source with these columns.

    Raises:
        JobError: The columns do not fit.
    """
    if not header:
        return ColumnPlan((), task.key, {})
    plan, problems = plan_columns(context.job, task, header, context.describes)
    if problems:
        raise JobError(problems)
    return plan
