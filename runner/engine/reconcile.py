"""Compares an incremental query's target with the org, and repairs it with the rows of the extract.

The repair is part of the same write: records that the target lacks, or has with another stamp, join
the rows; what the query no longer finds leaves. Knows which records are read again, and how. Knows
nothing of APIs or of how a target is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.context import Context
from runner.engine.lookup_cost import Reading, reading_for
from runner.errors import StateError
from runner.events import Noticed, Warned
from runner.job.endpoints import (
    Deletes,
    FileFormat,
    FileShape,
    FileSource,
    ListColumn,
    Target,
)
from runner.job.model import Api, QueryTask
from runner.job.query_bounds import identities, of_ids, soql_moment
from runner.outcome import Counts
from runner.wording import counted

if TYPE_CHECKING:
    from runner.tables.targets.reconciliation import Differences

Fetch = Callable[[QueryTask, Path], int]
"""Fetches the rows of a query into a file; returns how many there are."""
RECONCILE = "reconcile"
"""Folder for files that are needed until the target is written."""
_IDS = "sfrunner_ids"
_MOST_DAYS = 3


class Reconciled(Struct, frozen=True):
    """What a comparison leaves."""

    target: Target | None
    """Loses the rows that it has too many."""
    more_rows: int = 0
    """That joined those of the extract."""
    differences: Differences | None = None
    """None if there was nothing to compare."""
    notes: tuple[str, ...] = ()

    def counted(self, counts: Counts) -> Counts:
        """The counts of the task, with what differed."""
        if self.differences is None:
            return counts
        found = self.differences
        return replace(
            counts, missing=found.missing, surplus=found.surplus, outdated=found.outdated
        )


def reconcile(
    task: QueryTask, context: Context, rows: Path, until: datetime, fetch: Fetch
) -> Reconciled:
    """Compare the target with the org, and complete the rows that are going to be merged into it.

    Args:
        task: A query with `since`, whose target is merged by Id.
        context: The run.
        rows: What the extract brings; gets more rows.
        until: Where the extract ends.
        fetch: Runs a query.

    Raises:
        StateError: The target cannot be read, or the org has none of its records.
        OrgError: The org refused a query.
    """
    from runner.tables.targets.delivered import add_deleted, add_rows  # noqa: PLC0415 - few need it
    from runner.tables.targets.presence import is_there  # noqa: PLC0415 - same
    from runner.tables.targets.reconciliation import Compared, compare  # noqa: PLC0415 - same

    target, since = task.target, task.since
    if target is None or since is None:
        raise AssertionError(task.name)  # checked with the job
    if not is_there(target):
        return Reconciled(target)
    folder = rows.parent / RECONCILE
    folder.mkdir(exist_ok=True)
    plain = replace(task, since=None, target=None, deleted=False)
    org = folder / "org.csv"
    fetch(replace(plain, soql=identities(task.soql, since.field), files=None), org)
    flags = target.keeping.deletes is Deletes.FLAG
    compared = Compared(target, since.field, rows, org, soql_moment(until), keeps_deleted=flags)
    found = compare(compared, folder)
    if found.in_target and not found.in_org:
        raise StateError(
            "The query finds no record in the org, so every row of the target would be removed:"
            f" {found.in_target:,}. Nothing was written.",
            hint="Check the query and what its user may see; or empty the target yourself.",
        )
    if not found.repaired:
        found.listed.unlink()
    more = 0
    if found.missing or found.outdated:
        repair = folder / "repair.csv"
        more = fetch(_wanted(plain, found), repair)
        more = add_rows(rows, repair, only=found.wanted)
    if found.surplus and flags:
        more += add_deleted(rows, since.field, found.gone)
    elif found.surplus:
        target = replace(target, keeping=replace(target.keeping, gone=found.gone))
    notes = tuple(_notes(found))
    for note in notes:
        context.sink((Warned if found.repaired else Noticed)(note, task.name))
    return Reconciled(target, more, found, notes)


def _wanted(task: QueryTask, found: Differences) -> QueryTask:
    """The query that finds the records to read again, perhaps among others."""
    reading = reading_for(found.missing + found.outdated, lambda: found.in_org)
    if reading is Reading.BULK or task.lists:
        return task
    source = FileSource(found.wanted, FileShape(FileFormat.CSV))
    ids = ListColumn(_IDS, source, "Id")
    return replace(task, soql=of_ids(task.soql, _IDS), lists=(ids,), api=Api.REST)


def _notes(found: Differences) -> Iterator[str]:
    compared = f"compared with {counted(found.in_org, 'record')} of the org"
    if not found.repaired:
        yield f"{compared}: nothing differs"
    else:
        counts = (
            (found.missing, "missing"),
            (found.surplus, "too many"),
            (found.outdated, "with another stamp"),
        )
        said = ", ".join(f"{number:,} {what}" for number, what in counts if number)
        yield f"{compared}: the target had {said}; repaired, and listed in {found.listed}"
        for day, there, here in found.days[:_MOST_DAYS]:
            yield f"{day}: {there:,} in the org, {here:,} in the target"
        if len(found.days) > _MOST_DAYS:
            yield f"{len(found.days) - _MOST_DAYS:,} more days on which the numbers differed"
    if found.unnamed:
        are = "row has" if found.unnamed == 1 else "rows have"
        yield f"{found.unnamed:,} {are} no Id, and stay as they are"
