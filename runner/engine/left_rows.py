"""Rows that a finished task has left for another one of the run.

A resume may come to the other one days later, and somebody may have changed or deleted the files
meanwhile: with half of a mirror's missing records, or with rows twice, it would do something else,
and nobody would notice. Knows which files are read by which task. Knows nothing of what is in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.engine.context import Context
from runner.engine.mirror import missing_file
from runner.errors import StorageError
from runner.files import atomic_text, checksum_of
from runner.job.endpoints import MissingSource, TaskRows, TaskSource
from runner.job.model import AnyTask, WriteTask
from runner.job.order import sources_of
from runner.tables.staging.record_lookup import unmanaged_file

_INDEX = "left.json"


def note_left_rows(task: AnyTask, context: Context) -> None:
    """Record what the files of a finished task contain that others are going to read.

    Raises:
        StorageError: That cannot be written.
    """
    folder = context.task_folder(task)
    found: dict[str, str] = {}
    for other in context.job.tasks:
        for file in _files_for(other, context):
            if file.parent == folder:
                with suppress(OSError):  # it is not there, or its reader says what is wrong
                    found[file.name] = checksum_of(file)
    if found:
        atomic_text(folder / _INDEX, json.dumps(found))


def check_left_rows(task: AnyTask, context: Context) -> None:
    """Check that files which an earlier process has left for a task are as it left them.

    Raises:
        StorageError: They are not.
    """
    if context.past is None or (isinstance(task, WriteTask) and context.has_begun(task)):
        return  # its own rows are kept
    for file in _files_for(task, context):
        try:
            left = json.loads((file.parent / _INDEX).read_text(encoding="utf-8")).get(file.name)
            same = left is None or (file.exists() and checksum_of(file) == left)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, AttributeError) as error:
            raise _changed(task, file.parent / _INDEX, context) from error
        if not same:
            raise _changed(task, file, context)


def _changed(task: AnyTask, file: Path, context: Context) -> StorageError:
    return StorageError(
        f"{file}, which task {task.name!r} reads, is not as an earlier task of the run left it.",
        hint="Somebody has changed or deleted it. Put it back, then `runner resume "
        f"{context.run_id}`; or abandon the run, which sends nothing: `runner resume "
        f"{context.run_id} --abandon`.",
    )


def _files_for(task: AnyTask, context: Context) -> Iterator[Path]:
    """The files of other tasks that a task reads."""
    for each in sources_of(task):
        yield context.rows_file(each)
    if isinstance(task, WriteTask) and isinstance(task.source, MissingSource):
        missing = missing_file(context, task.source)
        yield missing
        yield unmanaged_file(missing)
        yield context.rows_file(TaskSource(task.source.task, TaskRows.SUCCEEDED))
