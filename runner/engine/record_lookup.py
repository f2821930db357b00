"""Looks up records by the keys of rows, before the rows are sent.

Knows when records are looked up, what is read of them, and whether by REST queries over the keys or
by one Bulk query over all records (`lookup_cost` decides). Knows nothing of how keys or values are
compared or what becomes of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.bulk_records import bulk_query
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.lookup_cost import Reading, reading_for
from runner.engine.mirror_scope import keep_missing, scope_of
from runner.errors import OrgError
from runner.events import Noticed
from runner.job.choices import Match
from runner.job.model import COMPARED_VERBS, Api, Verb, WriteTask
from runner.parallel import parallel_map
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe
from runner.salesforce.rest.query import pages
from runner.salesforce.rest.retrieve import read_by_key
from runner.salesforce.versions import Feature, supports
from runner.suggest import in_words
from runner.tables.field_types import FieldKind
from runner.tables.staging.comparison import LAST_CHANGED, Comparison
from runner.tables.staging.equality import HeldField
from runner.tables.staging.found_records import TakesRecords, add_records
from runner.tables.staging.record_lookup import Effects, RecordLookup, apply_by_id
from runner.tables.staging.rows import StagedRows

_ID = "Id"
_QUOTED = frozenset({FieldKind.TEXT, FieldKind.ID})
"""Kinds of values that a query has in quotes."""


class TakesPlanned(Protocol):
    """A lookup that can find records that do not exist yet."""

    def add_planned(self, file: Path) -> None:
        """Add such records from a CSV file of their Ids and keys."""


MoreRecords = Callable[[TakesPlanned, str, Sequence[str]], None]
"""Called with a lookup, and with the object and the fields by which its records are found."""


def look_up_records(  # noqa: PLR0913 - what is looked up, and for what
    task: WriteTask,
    context: Context,
    plan: ColumnPlan,
    staging: StagedRows,
    *,
    compares: bool = False,
    more: MoreRecords | None = None,
) -> Comparison | None:
    """Look up what the rows need to know of the org, and write them again accordingly.

    Rows of an update or delete by an external Id get the Ids of their records. Rows of an upsert
    lose the fields that are sent for new records only, if their record exists. Rows that `match`
    does not want are skipped. With `only_changes`, rows lose what their records hold already.

    Args:
        task: The write.
        context: Of the run.
        plan: What the task fills.
        staging: The rows, mapped.
        compares: Whether to read what the records hold even if the task sends all of it; of the
            records to delete, when they were last changed.
        more: Adds records that the org does not have yet.

    Returns:
        The rows beside what their records hold; None if that was not read.

    Raises:
        OrgError: The org refused a query.
        StateError: The rows cannot be stored.
    """
    finds = any(each.column.found_by for each in staging.mappings)
    is_compared = task.verb in COMPARED_VERBS
    compares_to_send = task.only_changes and task.match is not Match.CREATE_ONLY
    asked = compares and (is_compared or task.verb is Verb.DELETE)
    reads = (is_compared and compares_to_send) or asked or task.in_scope
    effects = Effects(
        task.sobject,
        finds,
        plan.on_create,
        task.match,
        compares_to_send,
        mirrors=task.mirror is not None,
        in_scope=task.in_scope,
    )
    if not (finds or plan.on_create or task.match or reads):
        return None
    if staging.rows_total == staging.rejected_total:
        return None
    by_id = plan.key == _ID
    if by_id and (plan.on_create or task.match):
        apply_by_id(staging, effects)
        effects = replace(effects, match=None)
    if by_id and not reads:
        return None
    key = next(
        each
        for each in staging.mappings
        if each.column.found_by or each.column.field == (plan.key or _ID)
    )
    described = context.describes.of(task.sobject)
    field = described.fields[key.column.label.lower()]
    stamp = [LAST_CHANGED] if described.field(LAST_CHANGED) else []  # a few objects have none
    compared = compared_fields(task, plan, context.describes) if reads else None
    lookup = RecordLookup(
        staging, key, field.name, tells_case=field.case_sensitive, fields=compared, also=stamp
    )
    _note_unreadable(task, context, plan, compared or ())
    # Which rows have a record must be known of all rows.
    scoped = reads and not (finds or plan.on_create or task.match or compares or task.mirror)
    scoped |= task.in_scope
    condition = scope_of(task, context) if task.scope and scoped else ""
    reading = _Reader(task, context, field, lookup.paths, condition).read(lookup)
    if compares_to_send:
        context.sink(Noticed(f"rows are compared with their records, read {reading}", task.name))
    if task.mirror is not None:
        keep_missing(task, context, lookup)
    elif more is not None:
        more(lookup, task.sobject, [field.name])
    lookup.apply(effects)
    return lookup.comparison if asked or (reads and is_compared) else None


def read_records(
    task: WriteTask, context: Context, key: FieldDescribe, lookup: RecordLookup
) -> None:
    """Read the records of a lookup, chosen by what takes fewer API calls.

    Raises:
        OrgError: The org refused a query.
    """
    _Reader(task, context, key, lookup.paths, "").read(lookup)


def read_matching(  # noqa: PLR0913 - the parts of a query
    task: WriteTask,
    context: Context,
    keys: Keys,
    *,
    sobject: str,
    fields: Sequence[FieldDescribe],
    condition: str,
) -> Reading:
    """Read the records of an object that have some values, and give how.

    Args:
        task: The write whose rows name the values.
        context: Of the run.
        keys: The values.
        sobject: The object.
        fields: What is read of each record; the values are those of the first.
        condition: What else must be true of a record, in SOQL; may be empty.

    Raises:
        OrgError: The org refused a query.
    """
    paths = tuple(each.name for each in fields[1:])
    return _Reader(replace(task, sobject=sobject), context, fields[0], paths, condition).read(keys)


def look_up_parents(task: WriteTask, context: Context, sobject: str, key: str, keys: Keys) -> None:
    """Look up which parents exist.

    Args:
        task: The write whose rows name them.
        context: Of the run.
        sobject: The parents' object.
        key: The field by which they are named.
        keys: Their keys; nothing is asked if there are none.

    Raises:
        OrgError: The org refused a query.
    """
    if keys.count:
        field = context.describes.of(sobject).fields[key.lower()]
        _Reader(replace(task, sobject=sobject), context, field, (), "").read(keys)


def compared_fields(
    task: WriteTask, plan: ColumnPlan, describes: Describes
) -> tuple[HeldField, ...]:
    """The fields of a write that can be compared: those that can be read as they were written."""
    found = []
    for each in plan.columns:
        column = describes.resolve(task.sobject, each.label)
        is_key = each.found_by or each.field == _ID or column.name == plan.key
        if is_key or column.name in plan.on_create:  # those are not sent to a record
            continue
        key = column.parent_field
        field = HeldField(
            column.name,
            column.type,
            column.field.scale,
            lookup=column.lookup,
            tells_case=key is not None and key.case_sensitive,
            is_rich=column.field.html_formatted,
        )
        found.append(field)
    return tuple(each for each in found if each.is_readable)


def _note_unreadable(
    task: WriteTask, context: Context, plan: ColumnPlan, compared: Sequence[HeldField]
) -> None:
    """Say once which fields make every row be sent that fills them."""
    known = {each.column for each in compared} | {_ID, plan.key, *plan.on_create}
    unreadable = [e.field for e in plan.columns if not e.found_by and e.field not in known]
    if compared and unreadable:
        them = "it" if len(unreadable) == 1 else "them"
        context.sink(
            Noticed(
                f"{in_words(unreadable, 'and')} cannot be compared with what records hold, so rows"
                f" that fill {them} are always sent",
                task.name,
            )
        )


class Keys(TakesRecords, Protocol):
    """Keys of records to look up."""

    @property
    def count(self) -> int:
        """How many there are."""

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The keys, some at a time."""


