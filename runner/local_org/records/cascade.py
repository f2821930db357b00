"""What is deleted with a record, and what prevents its delete.

Knows cascades and restrictions between sObjects. Changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Catalog, ChildRelationship, SObject
from runner.local_org.records import refusals
from runner.local_org.records.lookups import batches, marks
from runner.local_org.store import quoted

_BATCH = 500
_SHOWN_CHILDREN = 10


class Cascade(Struct):
    """Records that are deleted together: by sObject, each with the record that causes it."""

    records: dict[str, dict[str, str]]
    refusals: dict[str, ApiError] = field(default_factory=dict)
    """Requested records that cannot be deleted, with the error."""


class _Blocker(Struct, frozen=True):
    """A child that prevents the delete of its parent."""

    parent: SObject
    parent_id: str
    child: SObject
    child_id: str
    root: str


def find_cascade(
    conn: sqlite3.Connection, catalog: Catalog, sobject: SObject, ids: Sequence[str]
) -> Cascade:
    """Find everything that is deleted with some records.

    A record is refused if a child that is not deleted itself prevents the delete of any
    descendant; then nothing below it is deleted.
    """
    records: dict[str, dict[str, str]] = defaultdict(dict)
    blockers: list[_Blocker] = []
    level: list[tuple[SObject, dict[str, str]]] = [(sobject, {each: each for each in ids})]
    while level:
        below: list[tuple[SObject, dict[str, str]]] = []
        for parent, roots in level:
            records[parent.name].update(roots)
            blockers.extend(_blockers(conn, catalog, parent, roots))
            below.extend(_cascading_children(conn, catalog, parent, roots, records))
        level = below
    return _pruned(conn, Cascade(dict(records)), blockers)


def _cascading_children(
    conn: sqlite3.Connection,
    catalog: Catalog,
    parent: SObject,
    roots: Mapping[str, str],
    records: Mapping[str, Mapping[str, str]],
) -> Iterator[tuple[SObject, dict[str, str]]]:
    for relationship in parent.children:
        child = catalog.sobject(relationship.child_sobject)
        if child is None or not relationship.cascade_delete:
            continue
        if child.field(relationship.field) is None:
            continue
        found = {
            child_id: roots[parent_id]
            for child_id, parent_id in _children(conn, child, relationship, list(roots))
            if child_id not in records.get(child.name, {})
        }
        if found:
            yield child, found


def _blockers(
    conn: sqlite3.Connection, catalog: Catalog, parent: SObject, roots: Mapping[str, str]
) -> Iterator[_Blocker]:
    for relationship in parent.children:
        child = catalog.sobject(relationship.child_sobject)
        if child is None or not relationship.restricted_delete:
            continue
        if child.field(relationship.field) is None:
            continue
        # Where a child both cascades and restricts, only an activated one prevents the delete.
        only = " AND StatusCode = 'Activated'" if relationship.cascade_delete else ""
        for child_id, parent_id in _children(conn, child, relationship, list(roots), only):
            yield _Blocker(parent, parent_id, child, child_id, roots[parent_id])


def _children(
    conn: sqlite3.Connection,
    child: SObject,
    relationship: ChildRelationship,
    parent_ids: Sequence[str],
    condition: str = "",
) -> Iterator[tuple[str, str]]:
    column = quoted(relationship.field)
    for batch in batches(parent_ids, _BATCH):
        yield from conn.execute(
            f"SELECT Id, {column} FROM {quoted(child.name)} WHERE {column} "  # noqa: S608
            f"IN ({marks(len(batch))}) AND IsDeleted = 0{condition}",
            batch,
        )


def _pruned(conn: sqlite3.Connection, cascade: Cascade, blockers: Sequence[_Blocker]) -> Cascade:
    held: dict[str, list[_Blocker]] = defaultdict(list)
    for blocker in blockers:
        goes = blocker.child_id in cascade.records.get(blocker.child.name, {})
        if not goes or blocker.child.field("StatusCode") is not None:
            held[blocker.root].append(blocker)
    for root, reasons in held.items():
        cascade.refusals[root] = _refusal(conn, reasons)
    for name, roots in cascade.records.items():
        cascade.records[name] = {
            record_id: root for record_id, root in roots.items() if root not in held
        }
    return cascade


def _refusal(conn: sqlite3.Connection, blockers: Sequence[_Blocker]) -> ApiError:
    first = blockers[0]
    alike = [
        blocker
        for blocker in blockers
        if blocker.child is first.child and blocker.parent_id == first.parent_id
    ]
    names = [_name(conn, item.child, item.child_id) for item in alike[:_SHOWN_CHILDREN]]
    parent_name = _name(conn, first.parent, first.parent_id)
    return refusals.delete_restricted(parent_name, first.child.label_plural.lower(), names)


def _name(conn: sqlite3.Connection, sobject: SObject, record_id: str) -> str:
    """The name of a record for people, with the salutation."""
    name_field = next((item.name for item in sobject.fields if item.name_field), "Id")
    columns = [name_field, *(["Salutation"] if sobject.field("Salutation") else [])]
    names = ", ".join(quoted(column) for column in reversed(columns))
    row = conn.execute(
        f"SELECT {names} FROM {quoted(sobject.name)} WHERE Id = ?",  # noqa: S608 - names
        (record_id,),
    ).fetchone()
    return " ".join(str(part) for part in row if part)
