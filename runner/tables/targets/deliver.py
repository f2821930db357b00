"""Delivers a query's rows to the target of its task, completely or not at all.

Knows places. Knows nothing of formats (`file`) or of which API the rows came from.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from runner.errors import StateError
from runner.files import Stamp, atomic_write, is_device, real_path, replace, unwritable
from runner.job.endpoints import (
    STANDARD_STREAM,
    Compression,
    DatabaseTarget,
    FileFormat,
    FileTarget,
    FolderTarget,
    TableMode,
    Target,
)
from runner.tables.targets.file import Columns, is_plain, target_errors, write_file

if TYPE_CHECKING:
    from runner.tables.targets.copy_ahead import CopyAhead
    from runner.tables.targets.landing import Landing
    from runner.tables.targets.target_state import TargetState

OnLanding = Callable[["Landing"], None]
"""Called just before rows are added to those of a target."""

_COPY_BYTES = 1 << 20
_READING_UMASK = Lock()


def deliver(  # noqa: PLR0913 - rows and a place, and what goes with them
    rows: Path,
    target: Target,
    columns: Columns,
    *,
    keep_rows: bool,
    state: TargetState | None = None,
    ahead: CopyAhead | None = None,
    landing: OnLanding | None = None,
) -> tuple[str, ...]:
    """Write a query's rows to a target, completely or not at all.

    Args:
        rows: A file in Bulk API 2.0's form (`rest_rows`).
        target: Where to write them.
        columns: The described columns; in others, JSON stays JSON and the rest is text.
        keep_rows: Whether `rows` is needed afterwards; otherwise it is moved or deleted.
        state: What a database stores in the same transaction.
        ahead: The copy of the same rows that began while they arrived, if there is no `state`.
        landing: Called just before rows are added to those of the target.

    Returns:
        What became of the rows that the target had, for people to read.

    Raises:
        StateError: The target cannot be written, or cannot represent a value.
    """
    if isinstance(target, FileTarget) and not keep_rows and _is_movable(target):
        _move(rows, target.path)
        return ()
    notes: tuple[str, ...] | None
    landing = landing or (lambda _landing: None)
    if ahead is not None and ahead.finish(rows):
        notes = ()
    elif isinstance(target, DatabaseTarget):
        notes = _to_database(rows, target, columns, state, landing)
    elif isinstance(target, FolderTarget) and target.shape.format is FileFormat.DELTA:
        notes = _to_delta(rows, target, columns, state, landing)
    else:
        notes = _WRITERS[type(target)](rows, target, columns, landing)
    if not keep_rows:
        rows.unlink(missing_ok=True)
    return notes or ()


def copy_ahead(target: Target, columns: Columns) -> CopyAhead | None:
    """What copies a query's rows while they are being downloaded; None for most targets."""
    if not isinstance(target, DatabaseTarget) or not _is_replaced_by_psycopg(target):
        return None
    from runner.tables.targets.copy_ahead import CopyAhead

    return CopyAhead(target, columns or ())


def get_ready(targets: Sequence[Target]) -> None:
    """Get ready for rows: import what takes a third of a second while the org is being asked.

    Raises:
        StateError: A target that keeps rows is cut off, or cannot be read.
    """
    for target in targets:
        if isinstance(target, DatabaseTarget):
            Thread(target=_import_for_database, args=(target,), name="imports").start()
        if isinstance(target, DatabaseTarget) or target.mode is not TableMode.REPLACE:
            from runner.tables.targets.whole import check_whole

            check_whole(target)


def _import_for_database(target: DatabaseTarget) -> None:
    with suppress(ImportError):  # who needs it says so
        if _is_replaced_by_psycopg(target):
            import psycopg  # noqa: F401

            from runner.tables.targets import postgresql  # noqa: F401
        else:
            import sqlalchemy  # noqa: F401

            from runner.tables.targets import database  # noqa: F401


def _is_replaced_by_psycopg(target: DatabaseTarget) -> bool:
    """Whether SQLAlchemy need not be imported for it."""
    from runner.tables.psycopg_connection import is_common

    return target.mode is TableMode.REPLACE and is_common(target.url)


