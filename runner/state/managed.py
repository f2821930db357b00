"""Which records each mirror has created: what `managed: true` may delete.

Knows the ledger's tables of them. They outlast the runs: `history --prune` leaves them alone. Knows
nothing of scopes or of how records are written.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from pathlib import Path

from msgspec import Struct

from runner.state.ledger_database import LedgerDatabase
from runner.state.run_records import moment_text

_KEPT = timedelta(days=60)
"""How long a deleted record is known: longer than any recycle bin keeps one."""
_AT_ONCE = 10_000
MIRROR_NUMBER = (
    "SELECT number FROM mirrors WHERE job_file = :job_file AND task = :task AND org_id = :org_id"
)


class MirrorKey(Struct, frozen=True):
    """One mirror with one org."""

    job_file: Path
    task: str
    org_id: str


class Event(StrEnum):
    """What a run did to records of a mirror."""

    CREATED = "created"
    DELETED = "deleted"
    RESTORED = "restored"
    """An undo has put back what was deleted."""
    UNDONE = "undone"
    """An undo has deleted what was created."""


class ManagedChange(Struct, frozen=True):
    """What a task changes in the list of a mirror's records."""

    mirror: MirrorKey
    event: Event
    ids: Path
    """Ids of 15 characters, one on each line."""


class ManagedRecords(Struct, frozen=True):
    """The lists in a ledger."""

    _database: LedgerDatabase

    def write_ids(self, mirror: MirrorKey, to: Path) -> int:
        """Write the Ids of the records that a mirror has created; return how many."""
        count = 0
        with self._database.reading() as connection, to.open("w", encoding="utf-8") as stream:
            rows = connection.execute(
                f"SELECT id FROM managed WHERE mirror = ({MIRROR_NUMBER})",  # noqa: S608 - own names
                _values(mirror),
            )
            for row in rows:
                stream.write(f"{row['id']}\n")
                count += 1
        return count

    def note(self, change: ManagedChange) -> None:
        """Record what a task has done; within a transaction, as part of it."""
        is_new = change.event is Event.CREATED
        with (
            self._database.writing() as connection,
            change.ids.open(encoding="utf-8") as stream,
        ):
            if is_new:
                connection.execute(
                    "INSERT INTO mirrors (job_file, task, org_id) "
                    "VALUES (:job_file, :task, :org_id) ON CONFLICT DO NOTHING",
                    _values(change.mirror),
                )
            found = connection.execute(MIRROR_NUMBER, _values(change.mirror)).fetchone()
            if found is None:
                return
            now, number = datetime.now(UTC), found["number"]
            statement = _STATEMENTS[change.event].format(self._database.items_of)
            known = {"mirror": number, "now": moment_text(now)}
            while some := list(islice(stream, _AT_ONCE)):
                ids = json.dumps([line.rstrip("\n") for line in some])
                connection.execute(statement, {**known, "items": ids})
            connection.execute(
                "DELETE FROM managed WHERE mirror = :mirror AND deleted < :oldest",
                {"mirror": number, "oldest": moment_text(now - _KEPT)},
            )


_OF_THESE = "WHERE mirror = :mirror AND id IN ({})"
"""Many at a time: one by one, a million would take half a minute."""
_STATEMENTS = {
    Event.CREATED: "INSERT INTO managed (mirror, id) "
    "SELECT CAST(:mirror AS INTEGER), value FROM ({}) AS made WHERE 1 = 1 "
    "ON CONFLICT (mirror, id) DO UPDATE SET deleted = NULL",
    Event.DELETED: f"UPDATE managed SET deleted = :now {_OF_THESE}",  # noqa: S608 - own names
    Event.RESTORED: f"UPDATE managed SET deleted = NULL {_OF_THESE}",  # noqa: S608 - own names
    Event.UNDONE: f"DELETE FROM managed {_OF_THESE}",  # noqa: S608 - own names
}


def _values(mirror: MirrorKey) -> dict[str, str]:
    return {"job_file": str(mirror.job_file), "task": mirror.task, "org_id": mirror.org_id}