class _Reader(Struct, frozen=True):
    """Reads the records of a lookup."""

    task: WriteTask
    context: Context
    key: FieldDescribe
    paths: tuple[str, ...]
    """What to read of each record besides Id and key."""
    condition: str
    """What else must be true of a record, in SOQL; may be empty."""

    def read(self, lookup: Keys) -> Reading:
        """Read them, and give how."""
        reading = self._reading(lookup.count)
        if reading is Reading.BULK:
            self._by_bulk(lookup)
        else:
            self._by_key(lookup)
        return reading

    def _reading(self, keys: int) -> Reading:
        if self.task.api is Api.REST or not supports(
            self.context.version, Feature.BULK_QUERY_COLUMN_ORDER
        ):
            return Reading.BY_KEY
        return reading_for(keys, self._count)

    def _count(self) -> int | None:
        """How many records a Bulk query would read; None if the org does not say."""
        where = f" WHERE {self._where}" if self._where else ""
        soql = f"SELECT COUNT() FROM {self.task.sobject}{where}"  # noqa: S608 - names as describe has them
        try:
            return next(pages(self.context.session, soql)).total_size
        except OrgError:
            return None

    @property
    def _where(self) -> str:
        conditions = [] if self.key.name == _ID else [f"{self.key.name} != null"]
        conditions += [f"({self.condition})"] if self.condition else []
        return " AND ".join(conditions)

    def _by_key(self, lookup: Keys) -> None:
        context = self.context
        quoted = FieldKind.of(self.key.type) in _QUOTED
        deadline = context.deadline(self.task)

        def found(keys: list[str]) -> list[list[str | None]]:
            records = read_by_key(
                context.session,
                self.task.sobject,
                self.key.name,
                keys,
                self.paths,
                quoted=quoted,
                condition=self.condition,
            )
            return list(records)

        def pieces() -> Iterator[list[str]]:
            for keys in lookup.pages_of_keys():
                deadline.check()
                yield keys

        for records in parallel_map(found, pieces()):
            add_records(lookup, records)

    def _by_bulk(self, lookup: Keys) -> None:
        names = [_ID, *([] if self.key.name == _ID else [self.key.name]), *self.paths]
        where = f" WHERE {self._where}" if self._where else ""
        soql = f"SELECT {', '.join(names)} FROM {self.task.sobject}{where}"  # noqa: S608 - names as describe has them
        file = lookup.folder / "records.csv"
        bulk_query(self.task, self.context, soql, names, file)
        lookup.add_file(file)
        file.unlink()
