"""Folders that appear whole: a new one takes the place of the old one in one step.

Knows renames. Knows nothing of what is in a folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.files import (
    delete_strays,
    real_path,
    recover,
    sync,
    sync_folder,
    temporary_path,
    unwritable,
)

_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE."""


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of another one when the block ends.

    If the block raises, the old one stays. A symbolic link stays one, and what it leads to is
    replaced.

    Raises:
        StorageError: It cannot be written.
    """
    folder = real_path(folder)
    beside, old = temporary_path(folder), temporary_path(folder, "old")
    recover(folder, "old")
    delete_strays(folder)
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield beside
        for each in (*beside.rglob("*"), beside):
            sync(each)
        if folder.exists() and not exchange(beside, folder):
            folder.rename(old)
        if old.exists() or not folder.exists():
            beside.rename(folder)
        sync_folder(folder.parent)
        delete_strays(folder, "old")
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change names, in one step; False if this system cannot.

    Source: renameat2(2) and RENAME_EXCHANGE of Linux; not in Python's library.
    """
    import ctypes  # noqa: PLC0415 - few runs write a folder

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return bool(rename(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)
