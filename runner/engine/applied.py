"""Takes over the rows that a plan has kept, except those whose record has changed since.

All of them before the first write: what the run itself changes, or has others change, is no reason
to leave a record alone. Knows what a plan leaves in a task's folder. Knows nothing of how a plan is
kept until then.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from runner.engine.columns import ColumnPlan
from runner.engine.context import PLANNED, SNAPSHOT, STAGING, Context
from runner.engine.record_lookup import read_records
from runner.engine.source_rows import plan_of
from runner.errors import StateError
from runner.files import unwritable
from runner.job.model import Verb, WriteTask
from runner.tables.plans.changed_since import MOMENTS, leave_out_changed
from runner.tables.staging.comparison import LAST_CHANGED, UNCHANGED_FILE
from runner.tables.staging.record_lookup import RecordLookup
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import read_snapshot, save_snapshot, staged_files


def take_over_plan(context: Context) -> None:
    """Make the kept rows of each task its staged rows, as a resume finds them.

    Raises:
        OrgError: The org does not say which records there are.
        StateError: The rows cannot be stored.
    """
    for task in context.job.tasks:
        folder = context.task_folder(task)
        if isinstance(task, WriteTask) and (folder / PLANNED).exists():
            _take_over(task, context, folder)
            shutil.rmtree(folder / PLANNED)


def _take_over(task: WriteTask, context: Context, folder: Path) -> None:
    kept = read_snapshot(folder / PLANNED)
    if kept is None:
        raise StateError(
            f"The rows of the plan for task {task.name!r} are damaged: {folder / PLANNED} has no "
            "index. None of them was sent.",
            hint=f"`runner resume {context.run_id} --abandon`, then make the plan again.",
        )
    shutil.rmtree(folder / STAGING, ignore_errors=True)  # of a process that died
    staging = StagedRows(folder / STAGING, context.disk)
    try:
        plan = plan_of(task, context, kept.columns)
        kept.restore(staging, plan.columns, timezone=task.timezone)
        _copy_files(staging)
        _leave_out_changed(task, context, plan, staging, folder / PLANNED / MOMENTS)
        unchanged = partial(_take_unchanged, folder)
        save_snapshot(staging, folder / SNAPSHOT, staged_files(staging), unchanged)
    finally:
        staging.discard()


def _take_unchanged(folder: Path) -> list[Path]:
    unchanged, taken = folder / PLANNED / UNCHANGED_FILE, folder / SNAPSHOT / UNCHANGED_FILE
    if not unchanged.exists():
        return []
    shutil.copyfile(unchanged, taken)
    return [taken]


def _copy_files(staging: StagedRows) -> None:
    """Continue with a copy of the files: the plan's own stay as they are until all is saved."""
    try:
        for chunk in staging.chunks:
            for file in chunk.files:
                shutil.copyfile(file, staging.folder / file.name)
    except OSError as error:
        raise unwritable(staging.folder, error) from error
    staging.chunks = tuple(chunk.moved(staging.folder) for chunk in staging.chunks)


def _leave_out_changed(
    task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows, moments: Path
) -> None:
    """Leave rows out whose record was created, changed or deleted since the plan was made."""
    if task.verb is Verb.CREATE or staging.rows_total == staging.rejected_total:
        return
    name = plan.key or "Id"
    key = next(each for each in staging.mappings if each.column.field == name)
    described = context.describes.of(task.sobject)
    field = described.fields[name.lower()]
    stamp = [LAST_CHANGED] if described.field(LAST_CHANGED) else []
    lookup = RecordLookup(
        staging, key, field.name, tells_case=field.case_sensitive, fields=(), also=stamp
    )
    read_records(task, context, field, lookup)
    leave_out_changed(staging, lookup, moments, task.sobject)
