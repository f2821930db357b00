"""How far the org's clock is ahead of this machine's, in the store: it outlives the server.

Knows its one row. Knows nothing of who sets the clock.
"""

from __future__ import annotations

from datetime import timedelta

from runner.local_org.store import Store


def saved_ahead(store: Store) -> timedelta:
    """How far the clock of a store is ahead."""
    with store.reading() as conn:
        row = conn.execute("SELECT ahead FROM _clock").fetchone()
    return timedelta(seconds=row[0]) if row else timedelta()


def save_ahead(store: Store, ahead: timedelta) -> None:
    """Save how far it is ahead."""
    with store.writing() as conn:
        conn.execute("DELETE FROM _clock")
        conn.execute("INSERT INTO _clock VALUES (?)", (ahead.total_seconds(),))
