"""Atomic file writes and private folders.

Knows the order: write a temporary file, sync it, rename it, sync the folder. Knows nothing of what
the files contain.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Self
from zlib import crc32

from msgspec import Struct

from runner.errors import StorageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Errors of a disk that is full, over quota, failing or read-only, whichever file was written."""

_SYNCED_BYTES = 16_000_000
_CACHED_BYTES = 1 << 28
_COPIED_BYTES = 1_000_000
_CHECKED_BYTES = 256_000
"""Stays in the processor's cache: a third less time than a megabyte at once."""
_HOST = f"{crc32(os.uname().nodename.encode()):08x}"
"""Process numbers mean nothing on another machine that shares a folder."""


_is_unsynced: ContextVar[bool] = ContextVar("is_unsynced", default=False)


@contextmanager
def unsynced() -> Iterator[None]:
    """Wait for no disk in the block: files may be incomplete if the power fails soon after.

    For files of a run that a signal ended, which its resume writes again.
    """
    token = _is_unsynced.set(True)
    try:
        yield
    finally:
        _is_unsynced.reset(token)


def sync_all(folder: Path) -> None:
    """Wait until all files in a folder, and in the folders in it, are on the disk.

    Raises:
        StorageError: The disk failed.
    """
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent, name) for name in names), Path(parent)):
            try:
                sync_folder(path)
            except OSError as error:
                raise unwritable(path, error) from error


@contextmanager
def atomic_write(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Give a temporary file beside `path` that replaces it when the block ends.

    If the block raises, `path` is left as it was. A missing folder is created. A symbolic link
    stays one, and what it leads to is replaced; a device or a pipe gets the content.

    Args:
        path: The file.
        mode: Of the file from its first byte; by default what the umask allows.

    Raises:
        StorageError: The folder or the file cannot be written.
    """
    if is_device(path):
        from runner.devices import content_for  # noqa: PLC0415 - few paths are

        with content_for(path) as temporary:
            yield temporary
        return
    path = real_path(path)
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        delete_strays(path)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or 0o666))
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        if mode is not None:
            temporary.chmod(mode)  # the umask may have removed bits
        yield temporary
        replace(temporary, path)
    except OSError as error:
        if error.errno in NO_ROOM or error.filename == str(temporary):
            raise unwritable(path, error) from error
        raise  # what the block reads from may fail too, which is not about this file
    finally:
        temporary.unlink(missing_ok=True)


def is_device(path: Path) -> bool:
    """Whether a path, or what it links to, is written to and not replaced: a device or a pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def atomic_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; a missing folder is created.

    Raises:
        StorageError: The folder or the file cannot be written.
    """
    with atomic_write(path) as temporary:
        try:
            temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise unwritable(path, error) from error


def write_private(path: Path, text: str, mode: int = PRIVATE_FILE) -> None:
    """Write a small file for its owner only, atomically, as UTF-8; its folder must exist.

    Raises:
        StorageError: The folder is missing, read-only or full.
    """
    path = real_path(path)
    if not path.parent.is_dir():
        raise unwritable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    with atomic_write(path, mode) as temporary:
        temporary.write_bytes(text.encode())


def replace(temporary: Path, path: Path) -> None:
    """Rename a complete file to its final name, and wait until both are on the disk.

    Raises:
        OSError: The file cannot be synced or renamed.
    """
    sync(temporary)
    os.replace(temporary, path)  # noqa: PTH105 - its errno says when `path` is on another disk
    sync_folder(path.parent)


def recover(path: Path, suffix: str) -> None:
    """Give a file or folder back its name if a process died after it had renamed it."""
    if path.exists():
        return
    for stray in _strays(path, suffix):
        stray.rename(path)
        return


def link_or_copy(file: Path, to: Path) -> None:
    """Give a file another name, or a copy where the file system has no such links.

    What is written into one of them is in the other: replace them instead.

    Raises:
        OSError: It cannot be read or copied.
    """
    try:
        to.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        from shutil import copyfile  # noqa: PLC0415 - not every start needs it

        copyfile(file, to)


def sync(path: Path) -> None:
    """Wait until a file is on the disk.

    Raises:
        OSError: It cannot be synced.
    """
    if _is_unsynced.get():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SyncAhead:
    """Syncs the finished part of a file to the disk while the rest is being written.

    When a large file is complete, little of it is left to wait for. If it will not be complete,
    nothing is waited for: a busy disk may take many seconds.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = 0
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def grown(self) -> None:
        """Say that more was written.

        Raises:
            OSError: The disk failed.
        """
        size = self._file.tell()
        is_busy = self._thread is not None and self._thread.is_alive()
        if is_busy or size - self._begun < _SYNCED_BYTES or _is_unsynced.get():
            return
        self._check()
        self._file.flush()
        # Of its own: the file may be closed meanwhile.
        new = os.dup(self._file.fileno()), self._begun, size - self._begun
        self._begun = size
        self._thread = Thread(target=self._sync, args=new, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, *_trace: object) -> None:
        if error is not None:
            return
        if self._thread is not None:
            self._thread.join()
        self._check()

    def _sync(self, descriptor: int, start: int, size: int) -> None:
        try:
            os.fsync(descriptor)
            # Of a very large file, pages of the cache serve again: new ones take longer to fill.
            if start >= _CACHED_BYTES and hasattr(os, "posix_fadvise"):  # not on macOS
                os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            self._error = error
        finally:
            os.close(descriptor)

    def _check(self) -> None:
        """The system says once that a file was not written, so a later sync would not."""
        if self._error is not None:
            raise self._error


def copy_content(file: Path, to: Path) -> None:
    """Copy the content of a file, most of which is on the disk on return.

    Raises:
        OSError: It cannot be read or written.
    """
    with file.open("rb") as source, to.open("wb") as out, SyncAhead(out) as ahead:
        while block := source.read(_COPIED_BYTES):
            out.write(block)
            ahead.grown()


class Stamp(Struct, frozen=True):
    """By which a file differs from another that had its name on this machine."""

    size: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """The stamp of a file, from its `stat` result."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


def checksum_of(file: Path) -> str:
    """The size and the CRC-32 of a file: by which damage shows, not forgery.

    Raises:
        OSError: It cannot be read.
    """
    size = crc = 0
    block = memoryview(bytearray(_CHECKED_BYTES))
    with file.open("rb", buffering=0) as source:
        while count := source.readinto(block):
            size += count
            crc = crc32(block[:count], crc)
    return f"{size}-{crc:08x}"


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if its file system supports that.

    Raises:
        OSError: The disk failed.
    """
    try:
        sync(folder)
    except OSError as error:  # network shares refuse to sync a folder
        if error.errno in NO_ROOM:
            raise


def real_path(path: Path) -> Path:
    """A path without symbolic links; one that links to itself stays, for its use to fail."""
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for such a link


def private_folder(path: Path, hint: str | None = None) -> Path:
    """Create a folder and its missing parents with access for their owner only; return it.

    An existing folder keeps its mode: a team may share it.

    Args:
        path: The folder.
        hint: What to do if it cannot be created, where more is known than what is usual.

    Raises:
        StorageError: It cannot be created, or there is a file of that name.
    """
    if path.is_dir():
        return path
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                with suppress(FileExistsError):  # another run created it meanwhile
                    folder.mkdir(mode=PRIVATE_FOLDER)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "a file of that name exists")
    except OSError as error:
        refused = unwritable(path, error, "The folder {} cannot be created")
        refused.hint = hint or refused.hint
        raise refused from error
    return path


