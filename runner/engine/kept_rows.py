"""Which rows a write sends: those that an earlier process of the run kept, or those of its source.

Kept rows that somebody has changed, cut short or deleted are not used. Where the run has sent some
of them, the source is read again, and what it gives has to be the same to the byte: else rows would
get the results of others. Knows what is kept and what the ledger says of it. Knows nothing of how
rows are read or sent.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from runner.engine.context import SNAPSHOT, Context
from runner.engine.task_ledger import TaskLedger, recorded_rows
from runner.errors import StateError
from runner.events import Warned
from runner.job.model import WriteTask
from runner.state.run_records import APPLY
from runner.tables.staging.snapshot import DamagedRowsError, Snapshot, read_snapshot


class KeptRows(Struct, frozen=True):
    """What an earlier process of the run has left of its rows."""

    snapshot: Snapshot | None = None
    """None: the rows are read from their source."""
    lost: str | None = None
    """Why rows that were kept are not used."""


def kept_rows(task: WriteTask, context: Context, ledger: TaskLedger) -> KeptRows:
    """Find the rows that an earlier process of the run kept.

    Raises:
        StateError: They were those of a plan, and are damaged.
    """
    recorded, past = recorded_rows(ledger.recorded_plan), context.past
    is_planned = past is not None and task.name in past.request.planned
    folder = context.task_folder(task) / SNAPSHOT
    kept = _read(folder, recorded, is_expected=is_planned or recorded is not None)
    lost = kept.lost
    if lost is None:
        return kept
    if recorded is None and past is not None and past.request.verb == APPLY:
        raise StateError(
            f"The rows of the plan are damaged: {lost} Nothing of task {task.name!r} was sent.",
            hint=f"`runner resume {context.run_id} --abandon`, then make the plan again.",
        )
    context.sink(Warned(f"{lost} The rows are read from their source again.", task.name))
    return kept


def _read(folder: Path, recorded: str | None, *, is_expected: bool) -> KeptRows:
    try:
        snapshot = read_snapshot(folder)
    except DamagedRowsError as error:
        return KeptRows(lost=error.message)
    if snapshot is None:
        return KeptRows(lost=f"{folder} is missing." if is_expected else None)
    if recorded not in {None, "", snapshot.sha256}:
        return KeptRows(lost=f"{folder} has other rows than the ledger says.")
    return KeptRows(snapshot)
