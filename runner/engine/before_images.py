"""Saves what records hold before a write changes them, and what the write wrote.

Knows which fields a write touches and when to read them. Knows nothing of how they are put back.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from threading import Lock

from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.file_bodies import is_fixed_file
from runner.errors import UsageError
from runner.job.model import Verb, WriteTask
from runner.parallel import parallel_map
from runner.salesforce.describe import Describes, ResolvedColumn
from runner.salesforce.described import BLOB, ObjectDescribe
from runner.salesforce.rest.retrieve import find_by_key, read_by_id
from runner.salesforce.versions import Feature, require
from runner.tables.field_types import NUMBERS, FieldKind, MappedColumn
from runner.tables.staging.rows import StagedRows
from runner.tables.undo.after_images import (
    FILE_FIELDS,
    UNDO,
    WrittenColumn,
    WrittenIndex,
    save_after_images,
)
from runner.tables.undo.before_images import BeforeImageStore

_ID = "Id"


def written_columns(
    task: WriteTask, plan: ColumnPlan, describes: Describes
) -> tuple[WrittenColumn, ...]:
    """The columns that a write sends besides the Id, with the fields that they fill."""
    resolved = [(describes.resolve(task.sobject, each.field), each) for each in plan.columns]
    plain = [(column, sent) for column, sent in resolved if column.name != _ID]
    described = describes.of(task.sobject)
    found = (
        _written(column) if column.type != BLOB else _written_file(column, sent, described)
        for column, sent in plain
    )
    return tuple(each for each in found if each is not None)


def _written_file(
    column: ResolvedColumn, sent: MappedColumn, described: ObjectDescribe
) -> WrittenColumn | None:
    """A file, by the field that shows its content; None if nothing does."""
    shown = next(filter(None, map(described.field, FILE_FIELDS)), None)
    if shown is None or not sent.is_file:
        return None
    return WrittenColumn(column.name, shown.name, shown.type, restorable=False)


def _written(column: ResolvedColumn) -> WrittenColumn:
    field, key = column.field, column.parent_field
    return WrittenColumn(
        column.name,
        field.name,
        field.type,
        field.scale,
        parent=column.parent,
        parent_key=key.name if key else None,
        parent_key_is_number=key is not None and FieldKind.of(key.type) in NUMBERS,
        restorable=field.updateable,
    )


class BeforeImages:
    """Reads the fields of a write's records before its rows are sent. Threads may share it."""

    def __init__(
        self, task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows
    ) -> None:
        """Prepare for an update or upsert with `undo: true`; nothing is read yet.

        Raises:
            UsageError: A field's value cannot be saved, or the API version cannot read it.
        """
        require(context.version, Feature.COLLECTIONS, f"`undo` of task {task.name!r}")
        _check(task, plan, context.describes)
        columns = written_columns(task, plan, context.describes)
        self._task = task
        self._context = context
        self._key = plan.key or _ID
        self._fields = tuple(dict.fromkeys(column.field for column in columns))
        folder = undo_folder(context.task_folder(task)) / "before"
        self._store = BeforeImageStore(staging, folder, self._key, self._fields)
        self._blocks: defaultdict[int, Lock] = defaultdict(Lock)
        self._lock = Lock()

    def save(self, first_row: int, last_row: int) -> None:
        """Save what the records of these rows hold now; each record once.

        Raises:
            OrgError: The org refused to return it.
            StateError: It cannot be written to disk.
        """
        for _ in parallel_map(self._save_once, self._store.missing(first_row, last_row)):
            pass

    def _save_once(self, block: int) -> None:
        with self._lock:
            block_lock = self._blocks[block]
        with block_lock:  # one part may end and the next begin in the same block
            if not self._store.has(block):
                self._save(block)

    def _save(self, block: int) -> None:
        session, sobject = self._context.session, self._task.sobject
        names = self._store.keys(block)
        if self._key != _ID:
            field = self._context.describes.of(sobject).field(self._key)
            quoted = field is None or FieldKind.of(field.type) not in NUMBERS
            found = find_by_key(session, sobject, self._key, names, quoted=quoted)
            names = [record_id for record_id, _ in found]
        self._store.save(block, read_by_id(session, sobject, names, self._fields))


def save_what_was_written(
    task: WriteTask,
    context: Context,
    plan: ColumnPlan,
    staging: StagedRows,
    *,
    has_before_images: bool,
) -> None:
    """Save what an undo must compare with."""
    columns = written_columns(task, plan, context.describes)
    identifies = {Verb.UPDATE: _ID, Verb.UPSERT: plan.key or _ID}
    index = WrittenIndex(
        columns, has_before_images=has_before_images, key=identifies.get(task.verb, "")
    )
    save_after_images(staging, undo_folder(context.task_folder(task)), index)


def undo_folder(task_folder: Path) -> Path:
    """Where a task saves what its undo needs."""
    return task_folder / UNDO


def _check(task: WriteTask, plan: ColumnPlan, describes: Describes) -> None:
    fields = (describes.resolve(task.sobject, each.field).field for each in plan.columns)
    binary = next(
        (f.name for f in fields if f.type == BLOB and not is_fixed_file(task.sobject, f)), None
    )
    if binary is not None:
        raise UsageError(
            f"Task {task.name!r}: `undo` cannot save {binary}, because it holds a file.",
            hint="Remove `undo` or the field. Nothing was sent.",
        )
