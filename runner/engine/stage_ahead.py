"""Reads the rows of the next write while the org works on those of this one.

Only what another task cannot change: a file of this machine, read and mapped. What is looked up in
the org, and what limits say, waits until the task starts. If anything is in the way, nothing is
read ahead, and the task does it, and reports what is wrong, when it starts. Knows tasks and disk
space. Knows nothing of how rows are read or sent.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from runner.engine.context import PLANNED, SNAPSHOT, STAGING, Context
from runner.errors import ExitCode, RunnerError
from runner.job.endpoints import FileSource
from runner.job.model import AnyTask, WriteTask
from runner.lanes import Background
from runner.tables.disk import LentDisk

if TYPE_CHECKING:
    from runner.engine.source_rows import ReadRows

_MOST_TIMES = 10
"""The disk space of a write, by the size of its source: it is staged, and in parts and results."""


class StageAhead:
    """At most one task's rows, read in a thread of its own until the task starts."""

    def __init__(self, tasks: Sequence[AnyTask]) -> None:
        """Take the tasks in the order in which they run, one after another."""
        self._following = dict(zip((task.name for task in tasks), tasks[1:], strict=False))
        self._under_way: tuple[str, Background[ReadRows]] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def begin(self, task: WriteTask, context: Context) -> None:
        """Start to read the rows of the task after this one, which has all its rows by now."""
        following = self._following.get(task.name)
        if (
            self._under_way is None
            and type(following) is WriteTask
            and _can_be_read(following, task, context)
        ):
            from runner.engine.source_rows import read_rows  # noqa: PLC0415 - only writes read

            folder = context.task_folder(following) / STAGING
            lent = replace(context, disk=LentDisk(context.disk))
            work = Background(lambda: read_rows(following, lent, folder))
            self._under_way = following.name, work
            if context.disk.most_bytes is not None:
                context.disk.make_room = self._discard

    def take(self, task: WriteTask, context: Context) -> ReadRows | None:
        """The rows of a task that starts; None if they were not read, or not without an error."""
        if self._under_way is None or self._under_way[0] != task.name:
            self._discard()
            return None
        _, work = self._under_way
        work.wait()  # a signal ends it, and leaves the rows to be discarded
        self._under_way = None
        read = _result(work)
        if read is not None:
            read.staging.disk = context.disk
        return read

    def _discard(self) -> bool:
        """Delete the rows, also for a thread that needs their space; whether there were any."""
        with self._lock:
            if self._under_way is None:
                return False
            _, work = self._under_way
            self._under_way = None
            work.stop(ExitCode.INTERRUPTED)
            if (read := _result(work)) is not None:
                read.staging.discard()
            return True


def _result(work: Background[ReadRows]) -> ReadRows | None:
    try:
        return work.result()
    except (RunnerError, OSError):
        return None


def _can_be_read(task: WriteTask, current: WriteTask, context: Context) -> bool:
    source, folder = task.source, context.task_folder(task)
    return (
        isinstance(source, FileSource)
        and source.url is None
        and source.path.is_file()
        and task.enabled
        and task.mirror is None
        and current.on_failure is None  # which may write the file
        and not _is_in(source.path, context.folder, current.results)
        and context.earlier_outcome(task) is None
        and not context.has_begun(task)
        and not any((folder / each).exists() for each in (SNAPSHOT, PLANNED, STAGING))
        and _has_room(context, source.path, current)
    )


def _is_in(file: Path, *folders: Path | None) -> bool:
    return any(
        each is not None and file.resolve().is_relative_to(each.resolve()) for each in folders
    )


def _has_room(context: Context, file: Path, current: WriteTask) -> bool:
    """Whether there is disk space for both tasks, so that none fails because of the other."""
    files = [file, *([current.source.path] if isinstance(current.source, FileSource) else [])]
    try:
        needed = _MOST_TIMES * sum(each.stat().st_size for each in files)
        return needed < shutil.disk_usage(context.folder).free and context.disk.has_room(needed)
    except OSError:
        return False
