"""Files that nobody may write to while they are read: half of each version would pass for a whole.

A file that is replaced by a rename is no trouble where one reader keeps it open. Knows what tells
two versions of a file apart. Knows nothing of what files hold.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.files import Stamp

if TYPE_CHECKING:
    from typing_extensions import Buffer


def stamp_of(file: Path) -> Stamp:
    """The stamp of a file.

    Raises:
        SourceError: It is not there.
    """
    try:
        return Stamp.of(file.stat())
    except OSError as error:
        raise unreadable(file, error) from error


def check_unchanged(file: Path, stamp: Stamp) -> None:
    """Refuse a file that has changed since its stamp was taken.

    Raises:
        SourceError: It has, or is not there any more.
    """
    if stamp_of(file) != stamp:
        raise _changed(file)


@contextmanager
def unchanged(file: Path) -> Iterator[None]:
    """Refuse a file that changes in the block; what is wrong with it otherwise matters less.

    Raises:
        SourceError: It has changed.
    """
    stamp = stamp_of(file)
    try:
        yield
    except SourceError as error:
        if stamp_of(file) != stamp:
            raise _changed(file) from error
        raise
    check_unchanged(file, stamp)


class UnchangedFile(io.FileIO):
    """An open file that raises a SourceError at its end if it has changed since it was opened."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._stamp = Stamp.of(os.fstat(self.fileno()))

    def readinto(self, buffer: Buffer, /) -> int | None:
        """Read some bytes; nothing is the end."""
        size = super().readinto(buffer)
        if not size:
            self._check()
        return size

    def readall(self) -> bytes:
        """Read to the end."""
        content = super().readall()
        self._check()
        return content

    def _check(self) -> None:
        if Stamp.of(os.fstat(self.fileno())) != self._stamp:
            raise _changed(self._path)


def unreadable(path: Path, error: OSError) -> SourceError:
    """The error for a source that cannot be opened or read."""
    return SourceError(
        f"{path} cannot be read: {error.strerror or error}.",
        hint="Check the path in `from` and the file's permissions.",
    )


def _changed(file: Path) -> SourceError:
    return SourceError(
        f"{file} has changed while it was being read.",
        hint="Run again once nobody writes to it.",
    )
