"""A lock that one thread of one process holds at a time, as a file.

The operating system holds it, so a process that dies releases its own. Knows files. Knows nothing
of what a lock protects.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.files import PRIVATE_FILE

_POLL_SECONDS = 0.1


@contextmanager
def held_alone(lock_file: Path, patience_seconds: float) -> Iterator[None]:
    """Hold a lock until the block ends.

    Args:
        lock_file: Created when missing, and left there: who waits for it has it open.
        patience_seconds: How long to wait for another holder.

    Raises:
        TimeoutError: Another holder has it for longer.
        OSError: The file cannot be opened or locked.
    """
    until = time.monotonic() + patience_seconds
    while (descriptor := _taken(lock_file)) is None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        time.sleep(min(left, _POLL_SECONDS))
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a fork may have it open, too
        os.close(descriptor)


def _taken(lock_file: Path) -> int | None:
    """The descriptor of the lock's file, or None while another has the lock."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)  # another has it, or it was deleted before this process had it
    return None
