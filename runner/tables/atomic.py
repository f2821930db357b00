"""Files that appear whole or not at all.

Knows: write beside, flush to disk, rename. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.errors import StorageError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write to; it takes `path`'s place once it is written.

    An error leaves what was at `path` before, and nothing else. The folder is made where it is
    missing.

    Raises:
        StorageError: The folder or the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield beside
        _put_in_place(beside, path)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise unwritable(path, error) from error
        raise  # what the block reads from may break too; that is not for here to tell
    finally:
        beside.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> StorageError:
    """Say that a file cannot be written, and why."""
    return StorageError(
        f"{path} cannot be written: {error.strerror or error}.",
        hint="Check that the folder exists, is writable and has room; then `runner resume`.",
    )


def _put_in_place(beside: Path, path: Path) -> None:
    try:
        sync(beside)
        beside.replace(path)
        sync_folder(path)
    except OSError as error:
        raise unwritable(path, error) from error


def sync_folder(path: Path) -> None:
    """Wait until a file's name is on the disk, where its file system can say so: shares may not."""
    with suppress(OSError):
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