def _to_file(
    rows: Path, target: FileTarget, columns: Columns, landing: OnLanding
) -> tuple[str, ...] | None:
    if target.mode is not TableMode.REPLACE:
        return _into_file(rows, target, columns, landing)
    if target.url is None and target.path != STANDARD_STREAM:
        with atomic_write(target.path) as temporary, target_errors(target.path):
            write_file(rows, temporary, target.shape, columns)
        return None
    temporary = rows.with_suffix(".sent")
    try:
        try:
            with target_errors(target.path):
                write_file(rows, temporary, target.shape, columns)
        except OSError as error:
            raise unwritable(temporary, error) from error
        if target.url is None:
            _to_standard_output(temporary)
        else:
            from runner.tables.remote import send

            send(temporary, target.url)
    finally:
        temporary.unlink(missing_ok=True)
    return None


def _into_file(
    rows: Path, target: FileTarget, columns: Columns, landing: OnLanding
) -> tuple[str, ...]:
    """Add rows to those of a file, or merge them with them."""
    from runner.tables.targets.kept_file import write_with_kept
    from runner.tables.targets.landing import replacing

    with atomic_write(target.path) as temporary, target_errors(target.path):
        seen = _version(target.path)
        notes = write_with_kept(rows, temporary, target, columns)
        if _version(target.path) != seen:
            raise StateError(
                f"{target.path} was changed by another program meanwhile; nothing was written.",
                hint="Run again when nothing else writes it.",
            )
        landing(replacing(temporary, target.path))
    return notes


def _version(file: Path) -> Stamp | None:
    """What changes when a file does; None if there is none."""
    try:
        return Stamp.of(file.stat())
    except FileNotFoundError:
        return None


def _to_folder(
    rows: Path, target: FolderTarget, columns: Columns, landing: OnLanding
) -> tuple[str, ...]:
    from runner.tables.targets.folder import write_folder

    return write_folder(rows, target, columns, landing)


def _to_database(
    rows: Path,
    target: DatabaseTarget,
    columns: Columns,
    state: TargetState | None,
    landing: OnLanding,
) -> tuple[str, ...]:
    if _is_replaced_by_psycopg(target):
        from runner.tables.targets.postgresql import replace_table

        replace_table(rows, target, columns, state)
        return ()
    from runner.tables.targets.database import write_table

    return write_table(rows, target, columns, state, landing)


def _to_delta(
    rows: Path,
    target: FolderTarget,
    columns: Columns,
    state: TargetState | None,
    landing: OnLanding,
) -> tuple[str, ...]:
    from runner.tables.targets.delta_table import write_delta
    from runner.tables.targets.landing import Landing

    landing(Landing(is_told=state is not None))
    return write_delta(rows, target, columns, state.as_metadata() if state else {})


_WRITERS: Mapping[type, Callable[..., tuple[str, ...] | None]] = {
    FileTarget: _to_file,
    FolderTarget: _to_folder,
}


def _to_standard_output(file: Path) -> None:
    """Copy a file to the process's own standard output, even if `sys.stdout` is replaced."""
    out = sys.__stdout__
    if out is None:
        raise StateError("There is no standard output.", hint="Name a file in `to`.")
    try:
        with file.open("rb") as read:
            shutil.copyfileobj(read, out.buffer, _COPY_BYTES)
        out.buffer.flush()
    except BrokenPipeError as error:
        # Otherwise the process would try to flush the rest again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise StateError(
            "The program reading standard output closed it before the last row.",
            hint="Name a file in `to` and read that.",
        ) from error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise unwritable(Path("Standard output"), error) from error


def _is_movable(target: FileTarget) -> bool:
    """Whether the rows already are the target's file, which they can be renamed to."""
    is_local = target.url is None and target.path != STANDARD_STREAM
    if target.mode is not TableMode.REPLACE or not is_local or is_device(target.path):
        return False
    return target.shape.compression is Compression.NONE and is_plain(target.shape)


def _move(rows: Path, to: Path) -> None:
    """Rename the rows into place, or copy them to another disk."""
    to = real_path(to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        rows.chmod(0o666 & ~_umask())
        replace(rows, to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise unwritable(to, error) from error
        with atomic_write(to) as temporary, rows.open("rb") as read, temporary.open("wb") as write:
            shutil.copyfileobj(read, write, _COPY_BYTES)
        rows.unlink()


def _umask() -> int:
    with _READING_UMASK:  # two threads that read it at once would leave the other one
        mask = os.umask(0o077)
        os.umask(mask)
    return mask
