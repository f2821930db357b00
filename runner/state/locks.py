"""Locks between processes of one machine.

Knows the locks of a job, of a target that keeps its rows, of a token and of the local org. The
operating system holds them, so a process that dies releases its own. Knows nothing of what they
protect.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import LockHeldError, StateError
from runner.files import PRIVATE_FILE, private_folder, unwritable, write_private
from runner.state.exclusive import held_alone
from runner.state.process import ProcessIdentity

REFRESH_PATIENCE_SECONDS = 120.0
"""Longer than any one token refresh takes, its retries included."""


class Holder(Struct, frozen=True):
    """The run that holds a job's lock, as recorded beside it."""

    run_id: str
    since: datetime
    process: ProcessIdentity

    def write(self, path: Path) -> None:
        """Record it as one line of JSON."""
        members = {
            "run_id": self.run_id,
            "since": self.since.isoformat(),
            "pid": self.process.pid,
            "host": self.process.host,
            "began": self.process.started,
        }
        write_private(path, json.dumps(members) + "\n")

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Read it back; None when none is recorded, or its process has ended."""
        try:
            found = json.loads(path.read_text())
            process = ProcessIdentity(found["pid"], found["host"], found["began"])
            holder = cls(found["run_id"], datetime.fromisoformat(found["since"]), process)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None if process.has_ended() else holder


@contextmanager
def run_lock(  # noqa: PLR0913 - whose it is, and how long to wait for it
    folder: Path,
    job_file: Path,
    org_id: str | None,
    *,
    run_id: str,
    target: str | None = None,
    since: datetime | None = None,
    wait_seconds: float = 0.0,
) -> Iterator[Callable[[str], None]]:
    """Hold the lock of one job file on one org.

    Args:
        folder: Where the locks are; created when missing.
        job_file: Two names of one file are one job.
        org_id: None while it is not known, which is an org of its own here.
        run_id: The run that holds it, named in the error of a second one.
        target: Which of the job's targets; runs of one do not wait for those of another.
        since: When the run started; now by default.
        wait_seconds: How long to wait for another run to release it.

    Yields:
        What to call with the Id of the run, once that is not `run_id`.

    Raises:
        LockHeldError: Another run holds it: which, where, since when.
        StateError: The folder cannot be written.
    """
    holder = Holder(run_id, since or datetime.now(UTC), ProcessIdentity.current())
    name = lock_name(os.path.realpath(job_file), org_id, target)
    with _held(folder, name, holder, wait_seconds, lambda by: job_held(job_file, by)) as note:
        yield note


@contextmanager
def target_locks(
    folder: Path, targets: Iterable[Path], *, run_id: str, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Hold the locks of files and folders that a run adds rows to.

    Two runs at once, of two jobs or on two targets of one, would each replace what the other wrote.

    Args:
        folder: Where the locks are; created when missing.
        targets: The files and folders.
        run_id: The run that holds them.
        wait_seconds: How long to wait for another run to release each.

    Raises:
        LockHeldError: Another run holds one: which.
        StateError: The folder cannot be written.
    """
    holder = Holder(run_id, datetime.now(UTC), ProcessIdentity.current())
    with ExitStack() as stack:
        for path in sorted({Path(os.path.realpath(each)) for each in targets}):
            held = partial(_target_held, path)
            name = lock_name(str(path), None, "rows")
            stack.enter_context(_held(folder, name, holder, wait_seconds, held))
        yield


@contextmanager
def _held(
    folder: Path,
    name: str,
    holder: Holder,
    wait_seconds: float,
    refused: Callable[[Holder | None], LockHeldError],
) -> Iterator[Callable[[str], None]]:
    """Hold a lock and record who does; yields what records another run."""
    lock_file, record = private_folder(folder) / f"{name}.lock", folder / f"{name}.json"
    with ExitStack() as held:
        try:
            held.enter_context(held_alone(lock_file, wait_seconds))
        except TimeoutError:
            raise refused(Holder.read(record)) from None
        except OSError as error:
            raise StateError(f"{lock_file} cannot be locked: {error.strerror}.") from error
        try:
            holder.write(record)
            yield lambda other: replace(holder, run_id=other).write(record)
        finally:
            record.unlink(missing_ok=True)


@contextmanager
def refresh_lock(
    lock_file: Path, token: str, patience_seconds: float = REFRESH_PATIENCE_SECONDS
) -> Iterator[None]:
    """Hold a token's lock, so that one thread of one process refreshes it at a time.

    Args:
        lock_file: Stands for the token.
        token: Where the token is, for messages.
        patience_seconds: How long to wait for another holder.

    Raises:
        StateError: Another process holds it for too long, or the folder is read-only.
    """
    with ExitStack() as held:
        try:
            held.enter_context(held_alone(lock_file, patience_seconds))
        except TimeoutError as error:
            raise StateError(
                f"Another run has locked {token} for {patience_seconds:g} s.",
                hint="Find that run with `runner history`, end it, then run again.",
            ) from error
        except OSError as error:
            raise StateError(
                f"{token} cannot be locked for a refresh: {error.strerror}.",
                hint="Keep the token in a folder that this user can write to: the org may replace "
                "the refresh token each time it is used.",
            ) from error
        yield


@contextmanager
def file_lock(lock_file: Path, *, shared: bool) -> Iterator[None]:
    """Hold a lock, shared or alone, until the block ends; wait for it first.

    Raises:
        StateError: The folder cannot be written.
    """
    descriptor = _open(lock_file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_until_exit(lock_file: Path) -> None:
    """Wait until nobody holds a lock, then hold it alone until this process ends."""
    fcntl.flock(_open(lock_file), fcntl.LOCK_EX)


def is_free(lock_file: Path, *, shared: bool) -> bool:
    """Whether a lock could be taken now, shared or alone."""
    descriptor = _open(lock_file)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _open(lock_file: Path) -> int:
    private_folder(lock_file.parent)
    try:
        return os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise unwritable(lock_file, error) from error


def lock_name(job: str, org_id: str | None, target: str | None) -> str:
    """The name of a job's lock on an org: readable, and one for each."""
    import hashlib  # noqa: PLC0415 - not every start needs it

    of_target = f"\0{target}" if target else ""
    digest = hashlib.sha256(f"{job}\0{org_id or ''}{of_target}".encode()).hexdigest()
    return f"{Path(job).stem[:40]}-{digest[:16]}"


def job_held(job_file: Path, holder: Holder | None) -> LockHeldError:
    """The error for a job whose lock another run holds."""
    if holder is None:  # it has the lock, and has not recorded who it is yet
        return LockHeldError(
            f"Another run of {job_file} has just started.",
            hint="See it with `runner history`; wait for it with `--wait-lock 10m`.",
        )
    since = holder.since.astimezone(UTC)
    return LockHeldError(
        f"Run {holder.run_id} of {job_file} is in progress: pid {holder.process.pid} on "
        f"{holder.process.host}, since {since:%Y-%m-%d %H:%M:%S} UTC.",
        hint=f"`runner show {holder.run_id}` shows its progress. Run again when it is done, or "
        "wait for it with `--wait-lock 10m`.",
    )


def _target_held(path: Path, holder: Holder | None) -> LockHeldError:
    process = f": pid {holder.process.pid} on {holder.process.host}" if holder else ""
    return LockHeldError(
        f"Another run may add rows to {path} at this moment{process}.",
        hint="Run again when it is done, or wait for it with `--wait-lock 10m`.",
    )
