"""Notifications: those that could not be sent yet, and which runs people were notified of.

Knows the ledger's table of them. A recipient is recorded by where its secret is, never by the
secret. Knows nothing of how a message is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from runner.redaction import redacted
from runner.state.ledger_database import LedgerDatabase, Row
from runner.state.run_records import moment_text, path_text

LONGEST_WAIT = timedelta(days=3)
"""After which a message that could not be sent is dropped: it is no news any more."""
MOST_WAITING = 200
"""Messages that wait; the oldest are dropped first."""
_LONGEST_TRY = timedelta(minutes=1)
"""After which another process may take what one has taken."""
_KEPT = timedelta(days=90)
"""How long messages of runs that were never recorded stay known."""


class NotificationState(StrEnum):
    """What became of a notification."""

    WAITING = "waiting"
    """It could not be sent yet; the next run tries again."""
    SENT = "sent"
    DROPPED = "dropped"
    """It could not be sent for too long."""


class Notification(Struct, frozen=True):
    """One message to one recipient."""

    run_id: str | None
    """None if the run never began."""
    job_file: Path
    target: str | None
    event: str
    recipient: str
    """In the form of what sends it."""
    message: str
    """In the form of what sends it; empty once that is done."""
    created: datetime
    state: NotificationState = NotificationState.WAITING
    tries: int = 0
    error: str | None = None
    """Why the last try failed."""
    number: int = 0
    """Grows in the order in which they were recorded."""


class Notifications:
    """The notifications in a ledger; its methods raise StateError when that cannot be used."""

    def __init__(self, database: LedgerDatabase) -> None:
        """Use an open database."""
        self._database = database

    def take(self, made: Sequence[Notification], now: datetime) -> list[Notification]:
        """Record new notifications, and take all that wait: no other process sends them meanwhile.

        Call `note` with each. What a process has taken and never noted is free after a while.
        """
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO notifications (run_id, job_file, target, event, recipient, message, "
                "created, state) VALUES ((SELECT run_id FROM runs WHERE run_id = :run_id), "
                ":job_file, :of_target, :event, :recipient, :message, :created, :state)",
                (
                    {
                        "run_id": each.run_id,
                        "job_file": path_text(each.job_file),
                        "of_target": each.target,
                        "event": each.event,
                        "recipient": each.recipient,
                        "message": each.message,
                        "created": moment_text(each.created),
                        "state": each.state.value,
                    }
                    for each in made
                ),
            )
            rows = connection.execute(
                "SELECT * FROM notifications WHERE state = 'waiting' "
                "AND (tried IS NULL OR error IS NOT NULL OR tried < :longest) ORDER BY number",
                {"longest": moment_text(now - _LONGEST_TRY)},
            ).fetchall()
            connection.executemany(
                "UPDATE notifications SET tried = :now, error = NULL WHERE number = :number",
                ({"now": moment_text(now), "number": row["number"]} for row in rows),
            )
            return list(map(_notification, rows))

    def drop_old(self, now: datetime) -> list[Notification]:
        """Drop what has waited too long, or what too many wait behind; list it."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM notifications WHERE run_id IS NULL AND created < :oldest",
                {"oldest": moment_text(now - _KEPT)},
            )
            rows = connection.execute(
                "UPDATE notifications SET state = 'dropped', message = '' "
                "WHERE state = 'waiting' AND (created < :oldest OR number NOT IN ("
                "SELECT number FROM notifications WHERE state = 'waiting' "
                "ORDER BY number DESC LIMIT :most)) RETURNING *",
                {"oldest": moment_text(now - LONGEST_WAIT), "most": MOST_WAITING},
            ).fetchall()
            return sorted(map(_notification, rows), key=lambda each: each.number)

    def waiting(self) -> list[Notification]:
        """List what could not be sent yet, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM notifications WHERE state = 'waiting' ORDER BY number", {}
            ).fetchall()
            return list(map(_notification, rows))

    def note(self, number: int, now: datetime, error: str | None) -> None:
        """Record a try: that it was sent, or why not."""
        sent = error is None
        self._database.execute(
            "UPDATE notifications SET tried = :tried, tries = tries + 1, error = :error, "
            "state = CASE WHEN :sent = 1 THEN 'sent' ELSE state END, "
            "message = CASE WHEN :sent = 1 THEN '' ELSE message END WHERE number = :number",
            {
                "number": number,
                "tried": moment_text(now),
                "error": None if error is None else redacted(error, shapes=True),
                "sent": int(sent),
            },
        )

    def of_runs(self, run_ids: Sequence[str]) -> list[Notification]:
        """List those of some runs, in their order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM notifications WHERE run_id IN ({self._database.items_of}) "  # noqa: S608 - own words
                "ORDER BY number",
                {"items": json.dumps(list(run_ids))},
            ).fetchall()
            return list(map(_notification, rows))

    def last_of(self, job_file: Path, target: str | None) -> Notification | None:
        """Find the newest of a job on a target."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM notifications WHERE job_file = :job_file "
                "AND coalesce(target, '') = :of_target ORDER BY number DESC LIMIT 1",
                {"job_file": path_text(job_file), "of_target": target or ""},
            ).fetchone()
            return None if row is None else _notification(row)


def _notification(row: Row) -> Notification:
    return Notification(
        run_id=row["run_id"],
        job_file=Path(row["job_file"]),
        target=row["target"],
        event=row["event"],
        recipient=row["recipient"],
        message=row["message"],
        created=datetime.fromisoformat(row["created"]),
        state=NotificationState(row["state"]),
        tries=row["tries"],
        error=row["error"],
        number=row["number"],
    )
