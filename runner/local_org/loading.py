"""Loads rows of several objects that refer to each other, all or nothing.

A row can have a reference of its own (the Id that it had elsewhere, or `@Ref1`), by which others
name it as their parent. Parents are written first; where rows refer to each other in a circle, the
lookup is filled in once both are there. Users, queues and other setup that the org has already are
not written again.

Knows rows, references and the order. Knows no files and no HTTP.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from runner.local_org.bootstrap import completed_user
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.load_columns import Column, LoadError, column_named, sobject_named
from runner.local_org.load_keys import Keys, text_of
from runner.local_org.org import Org
from runner.local_org.records import WriteCall, write

_BATCH_ROWS = 10_000
_SETUP = {
    "Group": ("DeveloperName",),
    "User": ("Username",),
    "RecordType": ("DeveloperName", "SobjectType"),
    "Profile": ("Name",),
    "UserRole": ("DeveloperName",),
    "BusinessHours": ("Name",),
    "Pricebook2": ("Name",),
    "Organization": (),
    "QueueSobject": ("QueueId", "SobjectType"),
    "GroupMember": ("GroupId", "UserOrGroupId"),
    "CurrencyType": ("IsoCode",),
}
"""Objects that have records in every org, and the fields that identify these records."""
_ONLY_FOUND = frozenset({"Organization", "Profile", "RecordType"})
REFERENCE_MARK = "@"


class LoadRow(Struct):
    """One row to load."""

    sobject: str
    values: dict[str, object]
    """JSON values or, with `text`, CSV texts, by the names of the file."""
    ref: str | None = None
    parent: tuple[str, str] | None = None
    """The reference of the record that it is nested in, and the relationship there."""
    text: bool = False
    found_by: tuple[str, ...] | None = None
    """Fields by which the record must be found in the org instead of being created."""


class Loaded(Struct, frozen=True):
    """What was loaded."""

    created: dict[str, int]
    """Records by object."""
    found: dict[str, int]
    """Rows whose record the org had, by object."""
    ignored: tuple[str, ...]
    """Columns that cannot be written, as `Account.CreatedDate`."""


class _Row(Struct):
    at: int
    sobject: SObject
    given: LoadRow
    values: dict[str, object] = field(default_factory=dict)
    """By field."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Fields that refer to rows of the load, by position."""
    id: str | None = None


def load(org: Org, rows: Sequence[LoadRow]) -> Loaded:
    """Load rows; names are checked before the first is written.

    Raises:
        LoadError: A row cannot be loaded; nothing was.
    """
    with org.store.writing() as conn:
        return _Load(org, conn, rows).run()


