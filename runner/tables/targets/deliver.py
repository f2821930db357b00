"""A query's rows to where the job wants them; a target appears whole or not at all.

Knows places. Knows nothing of formats (`file_writing`) or of how the rows were had.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.errors import StateError
from runner.files import atomic_write, replace, unwritable
from runner.job.endpoints import (
    STANDARD_STREAM,
    Compression,
    DatabaseTarget,
    FileTarget,
    FolderTarget,
    Target,
)
from runner.tables.targets.file import Columns, is_plain, told_of, write_file

_COPY_BYTES = 1 << 20


def deliver(rows: Path, target: Target, columns: Columns, *, keep: bool) -> None:
    """Make a target of a query's rows; it appears whole or not at all.

    Args:
        rows: In Bulk's form.
        target: What the job asks for.
        columns: What is known of the columns; of others, JSON stays JSON and the rest is text.
        keep: Whether `rows` is still needed afterwards.

    Raises:
        StateError: The target cannot be written, or cannot hold a value.
    """
    if isinstance(target, FileTarget) and not keep and _is_as_it_is(target):
        _move(rows, target.path)
        return
    _DELIVERERS[type(target)](rows, target, columns)
    if not keep:
        rows.unlink(missing_ok=True)


def _to_file(rows: Path, target: FileTarget, columns: Columns) -> None:
    if target.url is None and target.path != STANDARD_STREAM:
        with atomic_write(target.path) as beside, told_of(target.path):
            write_file(rows, beside, target.shape, columns)
        return
    between = rows.with_suffix(".sent")
    try:
        with told_of(target.path):
            write_file(rows, between, target.shape, columns)
        if target.url is None:
            _to_standard_output(between)
        else:
            from runner.tables.remote import send

            send(between, target.url)
    finally:
        between.unlink(missing_ok=True)


def _to_folder(rows: Path, target: FolderTarget, columns: Columns) -> None:
    from runner.tables.targets.folder import write_folder

    write_folder(rows, target, columns)


def _to_database(rows: Path, target: DatabaseTarget, columns: Columns) -> None:
    from runner.tables.targets.database import write_table

    write_table(rows, target, columns)


_DELIVERERS: Mapping[type, Callable[..., None]] = {
    FileTarget: _to_file,
    FolderTarget: _to_folder,
    DatabaseTarget: _to_database,
}


def _to_standard_output(file: Path) -> None:
    """Pass a file on to the process's own output, whatever stands in for it meanwhile."""
    out = sys.__stdout__
    if out is None:
        raise StateError("There is no standard output.", hint="Name a file in `to`.")
    try:
        with file.open("rb") as read:
            shutil.copyfileobj(read, out.buffer, _COPY_BYTES)
        out.buffer.flush()
    except BrokenPipeError as error:
        # What could not be written would be tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise StateError(
            "Whoever read standard output closed it before the last row.",
            hint="Write a file with `to`, and read that.",
        ) from error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise unwritable(Path("Standard output"), error) from error


def _is_as_it_is(target: FileTarget) -> bool:
    """Whether the rows are the file already."""
    is_here = target.url is None and target.path != STANDARD_STREAM
    return is_here and target.shape.compression is Compression.NONE and is_plain(target.shape)


def _move(rows: Path, to: Path) -> None:
    """Rename it into place; across disks a copy does the same."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        rows.chmod(0o666 & ~_umask())
        replace(rows, to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise unwritable(to, error) from error
        with atomic_write(to) as beside, rows.open("rb") as read, beside.open("wb") as write:
            shutil.copyfileobj(read, write, _COPY_BYTES)
        rows.unlink()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
