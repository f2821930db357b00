"""Writes what a device or a named pipe gets: it has to be whole first, as a file has.

Knows how to open one. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.files import PRIVATE_FILE, unwritable


@contextmanager
def content_for(device: Path) -> Iterator[Path]:
    """A temporary file whose content the device gets when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, "content")
        temporary.touch(PRIVATE_FILE)
        yield temporary
        try:
            with temporary.open("rb") as read, open(device, "wb", opener=_at_once) as write:
                shutil.copyfileobj(read, write)
        except OSError as error:
            if error.errno == errno.ENXIO:
                error.strerror = "no program reads it"
            raise unwritable(device, error) from error


def _at_once(path: str, flags: int) -> int:
    """Open without waiting, for hours perhaps, until another program opens a pipe to read it."""
    opened = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(opened, True)
    return opened
