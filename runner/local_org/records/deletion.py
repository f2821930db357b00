"""Deletes and undeletes records: cascades, restrictions, the recycle bin.

Knows what depends on a record and what happens to it. Knows nothing of inserts and updates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Catalog, ChildRelationship, SObject
from runner.local_org.ids import normalise
from runner.local_org.org import Org, User
from runner.local_org.records import refusals
from runner.local_org.records.cascade import Cascade, find_cascade
from runner.local_org.records.lookups import Existence, Lookups
from runner.local_org.records.outcome import RowOutcome, refused
from runner.local_org.records.recycle_bin import (
    clear_references,
    note_deleted,
    undelete,
)
from runner.local_org.records.time_values import stamp
from runner.local_org.store import quoted

_CHUNK_ROWS = 200


class Deletion:
    """The deletes of one sObject in one call."""

    def __init__(self, org: Org, conn: sqlite3.Connection, sobject: SObject, user: User) -> None:
        self._catalog = org.catalog
        self._conn = conn
        self._sobject = sobject
        self._user = user
        self._clock = org.clock

    def run(self, operation: str, rows: Sequence[Mapping[str, object]]) -> list[RowOutcome]:
        """Run delete, hardDelete or undelete for rows with an Id."""
        outcomes: list[RowOutcome] = []
        for start in range(0, len(rows), _CHUNK_ROWS):
            given = [_id_of(row) for row in rows[start : start + _CHUNK_ROWS]]
            outcomes.extend(self._chunk(operation, given))
        return outcomes

    def _chunk(self, operation: str, given: Sequence[object]) -> list[RowOutcome]:
        ids = [normalise(value) for value in given]
        errors = self._row_errors(operation, given, ids)
        sound = [
            record_id
            for place, record_id in enumerate(ids)
            if record_id is not None and place not in errors
        ]
        refusals_by_id = self._apply(operation, sound)
        outcomes = []
        for place, record_id in enumerate(ids):
            error = errors.get(place) or refusals_by_id.get(record_id or "")
            if error is not None:
                outcomes.append(refused(error, record_id=record_id))
            else:
                outcomes.append(RowOutcome(record_id, success=True, created=False))
        return outcomes

    def _row_errors(
        self, operation: str, given: Sequence[object], ids: Sequence[str | None]
    ) -> dict[int, ApiError]:
        """Errors of single rows, by position."""
        existence = Lookups(self._conn).existence(
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
            elif existence[record_id] is Existence.MISSING:
                errors[place] = refusals.invalid_cross_reference()
            elif operation == "delete" and existence[record_id] is Existence.BINNED:
                errors[place] = refusals.entity_is_deleted()
            elif operation == "undelete" and existence[record_id] is Existence.ALIVE:
                errors[place] = refusals.not_in_recycle_bin()
            seen.add(record_id or "")
        return errors

    def _apply(self, operation: str, ids: Sequence[str]) -> dict[str, ApiError]:
        """Do it; returns the records that cannot be deleted or undeleted, with the error."""
        now = self._clock()
        if operation == "undelete":
            return undelete(self._conn, self._sobject, ids, now)
        cascade = find_cascade(self._conn, self._catalog, self._sobject, ids)
        self._clear_references(cascade, stamp(now))
        if operation == "delete":
            self._bin(cascade, stamp(now))
        else:
            self._purge(cascade, stamp(now))
        return cascade.refusals

    def _clear_references(self, cascade: Cascade, moment: str) -> None:
        """Clear lookups that point to the deleted records."""
        for name, gone in cascade.records.items():
            parent = self._catalog.sobject(name)
            for child in parent.children if parent else ():
                if clears(self._catalog, child):
                    clear_references(
                        self._conn, child.child_sobject, child.field, list(gone), moment
                    )

    def _bin(self, cascade: Cascade, moment: str) -> None:
        for name, roots in cascade.records.items():
            self._conn.executemany(
                f"UPDATE {quoted(name)} SET IsDeleted = 1, LastModifiedDate = ?, "  # noqa: S608
                "LastModifiedById = ?, SystemModstamp = ? WHERE Id = ?",
                [(moment, self._user.id, moment, record_id) for record_id in roots],
            )
            note_deleted(self._conn, name, roots, moment, purged=False)

    def _purge(self, cascade: Cascade, moment: str) -> None:
        for name, roots in cascade.records.items():
            self._conn.executemany(
                f"DELETE FROM {quoted(name)} WHERE Id = ?",  # noqa: S608 - a table's name
                [(record_id,) for record_id in roots],
            )
            note_deleted(self._conn, name, roots, moment, purged=True)


def clears(catalog: Catalog, child: ChildRelationship) -> bool:
    """Whether a child outlives its parent, with its reference cleared."""
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
