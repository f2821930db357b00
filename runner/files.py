"""Files that appear whole or not at all.

Knows: write beside, flush to disk, rename. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from zlib import crc32

from runner.errors import StorageError

_HOST = f"{crc32(platform.node().encode()):08x}"
"""Process numbers mean nothing on another machine that shares a folder."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write to; it takes `path`'s place once it is written.

    An error leaves what was at `path` before, and nothing else. The folder is made where it is
    missing.

    Raises:
        StorageError: The folder or the file cannot be written.
    """
    beside = beside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
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


def beside_of(path: Path, ending: str = "tmp") -> Path:
    """Name a file or folder beside a path that tells whose it is, should its process die."""
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.{ending}")


def sweep(path: Path, ending: str = "tmp") -> None:
    """Delete what processes of this machine that died left beside a path."""
    for stray in path.parent.glob(f".{escape(path.name)}.{_HOST}-*-*.{ending}"):
        told = stray.name.rsplit(".", 2)[1].split("-")[1]
        if not told.isdigit() or _is_alive(int(told)):
            continue
        if stray.is_dir():
            shutil.rmtree(stray, ignore_errors=True)
        else:
            with suppress(OSError):  # another's, in a folder that many share
                stray.unlink()


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # nothing can be asked there without ending it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
