"""Stages the rows that a plan has kept, and leaves out those whose record has changed since.

Knows what a plan leaves in a task's folder. Knows nothing of how a plan is kept until then.
"""

from __future__ import annotations

import shutil

from runner.engine.columns import ColumnPlan
from runner.engine.context import PLANNED, Context
from runner.engine.record_lookup import read_records
from runner.files import unwritable
from runner.job.model import Verb, WriteTask
from runner.tables.plans.changed_since import MOMENTS, leave_out_changed
from runner.tables.staging.comparison import LAST_CHANGED
from runner.tables.staging.record_lookup import RecordLookup
from runner.tables.staging.rows import StagedRows


def copy_kept(staging: StagedRows) -> None:
    """Continue with a copy of the files of chunks: a plan's own stay as they are until the end.

    Raises:
        StateError: They cannot be copied.
    """
    try:
        for chunk in staging.chunks:
            for file in chunk.files:
                shutil.copyfile(file, staging.folder / file.name)
    except OSError as error:
        raise unwritable(staging.folder, error) from error
    staging.chunks = tuple(chunk.moved(staging.folder) for chunk in staging.chunks)


def leave_out_changed_records(
    task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows
) -> None:
    """Leave rows of a plan out whose record was created, changed or deleted since it was made.

    Args:
        task: The write.
        context: Of the run.
        plan: What the task fills.
        staging: The plan's rows.

    Raises:
        OrgError: The org does not say which records there are.
        StateError: The rows cannot be stored.
    """
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
    moments = context.task_folder(task) / PLANNED / MOMENTS
    leave_out_changed(staging, lookup, moments, task.sobject)
