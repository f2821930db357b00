"""Who can own a record: active users, and queues of its object.

Knows users and queues. Knows nothing of what else is in a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import SObject
from runner.local_org.records import refusals
from runner.local_org.records.row_reading import RowDraft

OWNER = "OwnerId"
_USER, _QUEUE = "005", "00G"


class Owners:
    """The owners of records of one sObject; each is looked up once."""

    def __init__(self, conn: sqlite3.Connection, sobject: SObject) -> None:
        self._conn = conn
        self._sobject = sobject
        self._owned = sobject.name != "Group" and sobject.field(OWNER) is not None
        self._known: dict[str, ApiError | None] = {}

    def check(self, drafts: Sequence[RowDraft]) -> None:
        """Refuse new owners that cannot be; drafts get the errors."""
        if not self._owned:
            return
        for draft in drafts:
            owner = draft.values.get(OWNER)
            if not isinstance(owner, str) or (draft.before or {}).get(OWNER) == owner:
                continue
            if owner not in self._known:
                self._known[owner] = self._refusal(owner)
            error = self._known[owner]
            if error is not None and not draft.errors:
                draft.errors.append(error)

    def _refusal(self, owner: str) -> ApiError | None:
        if owner.startswith(_QUEUE):
            find = 'SELECT 1 FROM "QueueSobject" WHERE "QueueId" = ? AND "SobjectType" = ?'
            found = self._conn.execute(find, (owner, self._sobject.name)).fetchone()
            return None if found else refusals.queue_of_other()
        if owner.startswith(_USER):
            find = 'SELECT "IsActive" FROM "User" WHERE "Id" = ?'
            found = self._conn.execute(find, (owner,)).fetchone()
            if found and not found[0]:
                return refusals.inactive_owner(owner, self._sobject.label)
        return None
