"""The folder of a `runner test`: where it is, and that nothing of it stays.

Knows temporary folders. Knows nothing of tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.files import PRIVATE_FOLDER, delete_strays, temporary_path, unwritable

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is created in it
_ROOM_BYTES = 1 << 30


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder until the block ends; those of processes that were killed are removed, too.

    Raises:
        StorageError: It cannot be created.
    """
    name = _parent() / "runner-test"
    delete_strays(name)
    folder = temporary_path(name)
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
    except OSError as error:
        raise unwritable(folder, error, "The folder {} cannot be created") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parent() -> Path:
    """In memory, where nothing waits for a disk, or where temporary files are."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    try:
        has_room = not named and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    except OSError:
        has_room = False
    return _MEMORY if has_room and os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
