"""Keeps what records hold before a write changes them, and what the write wrote.

Knows which fields a write touches and when they must have been read. Knows nothing of how they are
put back.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from threading import Lock

from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.errors import UsageError
from runner.job.model import Verb, WriteTask
from runner.outcome import Counts
from runner.parallel import parallel_map
from runner.salesforce.describe import Describes, ResolvedColumn
from runner.salesforce.rest.retrieve import find_by_key, read_by_id
from runner.salesforce.versions import Feature, require
from runner.tables.field_types import FieldKind
from runner.tables.staging.rows import StagedRows
from runner.tables.undo.after_images import UNDO, WrittenColumn, WrittenIndex, save_after_images
from runner.tables.undo.before_images import BeforeImageStore

_ID = "Id"
_NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.INTEGER})


def written_columns(
    task: WriteTask, plan: ColumnPlan, describes: Describes
) -> tuple[WrittenColumn, ...]:
    """The columns that a write sends besides the Id, with the fields that they fill."""
    resolved = (describes.resolve(task.sobject, each.field) for each in plan.columns)
    return tuple(_written(each) for each in resolved if each.name != _ID)


def _written(column: ResolvedColumn) -> WrittenColumn:
    field, key = column.field, column.parent_field
    return WrittenColumn(
        column.name,
        field.name,
        field.type,
        field.scale,
        parent=column.parent,
        parent_key=key.name if key else None,
        parent_key_is_number=key is not None and FieldKind.of(key.type) in _NUMBERS,
        restorable=field.updateable,
    )


class BeforeImages:
    """Reads the fields of a write's records before its rows are sent. Threads may share it."""

    def __init__(
        self, task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows
    ) -> None:
        """Read nothing yet; where the task keeps nothing, nothing is ever read.

        Raises:
            UsageError: A field's value cannot be kept, or the API version cannot tell it.
        """
        self._task = task
        self._context = context
        self._key = plan.key or _ID
        self._blocks: defaultdict[int, Lock] = defaultdict(Lock)
        self._lock = Lock()
        self._earlier: BeforeImageStore | None = None
        if not (task.undo and task.verb in {Verb.UPDATE, Verb.UPSERT}):
            return
        require(context.version, Feature.COLLECTIONS, f"`undo` of task {task.name!r}")
        columns = written_columns(task, plan, context.describes)
        _check(task, columns)
        self._fields = tuple(dict.fromkeys(column.field for column in columns))
        folder = undo_folder(context.task_folder(task)) / "before"
        self._earlier = BeforeImageStore(staging, folder, self._key, self._fields)

    def keep(self, first_row: int, last_row: int) -> None:
        """Have what the records of these rows hold now written down; once for each.

        Raises:
            OrgError: The org refused to tell.
            StateError: It cannot be written down.
        """
        if self._earlier is not None:
            for _ in parallel_map(self._keep_once, self._earlier.missing(first_row, last_row)):
                pass

    def _keep_once(self, block: int) -> None:
        with self._lock:
            held = self._blocks[block]
        with held:  # a part may end and the next begin in one block
            if self._earlier is not None and not self._earlier.has(block):
                self._keep(block, self._earlier)

    def _keep(self, block: int, earlier: BeforeImageStore) -> None:
        session, sobject = self._context.session, self._task.sobject
        names = earlier.keys(block)
        if self._key != _ID:
            field = self._context.describes.of(sobject).field(self._key)
            quoted = field is None or FieldKind.of(field.type) not in _NUMBERS
            found = find_by_key(session, sobject, self._key, names, quoted=quoted)
            names = [record_id for record_id, _ in found]
        earlier.save(block, read_by_id(session, sobject, names, self._fields))


def keep_what_was_written(
    task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows, counts: Counts
) -> None:
    """Write down what an undo must compare with; created records always, others if asked for."""
    keeps = task.undo and task.verb in {Verb.UPDATE, Verb.UPSERT}
    if counts.succeeded == 0 or not (keeps or counts.created):
        return
    index = WrittenIndex(written_columns(task, plan, context.describes), has_before_images=keeps)
    folder = undo_folder(context.task_folder(task))
    save_after_images(staging, folder, index, created_only=not keeps)


def undo_folder(task_folder: Path) -> Path:
    """Where a task keeps what its undo needs."""
    return task_folder / UNDO


def _check(task: WriteTask, columns: tuple[WrittenColumn, ...]) -> None:
    binary = next((each.field for each in columns if each.type == "base64"), None)
    if binary is not None:
        raise UsageError(
            f"Task {task.name!r}: what {binary} holds cannot be kept: it is a file.",
            hint="Take `undo` or the field out. Nothing was sent.",
        )
