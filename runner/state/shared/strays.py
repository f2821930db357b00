"""Objects in the store of a shared state that nothing refers to.

A machine that dies or loses its lock after it has sent a file leaves one, and so does a worker that
has staged rows for a run that goes on without it. Knows which objects runs have by the ledger.
Knows nothing of how they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runner.state.run_records import moment_text

if TYPE_CHECKING:
    from runner.state.shared.database import PostgresDatabase

_GRACE = timedelta(days=1)
"""After the end of a run, in which its log may still be on its way."""


def strays(
    database: PostgresDatabase, objects: Iterable[str], root: str, now: datetime
) -> list[str]:
    """Find the objects of runs that ended a while ago which the ledger does not list.

    Args:
        database: Of the ledger.
        objects: All that there are, `ROOT` `RUN/NAME`, listed before the ledger is read: so it
            knows all of them that are not strays.
        root: What the name of each begins with.
        now: The current time.

    Raises:
        StateError: The ledger cannot be read.
    """
    with database.reading() as connection:
        ended = connection.execute(_ENDED, {"before": moment_text(now - _GRACE)}).fetchall()
        listed = connection.execute(_LISTED, {}).fetchall()
    runs = {row["run_id"] for row in ended}
    known = {f"{root}{row['run_id']}/{row['name']}" for row in listed}
    return [
        each
        for each in objects
        if each not in known and each.removeprefix(root).partition("/")[0] in runs
    ]


_ENDED = "SELECT run_id FROM runs WHERE settled = 1 AND coalesce(finished, started) < :before"
_LISTED = "SELECT run_id, name FROM files"
