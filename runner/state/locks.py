"""One run at a time for a job on an org.

The operating system holds the lock, so a holder that dies frees it. Beside it stands who holds
it, for the error that a second run gets.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from runner.errors import LockHeldError, StateError
from runner.files import PRIVATE_FILE, private_folder, write_private
from runner.state.process_identity import Presence

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    run_id: str
    since: datetime
    process: Presence

    def text(self) -> str:
        """Write it down as one line of JSON."""
        members = {
            "run_id": self.run_id,
            "since": self.since.isoformat(),
            "pid": self.process.pid,
            "host": self.process.host,
            "began": self.process.began,
        }
        return json.dumps(members) + "\n"

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Read it back; None where nobody is written down, or nobody who still lives."""
        try:
            found = json.loads(path.read_text())
            process = Presence(found["pid"], found["host"], found["began"])
            holder = cls(found["run_id"], datetime.fromisoformat(found["since"]), process)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None if process.is_gone() else holder


@contextmanager
def run_lock(  # noqa: PLR0913 - whose it is, and how long to wait for it
    folder: Path,
    job_file: Path,
    org_id: str | None,
    *,
    run_id: str,
    since: datetime | None = None,
    wait_seconds: float = 0.0,
) -> Iterator[Callable[[str], None]]:
    """Hold the lock of one job file on one org.

    Args:
        folder: Where the locks are; made when missing.
        job_file: Two names of one file are one job.
        org_id: None while it is not known, which is an org of its own here.
        run_id: The run that takes it, told to a second one.
        since: When the run began; now, unless given.
        wait_seconds: How long to wait for another run to let go of it.

    Yields:
        What to call with the Id of the run, once it is another than `run_id`.

    Raises:
        LockHeldError: Another run holds it: which, where, since when.
        StateError: The folder cannot be written.
    """
    name = _name(job_file, org_id)
    lock = FileLock(private_folder(folder) / f"{name}.lock", mode=PRIVATE_FILE)
    note = folder / f"{name}.json"
    try:
        lock.acquire(timeout=wait_seconds, poll_interval=_POLL_SECONDS)
    except Timeout:
        raise _held(job_file, Holder.read(note)) from None
    except OSError as error:
        raise StateError(f"{lock.lock_file} cannot be locked: {error.strerror}.") from error
    try:
        holder = Holder(run_id, since or datetime.now(UTC), Presence.here())
        write_private(note, holder.text())
        yield lambda other: write_private(note, replace(holder, run_id=other).text())
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _name(job_file: Path, org_id: str | None) -> str:
    job = os.path.realpath(job_file)
    digest = hashlib.sha256(f"{job}\0{org_id or ''}".encode()).hexdigest()
    return f"{Path(job).stem[:40]}-{digest[:16]}"


def _held(job_file: Path, holder: Holder | None) -> LockHeldError:
    if holder is None:  # between taking the lock and writing down who took it
        return LockHeldError(
            f"Another run of {job_file} has just begun.",
            hint="See it with `runner history`; wait for it with `--wait-lock 10m`.",
        )
    since = holder.since.astimezone(UTC)
    return LockHeldError(
        f"Run {holder.run_id} of {job_file} is under way: pid {holder.process.pid} on "
        f"{holder.process.host}, since {since:%Y-%m-%d %H:%M:%S} UTC.",
        hint=f"`runner show {holder.run_id}` shows how far it is; run again when it is "
        "done, or wait for it with `--wait-lock 10m`.",
    )
