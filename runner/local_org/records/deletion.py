"""Deletes records and brings them back: cascades, restrictions, the recycle bin.

Knows what hangs on a record and what becomes of it. Knows nothing of creating or changing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

from runner.local_org.catalog.model import Catalog, ChildRelationship, SObject
from runner.local_org.faults import ApiError
from runner.local_org.ids import normalise
from runner.local_org.org import Org, User
from runner.local_org.records import refusals
from runner.local_org.records.lookups import Lookups, Presence, batches, marks
from runner.local_org.records.outcome import RowOutcome, refused
from runner.local_org.records.tree import Tree, grow
from runner.local_org.records.values import stamp
from runner.local_org.store import quoted

_CHUNK_ROWS = 200


class Deletion:
    """One call's worth of deletes of one sObject."""

    def __init__(self, org: Org, conn: sqlite3.Connection, sobject: SObject, user: User) -> None:
        self._catalog = org.catalog
        self._conn = conn
        self._sobject = sobject
        self._user = user
        self._clock = org.clock

    def run(self, operation: str, rows: Sequence[Mapping[str, object]]) -> list[RowOutcome]:
        """Carry out delete, hardDelete or undelete for rows that name an Id."""
        outcomes: list[RowOutcome] = []
        for start in range(0, len(rows), _CHUNK_ROWS):
            given = [_id_of(row) for row in rows[start : start + _CHUNK_ROWS]]
            outcomes.extend(self._chunk(operation, given))
        return outcomes

    def _chunk(self, operation: str, given: Sequence[object]) -> list[RowOutcome]:
        ids = [normalise(value) for value in given]
        errors = self._faults(operation, given, ids)
        sound = [
            record_id
            for place, record_id in enumerate(ids)
            if record_id is not None and place not in errors
        ]
        refusals_by_id = self._carry_out(operation, sound)
        outcomes = []
        for place, record_id in enumerate(ids):
            error = errors.get(place) or refusals_by_id.get(record_id or "")
            if error is not None:
                outcomes.append(refused(error, record_id=record_id))
            else:
                outcomes.append(RowOutcome(record_id, success=True, created=False))
        return outcomes

    def _faults(
        self, operation: str, given: Sequence[object], ids: Sequence[str | None]
    ) -> dict[int, ApiError]:
        """What is wrong with single rows, by place."""
        presence = Lookups(self._conn).presence(
            self._sobject, {record_id for record_id in ids if record_id}
        )
        errors: dict[int, ApiError] = {}
        seen: set[str] = set()
        for place, record_id in enumerate(ids):
            if given[place] in (None, ""):
                errors[place] = refusals.id_missing(operation)
            elif record_id is None:
                errors[place] = refusals.malformed_id(given[place])
            elif record_id in seen:
                errors[place] = refusals.duplicate_id(record_id)
            elif presence[record_id] is Presence.MISSING:
                errors[place] = refusals.invalid_cross_reference()
            elif operation == "delete" and presence[record_id] is Presence.BINNED:
                errors[place] = refusals.entity_is_deleted()
            elif operation == "undelete" and presence[record_id] is Presence.ALIVE:
                errors[place] = refusals.not_in_recycle_bin()
            seen.add(record_id or "")
        return errors

    def _carry_out(self, operation: str, ids: Sequence[str]) -> dict[str, ApiError]:
        """Do it; gives the records that refused, with their reason."""
        if operation == "undelete":
            self._undelete(ids)
            return {}
        tree = grow(self._conn, self._catalog, self._sobject, ids)
        moment = stamp(self._clock())
        self._clear_references(tree, moment)
        if operation == "delete":
            self._bin(tree, moment)
        else:
            self._purge(tree, moment)
        return tree.refusals

    def _clear_references(self, tree: Tree, moment: str) -> None:
        """Empty the lookups that lead to what goes."""
        for name, gone in tree.going.items():
            parent = self._catalog.sobject(name)
            for child in parent.children if parent else ():
                if clears(self._catalog, child):
                    self._clear(child, list(gone), moment)

    def _clear(self, child: ChildRelationship, ids: Sequence[str], moment: str) -> None:
        column = quoted(child.field)
        for batch in batches(ids, 500):
            self._conn.execute(
                f"UPDATE {quoted(child.child_sobject)} SET {column} = NULL, "  # noqa: S608
                f"SystemModstamp = ? WHERE {column} IN ({marks(len(batch))}) AND IsDeleted = 0",
                [moment, *batch],
            )

    def _bin(self, tree: Tree, moment: str) -> None:
        for name, roots in tree.going.items():
            self._conn.executemany(
                f"UPDATE {quoted(name)} SET IsDeleted = 1, LastModifiedDate = ?, "  # noqa: S608
                "LastModifiedById = ?, SystemModstamp = ? WHERE Id = ?",
                [(moment, self._user.id, moment, record_id) for record_id in roots],
            )
            self._note(name, roots, moment, purged=False)

    def _purge(self, tree: Tree, moment: str) -> None:
        for name, roots in tree.going.items():
            self._conn.executemany(
                f"DELETE FROM {quoted(name)} WHERE Id = ?",  # noqa: S608 - a table's name
                [(record_id,) for record_id in roots],
            )
            self._note(name, roots, moment, purged=True)

    def _note(self, name: str, roots: Mapping[str, str], moment: str, *, purged: bool) -> None:
        self._conn.executemany(
            "INSERT INTO _deleted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "purged = excluded.purged",
            [(name, record_id, moment, root, purged) for record_id, root in roots.items()],
        )

    def _undelete(self, ids: Sequence[str]) -> None:
        """Bring back records and all that went with them."""
        back: dict[str, list[str]] = defaultdict(list)
        for batch in batches(ids, 500):
            for name, record_id in self._conn.execute(
                "SELECT sobject, id FROM _deleted WHERE purged = 0 "  # noqa: S608 - marks
                f"AND root_id IN ({marks(len(batch))})",
                batch,
            ):
                back[name].append(record_id)
        moment = stamp(self._clock())
        for name, record_ids in back.items():
            self._conn.executemany(
                f"UPDATE {quoted(name)} SET IsDeleted = 0, SystemModstamp = ? WHERE Id = ?",  # noqa: S608
                [(moment, record_id) for record_id in record_ids],
            )
            self._conn.executemany(
                "DELETE FROM _deleted WHERE sobject = ? AND id = ?",
                [(name, record_id) for record_id in record_ids],
            )


def clears(catalog: Catalog, child: ChildRelationship) -> bool:
    """Whether a child outlives its parent, its reference emptied."""
    sobject = catalog.sobject(child.child_sobject)
    field = sobject.field(child.field) if sobject else None
    return (
        field is not None
        and field.nillable
        and not child.cascade_delete
        and not child.restricted_delete
    )


def _id_of(row: Mapping[str, object]) -> object:
    return next((value for name, value in row.items() if name.lower() == "id"), None)
