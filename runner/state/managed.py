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

from runner.state.ledger_file import LedgerFile
from runner.state.run_records import moment_text

_KEPT = timedelta(days=60)
"""How long a deleted record is known: longer than any recycle bin keeps one."""
_AT_ONCE = 10_000
_NUMBER = "SELECT number FROM mirrors WHERE job_file = ? AND task = ? AND org_id = ?"


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

    _file: LedgerFile

    def write_ids(self, mirror: MirrorKey, to: Path) -> int:
        """Write the Ids of the records that a mirror has created; return how many."""
        count = 0
        with self._file.reading() as connection, to.open("w", encoding="utf-8") as stream:
            rows = connection.execute(
                f"SELECT id FROM managed WHERE mirror = ({_NUMBER})",  # noqa: S608 - own names
                _values(mirror),
            )
            for (record,) in rows:
                stream.write(f"{record}\n")
                count += 1
        return count

    def note(self, change: ManagedChange) -> None:
        """Record what a task has done; within a transaction, as part of it."""
        is_new = change.event is Event.CREATED
        with (
            self._file.writing() as connection,
            change.ids.open(encoding="utf-8") as stream,
        ):
            if is_new:
                connection.execute(
                    "INSERT OR IGNORE INTO mirrors (job_file, task, org_id) VALUES (?, ?, ?)",
                    _values(change.mirror),
                )
            found = connection.execute(_NUMBER, _values(change.mirror)).fetchone()
            if found is None:
                return
            now, number = datetime.now(UTC), found[0]
            known = {"mirror": number, "now": moment_text(now)}
            while some := list(islice(stream, _AT_ONCE)):
                ids = json.dumps([line.rstrip("\n") for line in some])
                connection.execute(_STATEMENTS[change.event], {**known, "ids": ids})
            connection.execute(
                "DELETE FROM managed WHERE mirror = ? AND deleted < ?",
                (number, moment_text(now - _KEPT)),
            )


_IDS = "IN (SELECT value FROM json_each(:ids))"
"""Many at a time: one by one, a million would take half a minute."""
_OF_THESE = f"WHERE mirror = :mirror AND id {_IDS}"
_STATEMENTS = {
    Event.CREATED: "INSERT OR REPLACE INTO managed (mirror, id) "
    "SELECT :mirror, value FROM json_each(:ids)",
    Event.DELETED: f"UPDATE managed SET deleted = :now {_OF_THESE}",  # noqa: S608 - own names
    Event.RESTORED: f"UPDATE managed SET deleted = NULL {_OF_THESE}",  # noqa: S608 - own names
    Event.UNDONE: f"DELETE FROM managed {_OF_THESE}",  # noqa: S608 - own names
}


def _values(mirror: MirrorKey) -> tuple[str, str, str]:
    return (str(mirror.job_file), mirror.task, mirror.org_id)
