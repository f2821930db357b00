"""Runs the writes of one sObject: insert, update, upsert, delete, hardDelete, undelete.

Knows the order in which a chunk of rows is checked and stored; other modules do the checks. Knows
nothing of HTTP.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.org import Org, User
from runner.local_org.records import refusals
from runner.local_org.records.columns import is_key
from runner.local_org.records.deletion import Deletion
from runner.local_org.records.documents import Documents
from runner.local_org.records.lookups import Lookups
from runner.local_org.records.outcome import RowOutcome, refused, rolled_back
from runner.local_org.records.owners import Owners
from runner.local_org.records.parents import Parents
from runner.local_org.records.recycle_bin import purge_expired
from runner.local_org.records.row_reading import RowDraft, RowReader
from runner.local_org.records.rules import Rules
from runner.local_org.records.standard_behaviour import lacks_entry
from runner.local_org.records.time_values import stamp
from runner.local_org.records.uniqueness import Found, check_unique
from runner.local_org.records.values import comparables
from runner.local_org.records.write_setup import WriteSetups
from runner.local_org.store import quoted

CHUNK_ROWS = 200
"""Rows that Salesforce checks and stores in one transaction."""
_FLAGS = {
    "insert": "createable",
    "update": "updateable",
    "upsert": "createable",
    "delete": "deletable",
    "hardDelete": "deletable",
    "undelete": "undeletable",
}
_UNREAD = frozenset({"JSON_PARSER_ERROR", "INVALID_FIELD"})
"""Errors that end the reading of a row: no others are reported."""
_NONE: list[str] = []
_SYSTEM = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")


class WriteCall(Struct, frozen=True):
    """One write of rows of one sObject, and in whose name."""

    operation: str
    """insert, update, upsert, delete, hardDelete or undelete."""
    sobject: SObject
    rows: Sequence[Mapping[str, object]]
    """Field names to JSON values or, with `from_text`, to CSV texts ('' is absent, '#N/A' null)."""
    user: User
    external_id: str | None = None
    """The key of an upsert; Id by default."""
    from_text: bool = False
    allow_duplicates: bool = False
    """Save in spite of duplicate rules that only alert."""
    all_or_none: bool = False
    """Roll the whole call back if any row fails."""


def write(org: Org, conn: sqlite3.Connection, call: WriteCall) -> list[RowOutcome]:
    """Write rows of one sObject; returns one outcome per row, in order.

    `conn` is in a write transaction.

    Raises:
        ApiRefusal: the external Id of an upsert is not a key.
    """
    sobject, operation = call.sobject, call.operation
    if not sobject.flags.get(_FLAGS[operation], False):
        error = refusals.operation_not_supported(sobject.name, operation)
        return [refused(error) for _ in call.rows]
    key = _upsert_key(sobject, call.external_id) if operation == "upsert" else None
    locked = org.part(FaultRules).locks(sobject.name, call.rows)
    rows = call.rows
    if locked:
        rows = [row for place, row in enumerate(rows) if place not in locked]
    purge_expired(conn, org.clock())
    if call.all_or_none:
        conn.execute("SAVEPOINT call")
    if operation in {"insert", "update", "upsert"}:
        outcomes = _Writer(org, conn, call, key).write(operation, rows)
    else:
        outcomes = Deletion(org, conn, sobject, call.user).run(operation, rows)
    for place, holder in sorted(locked.items()):
        outcomes.insert(place, refused(refusals.row_locked(holder)))
    if call.all_or_none:
        if not all(outcome.success for outcome in outcomes):
            conn.execute("ROLLBACK TO call")
            outcomes = rolled_back(outcomes)
        conn.execute("RELEASE call")
    return outcomes


def _upsert_key(sobject: SObject, external_id: str | None) -> Field:
    field = sobject.field(external_id or "Id")
    if field is None or not is_key(field):
        error = refusals.not_an_external_id(external_id or "Id", sobject.name)
        raise ApiRefusal.of(400, error)
    return field


class _Writer:
    """The inserts and updates of one call."""

    def __init__(
        self, org: Org, conn: sqlite3.Connection, call: WriteCall, key: Field | None
    ) -> None:
        catalog, sobject = org.catalog, call.sobject
        self._conn = conn
        self._key = key
        self._sobject = sobject
        self._user = call.user
        self._clock = org.clock
        self._lookups = Lookups(conn)
        self._setup = setup = org.part(WriteSetups).of(sobject, call.user.id)
        self._reader = RowReader(
            catalog, sobject, key, from_text=call.from_text, columns=setup.columns
        )
        self._found: dict[str, Found] = {}
        """Records that the keys of an upsert's chunk found."""
        self._owners = Owners(conn, sobject)
        self._parents = Parents(catalog, sobject, self._lookups)
        self._documents = Documents(catalog, conn, call.user.id) if setup.is_version else None
        self._rules = Rules(sobject, self._lookups, alert=not call.allow_duplicates)

    def write(self, operation: str, rows: Sequence[Mapping[str, object]]) -> list[RowOutcome]:
        outcomes: list[RowOutcome] = []
        for start in range(0, len(rows), CHUNK_ROWS):
            drafts = self._reader.drafts(start, rows[start : start + CHUNK_ROWS])
            outcomes.extend(self._chunk(operation, drafts))
        return outcomes

    def _chunk(self, operation: str, drafts: list[RowDraft]) -> list[RowOutcome]:
        now = self._clock()
        if self._key is not None:
            creating = self._rows_to_create(drafts, self._key)
        else:
            creating = {draft.place for draft in drafts} if operation == "insert" else set()
        new = [draft for draft in drafts if draft.place in creating]
        old = [draft for draft in drafts if draft.place not in creating]
        if operation == "insert":
            _refuse_ids(new)
        self._parents.resolve(drafts)
        self._create(new, now)
        self._update(old, now)
        return [_outcome(draft, created=draft.place in creating) for draft in drafts]

    def _rows_to_create(self, drafts: Sequence[RowDraft], key: Field) -> set[int]:
        """Positions of an upsert's rows that create; the others get the Id of their record."""
        if key.name == "Id":
            return {draft.place for draft in drafts if draft.id_given is None}
        sound = [draft for draft in drafts if not draft.errors]
        _refuse_ids(sound)
        with_key = [draft for draft in sound if draft.values.get(key.name) is not None]
        values = comparables(key, [draft.values[key.name] for draft in with_key])
        keys = {draft.place: value for draft, value in zip(with_key, values, strict=True)}
        found = dict.fromkeys(values, _NONE)
        found.update(self._lookups.fresh_by_key(self._sobject, key, found.keys()))
        self._found = {key.name: found}
        shared = Counter(keys.values())
        creating = set()
        for draft in sound:
            value = keys.get(draft.place)
            if value is None:
                draft.errors.append(refusals.external_id_missing(key.name))
            elif shared[value] > 1:
                given = draft.values[key.name]
                draft.errors.append(refusals.duplicate_external_id(given))
            elif _set_match(draft, key, found[value]):
                creating.add(draft.place)
        return creating

    def _create(self, drafts: Sequence[RowDraft], now: datetime) -> None:
        creation, misplaced = self._setup.creation, self._setup.misplaced
        for draft in drafts:
            self._refuse_unwriteable(draft, self._setup.not_createable)
        drafts = [draft for draft in drafts if not draft.errors]
        given = [] if misplaced is None else [frozenset(draft.values) for draft in drafts]
        creation.complete(self._conn, drafts, now)
        if self._documents is not None:
            self._documents.number(drafts, now)
        for draft, names in zip(drafts, given, strict=False):
            self._refuse_misplaced(draft, names)
        self._refuse_incomplete(drafts)
        self._check_records(drafts)
        sound = [draft for draft in drafts if not draft.errors]
        if sound:
            creation.number(self._conn, sound, now)
            creation.insert(self._conn, sound)
            if self._documents is not None:
                self._documents.publish(sound, now)
        for draft in drafts:
            if draft.errors:
                draft.id = None

    def _refuse_incomplete(self, drafts: Sequence[RowDraft]) -> None:
        for draft in drafts:
            missing = self._setup.creation.missing(draft.values)
            if missing:
                draft.errors.append(refusals.required_missing(missing))
            elif lacks_entry(self._sobject, draft.values):
                draft.errors.append(refusals.entry_missing())

    def _update(self, drafts: Sequence[RowDraft], now: datetime) -> None:
        drafts = [draft for draft in drafts if not draft.errors]
        self._find(drafts)
        changed: dict[tuple[str, ...], list[RowDraft]] = defaultdict(list)
        found = [draft for draft in drafts if not draft.errors]
        moment = stamp(now)
        given = [self._changed(draft, moment) for draft in found]
        self._check_records(found)
        for draft, names in zip(found, given, strict=True):
            if not draft.errors:
                changed[names].append(draft)
        for names, group in changed.items():
            self._store_changes(names, group)

    def _find(self, drafts: Sequence[RowDraft]) -> None:
        """Give each draft the record it changes, in the columns that matter."""
        ids = {draft.id for draft in drafts if draft.id is not None}
        records = self._lookups.records(self._sobject, ids, self._columns_that_matter(drafts))
        seen: set[str] = set()
        for draft in drafts:
            before = records.get(draft.id or "")
            if draft.id is None:
                draft.errors.append(refusals.id_missing("update"))
            elif draft.id in seen:
                draft.errors.append(refusals.duplicate_id(draft.id))
            elif before is None:
                draft.errors.append(refusals.invalid_cross_reference())
            elif before["IsDeleted"]:
                draft.errors.append(refusals.entity_is_deleted())
            else:
                draft.before = before
                self._refuse_unwriteable(draft, self._setup.not_updateable)
            seen.add(draft.id or "")

    def _columns_that_matter(self, drafts: Sequence[RowDraft]) -> Sequence[str]:
        columns = self._sobject.columns
        if self._setup.derive is not None or self._rules:
            return columns
        matter = self._setup.always_read.union(*(draft.values for draft in drafts))
        return [name for name in columns if name in matter]

    def _changed(self, draft: RowDraft, moment: str) -> tuple[str, ...]:
        """Complete an update to a record; returns the names of the fields that change."""
        setup, before, given = self._setup, draft.before or {}, draft.values
        if None in given.values():
            emptied = [name for name in given if given[name] is None and name in setup.not_null]
            if emptied:
                draft.errors.append(refusals.required_missing(emptied))
        record = draft.values = {**before, **given}
        touched: Iterable[str] = given
        if setup.derive is not None:
            names = frozenset(given)
            setup.derive(record, names, moment)
            self._refuse_misplaced(draft, names)
            touched = tuple(record) if setup.derives_much else (*given, "Name")
        differing = {name for name in touched if before.get(name) != record.get(name)}
        record.update(zip(_SYSTEM, (moment, self._user.id, moment), strict=True))
        return tuple(sorted(differing.union(_SYSTEM)))

    def _store_changes(self, names: tuple[str, ...], drafts: Sequence[RowDraft]) -> None:
        setting = ", ".join(f"{quoted(name)} = ?" for name in names)
        self._conn.executemany(
            f"UPDATE {quoted(self._sobject.name)} SET {setting} WHERE Id = ?",  # noqa: S608
            [(*map(draft.values.get, names), draft.id) for draft in drafts],
        )

    def _check_records(self, drafts: Sequence[RowDraft]) -> None:
        """The checks of whole records that inserts and updates share."""
        self._owners.check(drafts)
        self._rules.validate(drafts)
        check_unique(self._sobject, drafts, self._lookups, self._found)
        self._rules.find_duplicates(drafts)

    def _refuse_misplaced(self, draft: RowDraft, given: frozenset[str]) -> None:
        misplaced = self._setup.misplaced
        names = misplaced(draft.values, given) if misplaced else []
        if names:
            draft.errors.append(refusals.bad_fields(self._sobject.name, names))

    def _refuse_unwriteable(self, draft: RowDraft, names: frozenset[str]) -> None:
        if draft.read_only or not names.isdisjoint(draft.values):
            fields = [*draft.read_only, *(name for name in draft.values if name in names)]
            draft.errors.append(refusals.not_writeable(fields))


def _refuse_ids(drafts: Sequence[RowDraft]) -> None:
    for draft in drafts:
        if draft.id_given is not None:
            draft.errors.append(refusals.id_in_insert())


def _set_match(draft: RowDraft, key: Field, ids: list[str]) -> bool:
    """Set the Id of the one record found; True if there is none and the row creates."""
    if len(ids) > 1:
        draft.errors.append(refusals.several_for_external_id(key, ids))
        return False
    if ids:
        draft.id = ids[0]
        if key.name in draft.values and not key.updateable:
            del draft.values[key.name]
    return not ids


def _outcome(draft: RowDraft, *, created: bool) -> RowOutcome:
    if draft.errors:
        unread = next((error for error in draft.errors if error.code in _UNREAD), None)
        return refused(*([unread] if unread else draft.errors), record_id=draft.id)
    return RowOutcome(draft.id, success=True, created=created)
