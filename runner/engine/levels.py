"""Sends rows whose parents are rows of the same source in levels, parents first.

Knows which columns name rows of the same source, and that a level begins when the one before has
ended. Knows nothing of how rows are numbered, or how a level is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec.structs import replace

from runner.engine.columns import ColumnPlan
from runner.engine.sending import PreparedWrite
from runner.errors import RunnerError
from runner.job.model import CREATING_VERBS, WriteTask
from runner.salesforce.describe import Describes
from runner.tables.field_types import FieldKind
from runner.tables.staging.levels import (
    OwnParents,
    level_sizes,
    number_levels,
    reject_circles,
    rows_of_level,
)
from runner.tables.staging.rows import StagedRows

PARTS_OF_A_LEVEL = 1_000_000
"""Numbers that the ledger has for the parts of one level."""


class LevelSender(Protocol):
    """Sends the rows of one level."""

    has_open_rows: bool
    unknown: int
    """Records in the org that an earlier process may have created and did not record."""

    @property
    def is_complete(self) -> bool:
        """Whether every answer that came is among the results; else the ledger knows more."""

    @property
    def job_ids(self) -> Sequence[str]:
        """Of the Bulk jobs that were made; none over REST."""

    def run(self) -> RunnerError | None:
        """Send every row; give what ended it early."""

    def leave(self, stopped_by: RunnerError) -> None:
        """Account for what an earlier process sent, and send nothing."""


def own_parents(task: WriteTask, plan: ColumnPlan, describes: Describes) -> OwnParents | None:
    """How rows of a write name others of the same source; None if they do not."""
    if task.verb not in CREATING_VERBS:
        return None
    described = describes.of(task.sobject)
    filled = {each.field for each in plan.columns}
    found: dict[str, list[str]] = {}
    for column in plan.lookups:
        resolved = describes.resolve(task.sobject, column)
        key = resolved.parent_field
        if resolved.parent == described.name and key is not None and key.name in filled:
            found.setdefault(key.name, []).append(column)
    if not found:
        return None
    # Rows are named by one field: the upsert's key, if they use it.
    name = plan.key if plan.key in found else next(iter(found))
    field = described.fields[name.lower()]
    kind = FieldKind.of(field.type)
    return OwnParents(name, kind, field.case_sensitive, tuple(found[name]))


def leave_out_circles(
    task: WriteTask, plan: ColumnPlan, describes: Describes, staging: StagedRows
) -> None:
    """Leave rows out that are below themselves: none of them can be sent first.

    Raises:
        StateError: The rows cannot be stored.
    """
    parents = own_parents(task, plan, describes)
    if parents is not None and staging.rows_total > staging.rejected_total:
        number_levels(staging, parents)
        reject_circles(staging, parents)


def sizes_of_levels(
    task: WriteTask, plan: ColumnPlan, describes: Describes, staging: StagedRows
) -> list[int]:
    """How many rows are sent in each level.

    Raises:
        StateError: The rows cannot be read.
    """
    rows = staging.rows_total - staging.rejected_total
    parents = own_parents(task, plan, describes)
    if parents is None or not rows:
        return [rows]
    number_levels(staging, parents)
    return level_sizes(staging)


def in_levels(write: PreparedWrite) -> Iterator[PreparedWrite]:
    """The write of each level, made when the level before has ended.

    Raises:
        StateError: Rows cannot be read or stored.
    """
    staging = write.staging
    parents = own_parents(write.task, write.plan, write.context.describes)
    levels = number_levels(staging, parents) if parents is not None else 1
    if levels <= 1:
        yield write
        return
    done = staging.rejected_total
    for level in range(levels):
        chunks = tuple(rows_of_level(staging, level))
        failed = write.failed_unsent
        if level:
            counts = write.results.counts()
            failed = counts.failed + counts.in_doubt
        first = level * PARTS_OF_A_LEVEL
        rows = staging.only(chunks)
        yield replace(
            write,
            ledger=write.ledger.within(range(first, first + PARTS_OF_A_LEVEL)),
            staging=rows,
            results=write.results.of(rows),
            first_part=first,
            failed_before=failed,
            done_before=done,
        )
        done += sum(chunk.sendable for chunk in chunks)
        for chunk in chunks:
            for file in chunk.files_of_sent:
                file.unlink(missing_ok=True)


def send_in_levels(
    write: PreparedWrite, sender_of: Callable[[PreparedWrite], LevelSender]
) -> tuple[tuple[LevelSender, ...], RunnerError | None]:
    """Send each level once the one before has ended.

    Rows whose parent was refused are sent too, and the org says of each that it has no parent.

    Args:
        write: The write.
        sender_of: Makes the sender of a level.

    Returns:
        The sender of each level, and what ended the write early.
    """
    senders: list[LevelSender] = []
    stopped_by: RunnerError | None = None
    for level in in_levels(write):
        sender = sender_of(level)
        if senders:
            sender.unknown = senders[0].unknown
        senders.append(sender)
        if stopped_by is None:
            stopped_by = sender.run()
        else:
            sender.leave(stopped_by)
    return tuple(senders), stopped_by
