"""The lock under which a token is renewed, by one process at a time.

Knows filelock. Knows nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from runner.errors import StateError
from runner.files import PRIVATE_FILE

LOCK_PATIENCE_SECONDS = 120.0
"""Longer than any one refresh takes, its retries included."""


@contextmanager
def locked_file(
    lock_file: Path, what: str, patience_seconds: float = LOCK_PATIENCE_SECONDS
) -> Iterator[None]:
    """Hold a lock between threads and processes; a dead holder's is free at once.

    Args:
        lock_file: Stands for what is locked.
        what: What is locked, for messages.
        patience_seconds: How long to wait for another holder.

    Raises:
        StateError: Another holds it for too long, or the folder is read-only.
    """
    lock = FileLock(lock_file, mode=PRIVATE_FILE)
    try:
        lock.acquire(timeout=patience_seconds)
    except Timeout as error:
        raise StateError(
            f"Another run has kept {what} locked for {patience_seconds:g} s.",
            hint="See with `runner history` which run that is, end it, then run again.",
        ) from error
    except OSError as error:
        raise StateError(
            f"{what} cannot be locked for a refresh: {error.strerror}.",
            hint="Keep the token in a folder that this user may write to: the org may replace "
            "the refresh token each time it is used.",
        ) from error
    try:
        yield
    finally:
        lock.release()
