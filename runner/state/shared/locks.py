"""Locks across machines: rows with a lease and a fencing token.

The holder renews it. A machine that dies or is cut off no longer does, and another takes over with
a higher token. Every write to the ledger checks the tokens, so the first one can note, and thus
send, nothing more. Knows nothing of what a lock protects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Event, Thread

from runner.errors import LockHeldError, StateError
from runner.state.locks import Holder
from runner.state.process import ProcessIdentity
from runner.state.run_records import moment_text
from runner.state.shared.database import PostgresDatabase, out_of_touch

LEASE_SECONDS = 60.0
"""After which a lock that is not renewed may be taken over."""
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.05, 1.0
_EXPIRES = "clock_timestamp() + make_interval(secs => :lease)"
_TAKE = (
    "INSERT INTO locks (name, fence, run_id, host, pid, began, since, expires) "  # noqa: S608 - own words
    f"VALUES (:name, 1, :run_id, :host, :pid, :began, :since, {_EXPIRES}) "
    "ON CONFLICT (name) DO UPDATE SET fence = locks.fence + 1, run_id = excluded.run_id, "
    "host = excluded.host, pid = excluded.pid, began = excluded.began, since = excluded.since, "
    "expires = excluded.expires "
    "WHERE locks.expires <= clock_timestamp() OR locks.fence = :ended RETURNING fence"
)
_RENEW = f"UPDATE locks SET expires = {_EXPIRES} WHERE name = :name AND fence = :fence"  # noqa: S608 - own words
_RELEASE = (
    "UPDATE locks SET expires = '-infinity', run_id = NULL WHERE name = :name AND fence = :fence"
)
_NAME_RUN = "UPDATE locks SET run_id = :run_id WHERE name = :name AND fence = :fence"
_HOLDER = "SELECT * FROM locks WHERE name = :name"


def _now() -> float:
    """Seconds by a clock that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Lease:
    """A lock that this process holds, as far as it knows."""

    def __init__(self, name: str, fence: int, asked: float) -> None:
        """It was asked for at a moment of `_now`, and starts at that or later."""
        self.name = name
        self.fence = fence
        self.renewed = asked

    @property
    def is_over(self) -> bool:
        """Whether another may hold the lock by now."""
        return _now() - self.renewed >= LEASE_SECONDS

    @property
    def key(self) -> dict[str, object]:
        """The row, as long as it is this one's."""
        return {"name": self.name, "fence": self.fence}


@contextmanager
def leased(  # noqa: PLR0913 - whose it is, and how long to wait for it
    database: PostgresDatabase,
    connect: Callable[[], PostgresDatabase],
    name: str,
    *,
    run_id: str,
    since: datetime,
    wait_seconds: float,
    refused: Callable[[Holder | None], LockHeldError],
) -> Iterator[Callable[[str], None]]:
    """Hold a lock, renewed on a thread; writes to `database` depend on it.

    Args:
        database: Of the ledger.
        connect: Opens another connection, for the renewals.
        name: Of the lock.
        run_id: The run that holds it.
        since: When the run started.
        wait_seconds: How long to wait for another holder.
        refused: Makes the error.

    Yields:
        What to call with the Id of the run, once that is not `run_id`.

    Raises:
        LockHeldError: Another holds it.
        StateError: The database cannot be used.
    """
    process = ProcessIdentity.current()
    values = {
        "name": name,
        "run_id": run_id,
        "host": process.host,
        "pid": process.pid,
        "began": process.started,
        "since": moment_text(since),
        "lease": LEASE_SECONDS,
    }
    lease = _take(database, values, wait_seconds, refused)
    done = Event()
    renewing = Thread(target=_renew, args=(connect, lease, done), name=f"lease {name}", daemon=True)
    database.leases.append(lease)
    renewing.start()
    try:
        yield lambda other: _name_run(database, {**lease.key, "run_id": other})
    finally:
        done.set()
        renewing.join()
        database.leases.remove(lease)
        with suppress(StateError):  # it runs out by itself
            database.execute(_RELEASE, lease.key)


def _take(
    database: PostgresDatabase,
    values: dict[str, object],
    wait_seconds: float,
    refused: Callable[[Holder | None], LockHeldError],
) -> Lease:
    ends_at = time.monotonic() + wait_seconds
    ended, poll = 0, _FIRST_POLL_SECONDS
    while True:
        asked = _now()
        with database.writing() as connection:
            taken = connection.execute(_TAKE, {**values, "ended": ended}).fetchone()
            if taken is not None:
                return Lease(str(values["name"]), int(taken["fence"]), asked)
            row = connection.execute(_HOLDER, {"name": values["name"]}).fetchone()
        process = ProcessIdentity(row["pid"], row["host"], row["began"])
        if ended != row["fence"] and process.is_of_this_machine and process.has_ended():
            ended = row["fence"]
            continue
        left = ends_at - time.monotonic()
        if left <= 0:
            since = datetime.fromisoformat(row["since"])
            run_id = row["run_id"]
            raise refused(Holder(run_id, since, process) if run_id else None)
        Event().wait(min(poll, left))
        poll = min(2 * poll, _LONGEST_POLL_SECONDS)


def _renew(connect: Callable[[], PostgresDatabase], lease: Lease, done: Event) -> None:
    """Renew a lock until it is released or lost; a database that is away may come back in time."""
    database: PostgresDatabase | None = None
    while not done.wait(LEASE_SECONDS / 4):
        with suppress(StateError):
            database = database or connect()
            if not _is_renewed(database, lease):
                break  # the next write finds out
    if database is not None:
        database.close()


def _is_renewed(database: PostgresDatabase, lease: Lease) -> bool:
    """Renew a lock; whether it was still this process's."""
    asked = _now()
    if database.execute(_RENEW, {**lease.key, "lease": LEASE_SECONDS}) == 0:
        return False
    lease.renewed = asked
    return True


def check_leases(database: PostgresDatabase) -> None:
    """Refuse to go on once a lock is another's; the database is asked only if it may be.

    What was recorded just before this machine slept or was cut off is then not sent late.

    Raises:
        LockHeldError: Another has taken over.
        StateError: The lock is over, and the database cannot be asked.
    """
    for lease in database.leases:
        if lease.is_over and not _is_renewed(database, lease):
            with database.reading() as connection:
                holder = connection.execute(_HOLDER, {"name": lease.name}).fetchone()
            raise out_of_touch(*((holder["run_id"], holder["host"]) if holder else ()))


def _name_run(database: PostgresDatabase, values: dict[str, object]) -> None:
    database.execute(_NAME_RUN, values)
