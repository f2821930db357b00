"""Looks up the records that rows name by their values, before the rows are sent.

Knows what is asked of the org, once for all rows. Knows nothing of how values are compared or what
becomes of the rows.
"""

from __future__ import annotations

from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.known_lookups import Place
from runner.engine.lookup_cost import Reading
from runner.engine.record_lookup import Keys, MoreRecords, read_matching
from runner.engine.reference_columns import ReferencePlace, ReferencePlan
from runner.events import Noticed
from runner.job.binds import bind
from runner.job.model import WriteTask
from runner.tables.staging.reference_lookup import ReferenceLookup, blanked_rows, put_ids
from runner.tables.staging.rows import StagedRows


def look_up_references(
    task: WriteTask,
    context: Context,
    plan: ColumnPlan,
    staging: StagedRows,
    more: MoreRecords | None = None,
) -> None:
    """Put Ids in place of the values of fields that are looked up.

    Args:
        task: The write.
        context: Of the run.
        plan: What the task fills.
        staging: The rows, mapped.
        more: Adds records that the org does not have yet.

    Raises:
        OrgError: The org refused a query.
        StateError: The rows cannot be stored.
    """
    if not plan.references:
        return
    lookups: list[ReferenceLookup] = []
    if staging.rows_total > staging.rejected_total:
        further = len(plan.columns)
        for reference in plan.references:
            first = next(
                each.cell
                for each in staging.mappings
                if each.column.field == reference.wanted.field
            )
            several = range(further, further + len(reference.columns) - 1)
            cells = (first, *(staging.mappings[at].cell for at in several))
            further = several.stop
            lookups.append(ReferenceLookup(staging, reference.wanted, cells))
            _ask(task, context, reference, lookups[-1], more)
    put_ids(staging, lookups, len(plan.columns))
    for at, each in enumerate(lookups):
        rows = blanked_rows(staging, each, at)
        if rows:
            noun = "row" if rows == 1 else "rows"
            said = f"{each.wanted.field} is blank in {rows:,} {noun}"
            why = f"no {each.wanted.said} was found, and the job says `missing: blank`"
            context.sink(Noticed(f"{said}: {why}", task.name))


def _ask(
    task: WriteTask,
    context: Context,
    reference: ReferencePlan,
    lookup: ReferenceLookup,
    more: MoreRecords | None,
) -> None:
    for place in reference.places:
        names = tuple(each.name for each in place.fields)
        condition = bind(place.where, context.params) if place.where else ""
        known = context.lookups
        where = Place(place.sobject, names, condition)
        is_kept = known is not None and where.is_its_own(context.describes.of(place.sobject))
        if known is None or not is_kept:
            lookup.leave_out(())
            _read(task, context, lookup, place, condition)
        elif not known.tell(where, lookup) and lookup.count:
            listener = known.listen(where, lookup)
            reading = _read(task, context, listener, place, condition)
            known.keep(listener, is_whole=reading is Reading.BULK)
        if more is not None:
            more(lookup, place.sobject, names)


def _read(
    task: WriteTask, context: Context, keys: Keys, place: ReferencePlace, condition: str
) -> Reading | None:
    """Ask for the records of a place, and give how; None if there are no keys to ask for."""
    if not keys.count:
        return None
    return read_matching(
        task, context, keys, sobject=place.sobject, fields=place.fields, condition=condition
    )
