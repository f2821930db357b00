"""Who uses a thing together with others: as many as like, and one who waits until nobody does.

The operating system holds the locks, so a user that dies lets go, and nobody asks again and again.
Knows nothing of what is used.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StateError
from runner.files import PRIVATE_FILE, private_folder


@contextmanager
def held(lock_file: Path, *, shared: bool) -> Iterator[None]:
    """Hold a lock while the block runs, together with others or alone; wait for it first.

    Raises:
        StateError: The folder cannot be written.
    """
    descriptor = _opened(lock_file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def wait_for_all(lock_file: Path) -> None:
    """Wait until nobody holds a lock, then keep all others off it until this process ends."""
    fcntl.flock(_opened(lock_file), fcntl.LOCK_EX)


def is_free(lock_file: Path, *, shared: bool) -> bool:
    """Whether a lock could be had at this moment, together with others or alone."""
    descriptor = _opened(lock_file)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _opened(lock_file: Path) -> int:
    private_folder(lock_file.parent)
    try:
        return os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise StateError(
            f"{lock_file} cannot be opened: {error.strerror}.",
            hint="Check that this user may write there; `--state-dir` names another folder.",
        ) from error
