"""Kills a command, in its fork of the warm process, at the point it is told.

A point is a moment at which another state of ledger, org or files has just been reached or is
about to be: before and after each commit of the ledger, each request, each file that takes its
place, each statement of a target's transaction. They are found here, from outside: the product
knows nothing of it.

`warm.py` is asked for it by `within`, with `kill_at` (null: never) and `out` besides: the folder
where the number of `points` passed is written, unless the command was killed.
"""

import os
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

from runner import folders
from runner.salesforce.bulk import ingest
from runner.salesforce.http.transport import Transport
from runner.state.ledger_file import LedgerFile
from runner.tables.targets import database, duckdb_file, sqlite

SMALL_PART_BYTES = 6_000


class Points:
    """Counts the points that the run passes, and ends the process at one of them."""

    def __init__(self, kill_at):
        self.passed = 0
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def pass_one(self):
        with self._lock:
            self.passed += 1
            if self.passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def watch(points):
    """Put a point around everything that changes what outlives the process."""
    writing = LedgerFile.writing

    @contextmanager
    def watched(ledger_file, **named):
        with writing(ledger_file, **named) as connection:
            yield connection
            points.pass_one()
        points.pass_one()

    LedgerFile.writing = watched
    for owner, name in (
        (Transport, "send"),
        (os, "replace"),
        (folders, "exchange"),
        (database, "_run"),
        (sqlite, "_run"),
        (duckdb_file, "_count"),
    ):
        setattr(owner, name, around(getattr(owner, name), points))


def around(action, points):
    def watched(*args, **named):
        points.pass_one()
        try:
            return action(*args, **named)
        finally:
            points.pass_one()

    return watched


@contextmanager
def within(asked):
    """In a fork: small parts, and a point around all that outlives the process."""
    ingest.MOST_BYTES = SMALL_PART_BYTES
    points = Points(asked["kill_at"])
    watch(points)
    try:
        yield
    finally:
        Path(asked["out"], "points").write_text(str(points.passed))