class _Load:
    def __init__(self, org: Org, conn: sqlite3.Connection, rows: Sequence[LoadRow]) -> None:
        self._org = org
        self._conn = conn
        self._given = rows
        self._columns: dict[tuple[str, str], Column | None] = {}
        self._ignored: dict[str, None] = {}
        self._refs: dict[str, int] = {}
        self._rows: list[_Row] = []
        self._keys = Keys(conn, [(each.sobject, each.values) for each in rows])

    def run(self) -> Loaded:
        self._read()
        for row in self._rows:
            self._resolve(row)
        created, found = Counter[str](), Counter[str]()
        later: list[tuple[_Row, str, int]] = []
        for group in self._ordered():
            for row in group:
                row.id = self._found(row)
                if row.id is not None:
                    found[row.sobject.name] += 1
            new = [row for row in group if row.id is None]
            for row in new:
                later += [(row, name, at) for name, at in self._fill(row)]
            self._insert(new)
            if new:
                created[new[0].sobject.name] += len(new)
        self._fill_in(later)
        return Loaded(dict(created), dict(found), tuple(self._ignored))

    def _read(self) -> None:
        sobjects: dict[str, SObject] = {}
        for at, given in enumerate(self._given):
            if given.sobject not in sobjects:
                try:
                    sobjects[given.sobject] = sobject_named(self._org.catalog, given.sobject)
                except LoadError as error:
                    error.at = at
                    raise
            if given.ref is not None:
                before = self._refs.setdefault(given.ref, at)
                if before != at and self._given[before].sobject == given.sobject:
                    shown = given.ref.removeprefix(REFERENCE_MARK)
                    raise LoadError(f"the reference {shown} is given to two records", at)
            self._rows.append(_Row(at, sobjects[given.sobject], given))

    def _resolve(self, row: _Row) -> None:
        """Read the names of a row, and which rows it refers to."""
        by_key: list[tuple[str, Column, str]] = []
        for name, value in row.given.values.items():
            column = self._column(row, name)
            if column is None or value is None or value == "":
                continue
            if column.parents:
                by_key.append((name, column, text_of(value)))
            else:
                row.values[column.field.name] = value
        for _, column, _ in by_key:  # an export has the Id beside the key
            row.values.pop(column.field.name, None)
        for name in list(row.values):
            reference = row.sobject.field(name)
            if reference is not None and reference.reference_to:
                self._refer_by_id(row, reference)
        for each in by_key:
            self._refer(row, *each)
        if row.given.parent is not None:
            self._nest(row, *row.given.parent)

    def _column(self, row: _Row, name: str) -> Column | None:
        key = row.sobject.name, name
        if key not in self._columns:
            try:
                self._columns[key] = column_named(self._org.catalog, row.sobject, name)
            except LoadError as error:
                error.at, error.in_header = row.at, row.given.text
                raise
            is_new = row.given.found_by is None and row.sobject.name not in _SETUP
            if self._columns[key] is None and is_new and name != "Id" and not name.startswith("$"):
                self._ignored[f"{row.sobject.name}.{name}"] = None
        return self._columns[key]

    def _refer_by_id(self, row: _Row, reference: Field) -> None:
        value = str(row.values[reference.name])
        at = self._refs.get(value)
        if at is not None and self._rows[at].sobject.name in reference.reference_to:
            row.waiting[reference.name] = at
            del row.values[reference.name]
        elif value.startswith(REFERENCE_MARK):
            raise LoadError(f"{reference.name}: no record has the reference {value[1:]}", row.at)

    def _refer(self, row: _Row, name: str, column: Column, value: str) -> None:
        if value == "#N/A":
            return
        found = self._keys.find(column, value, row.sobject.name)
        if len(found) == 1:
            (only,) = found
            if isinstance(only, int):
                row.waiting[column.field.name] = only
            else:
                row.values[column.field.name] = only
            return
        among = " or ".join(each.name for each in column.parents[:3])
        how = "no" if not found else "more than one"
        raise LoadError(f"{name}: {how} {among} with {value!r}", row.at)

    def _nest(self, row: _Row, ref: str, relationship: str) -> None:
        at = self._refs[ref]
        parent = self._rows[at].sobject
        child = parent.child(relationship)
        if child is None or child.child_sobject != row.sobject.name:
            options = [each.relationship_name for each in parent.children if each.relationship_name]
            raise LoadError(
                f"{parent.name} has no child relationship {relationship!r} of {row.sobject.name}",
                row.at,
                relationship,
                options,
            )
        row.waiting[child.field] = at

    def _ordered(self) -> Iterator[list[_Row]]:
        """The rows by object, parents before their children where that can be."""
        groups: dict[str, list[_Row]] = defaultdict(list)
        for row in self._rows:
            groups[row.sobject.name].append(row)
        needs = {
            name: {self._rows[at].sobject.name for row in rows for at in row.waiting.values()}
            - {name}
            for name, rows in groups.items()
        }
        while groups:
            free = (name for name in groups if not needs[name] & groups.keys())
            name = next(free, next(iter(groups)))
            yield groups.pop(name)

    def _found(self, row: _Row) -> str | None:
        """The Id of the record that the org has already."""
        name = row.sobject.name
        keys = row.given.found_by
        if keys is None and name in _SETUP:
            keys = tuple(key for key in _SETUP[name] if self._value(row, key) is not None)
            if len(keys) < len(_SETUP[name]):
                keys = ("Name",)
        if keys is None:
            return None
        texts = [text_of(self._value(row, key)) for key in keys]
        found = self._keys.in_org(row.sobject, keys, texts)
        if len(found) == 1:
            return found[0]
        if row.given.found_by is None and name not in _ONLY_FOUND and not found:
            return None
        how = "no" if not found else "more than one"
        shown = ", ".join(f"{key} {text!r}" for key, text in zip(keys, texts, strict=True))
        raise LoadError(f"this org has {how} {name} with {shown}", row.at)

    def _value(self, row: _Row, key: str) -> object:
        if (at := row.waiting.get(key)) is not None:
            return self._rows[at].id
        values = row.given.values
        return next((value for name, value in values.items() if name.lower() == key.lower()), None)

    def _fill(self, row: _Row) -> Iterator[tuple[str, int]]:
        """Fill in the parents that are there; yields the fields of the others."""
        for name, at in row.waiting.items():
            parent = self._rows[at]
            if parent.id is not None:
                row.values[name] = parent.id
                continue
            reference = row.sobject.field(name)
            if reference is not None and not (reference.nillable and reference.updateable):
                raise LoadError(
                    f"{name} cannot be filled in later, and its record needs this one first", row.at
                )
            yield name, at

    def _insert(self, rows: Sequence[_Row]) -> None:
        for text in (True, False):
            of_kind = [row for row in rows if row.given.text is text]
            for start in range(0, len(of_kind), _BATCH_ROWS):
                self._write("insert", of_kind[start : start + _BATCH_ROWS], from_text=text)

    def _write(self, operation: str, rows: Sequence[_Row], *, from_text: bool) -> None:
        if not rows:
            return
        sobject = rows[0].sobject
        written: list[Mapping[str, object]] = [row.values for row in rows]
        if operation == "insert" and from_text and sobject.name == "User":
            written = [
                completed_user({name: str(value) for name, value in row.items()}) for row in written
            ]
        call = WriteCall(
            operation,
            sobject,
            written,
            self._org.user,
            from_text=from_text,
            allow_duplicates=True,
        )
        for row, outcome in zip(rows, write(self._org, self._conn, call), strict=True):
            if not outcome.success:
                error = outcome.errors[0]
                raise LoadError(f"{error.code}: {error.message}", row.at)
            row.id = outcome.id

    def _fill_in(self, later: Sequence[tuple[_Row, str, int]]) -> None:
        by_object: dict[str, dict[int, _Row]] = defaultdict(dict)
        for row, name, at in later:
            known = by_object[row.sobject.name]
            if row.at not in known:
                known[row.at] = _Row(row.at, row.sobject, row.given, {"Id": row.id})
            known[row.at].values[name] = self._rows[at].id
        for rows in by_object.values():
            self._write("update", list(rows.values()), from_text=False)
