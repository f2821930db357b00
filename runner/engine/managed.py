"""What a write changes in the list of the records that a mirror has created.

Knows which tasks create, delete and put back such records. Knows nothing of how they are listed.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from runner.engine.context import Context
from runner.job.mirrors import mirror_of
from runner.job.model import Verb, WriteTask
from runner.state.managed import Event, ManagedChange, MirrorKey
from runner.tables.results.row_results import RowResults

_FILE = Path("mirror") / "written.txt"


class Noted(Struct, frozen=True):
    """A mirror, and what happens to records that a write created or deleted."""

    mirror: str
    event: Event


def noted_of(task: WriteTask) -> Noted | None:
    """What a task of a job does to records of a mirror; None if nothing is noted."""
    if task.mirror is not None:
        return Noted(task.name, Event.CREATED)
    if task.in_scope and task.verb is Verb.DELETE:  # also of a retry, whose source is a file
        return Noted(mirror_of(task.name), Event.DELETED)
    return None


def managed_change(
    task: WriteTask, context: Context, results: RowResults, noted: Noted
) -> ManagedChange:
    """List the records of a write that has ended, for the ledger.

    Raises:
        StateError: The file cannot be written.
    """
    file = context.task_folder(task) / _FILE
    results.save_ids(file, only_created=noted.event is Event.CREATED)
    key = MirrorKey(context.job.file, noted.mirror, context.org_id)
    return ManagedChange(key, noted.event, file)