def temporary_path(path: Path, suffix: str = "tmp") -> Path:
    """Name a file or folder beside `path` after this process, so that strays can be found."""
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{os.urandom(4).hex()}.{suffix}")


def delete_strays(path: Path, suffix: str = "tmp") -> None:
    """Delete temporary files that dead processes of this machine left beside `path`."""
    for stray in _strays(path, suffix):
        if stray.is_dir():
            from shutil import rmtree  # noqa: PLC0415 - not every start needs it

            rmtree(stray, ignore_errors=True)
        else:
            with suppress(OSError):  # another user's, in a shared folder
                stray.unlink()


def _strays(path: Path, suffix: str) -> Iterator[Path]:
    # Not by `glob`, which compiles a regular expression for each new name.
    before, after = f".{path.name}.{_HOST}-", f".{suffix}"
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in entries]
    except OSError:  # whoever writes there says why it is not possible
        return
    for name in names:
        if name.startswith(before) and name.endswith(after):
            pid, _, rest = name[len(before) : -len(after)].partition("-")
            if rest and pid.isdigit() and not _is_alive(int(pid)):
                yield path.with_name(name)


def unwritable(path: Path, error: OSError, message: str = "{} cannot be written") -> StorageError:
    """Turn the system's error about a file or folder into ours."""
    return StorageError(
        f"{message.format(path)}: {error.strerror or error}.",
        hint="Check that the folder exists, is writable and has room; then run again "
        "(`runner resume` continues an unfinished run).",
    )


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere asking would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
