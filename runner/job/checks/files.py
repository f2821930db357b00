"""Places that a job names: sources exist, no two tasks write the same one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from glob import iglob
from pathlib import Path

from runner.diagnostics import Diagnostic, Location
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseTarget,
    FileSource,
    FileTarget,
    FolderTarget,
    Target,
)
from runner.job.model import AnyTask, QueryTask
from runner.job.notation import is_pattern
from runner.job.partial_job import Draft, query_targets, source_files, task_path, written_files
from runner.suggest import closest


def sources(draft: Draft) -> Iterator[Diagnostic]:
    """Source files that are not there; those that a query of the job writes may come later."""
    written = written_files(draft)
    for task in draft.writes:
        for path, source in source_files(task):
            is_here = source.url is None and source.path != STANDARD_STREAM
            if is_here and source.path not in written:
                yield from _absent(source, file_path(path, draft), draft)


def standard_input(draft: Draft) -> Iterator[Diagnostic]:
    """Sources that read standard input after another has: it can be read once."""
    readers = (
        (task, path)
        for task in draft.writes
        for path, source in source_files(task)
        if source.path == STANDARD_STREAM
    )
    first = next(readers, None)
    for _, path in readers:
        message = f"the task `{first[0].name if first else ''}` reads standard input already"
        hint = "standard input can be read once: put its rows into a file"
        at = file_path(path, draft)
        yield draft.origin.diagnose(at, "job/stdin-twice", message, help=hint)


def _absent(source: FileSource, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    file = source.path
    if mode(file) is None and is_pattern(file):
        if next(iglob(str(file), recursive=True), None) is None:  # noqa: PTH207 - absolute
            message = f"no file is like {relative(file, draft)}"
            hint = f"paths start at the job's folder, {draft.folder}"
            yield draft.origin.diagnose(path, "job/no-source", message, help=hint)
    elif mode(file) is None:
        message = f"there is no file {relative(file, draft)}"
        yield draft.origin.diagnose(path, "job/no-source", message, help=_neighbour(file, draft))
    elif is_folder(file):
        message = f"{relative(file, draft)} is a folder"
        hint = "name a file in it"
        yield draft.origin.diagnose(path, "job/source-is-folder", message, help=hint)


def _neighbour(file: Path, draft: Draft) -> str:
    """A file of almost that name beside it, or what to check."""
    try:
        near = closest(file.name, os.listdir(file.parent))  # noqa: PTH208 - names are enough
    except (OSError, ValueError):
        return f"there is no folder {relative(file.parent, draft)}; paths start at the job's own"
    if near:
        return f"did you mean `{relative(file.parent / near, draft)}`?"
    return f"paths start at the job's folder, {draft.folder}"


def targets(draft: Draft) -> Iterator[Diagnostic]:
    """Places that two tasks would write, and files that are folders already."""
    first: dict[Path | DatabaseTarget, AnyTask] = {}
    for task in draft.tasks:
        for at, place, target in _places(task):
            path = file_path(at, draft)
            if place in first:
                message = f"the task `{first[place].name}` writes {_named(place, draft)} too"
                hint = "give each task a place of its own"
                if first[place] is task:
                    message = f"{_named(place, draft)} is written twice"
                    hint = "give each table a place of its own"
                yield draft.origin.diagnose(path, "job/same-target", message, help=hint)
            elif target is not None and isinstance(place, Path):
                yield from _wrong_kind(target, place, path, draft)
            first.setdefault(place, task)


def _wrong_kind(target: Target, place: Path, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    wants_folder = isinstance(target, FolderTarget)
    if is_folder(place) and not wants_folder:
        message = f"{relative(place, draft)} is a folder"
        yield draft.origin.diagnose(path, "job/target-is-folder", message, help="name a file in it")
    elif wants_folder and mode(place) is not None and not is_folder(place):
        message = f"{relative(place, draft)} is a file"
        hint = "name a folder, which the run makes"
        yield draft.origin.diagnose(path, "job/target-is-file", message, help=hint)


def _places(task: AnyTask) -> Iterator[tuple[Location, Path | DatabaseTarget, Target | None]]:
    """Where the job says that a task writes, and the place; None: a write's results."""
    if not isinstance(task, QueryTask):
        if task.results is not None:
            yield task_path(task, "results"), task.results, None
        return
    for path, target in query_targets(task):
        if isinstance(target, FileTarget | FolderTarget):
            yield path, target.path, target
        elif target.mode != "append":  # two queries may add their rows to one table
            yield path, target, target


def _named(place: Path | DatabaseTarget, draft: Draft) -> str:
    if isinstance(place, DatabaseTarget):
        return f"the table {place.table}"
    return "standard output" if place == STANDARD_STREAM else relative(place, draft)


def file_path(path: Location, draft: Draft) -> Location:
    """Where a file's name stands: by itself, or under `file` or `folder`."""
    inner = ((*path, key) for key in ("file", "folder"))
    return next((each for each in inner if each in draft.origin.positions), path)


def relative(file: Path, draft: Draft) -> str:
    """The path as the job would write it."""
    return str(file.relative_to(draft.folder)) if file.is_relative_to(draft.folder) else str(file)


def is_folder(file: Path) -> bool:
    """Whether there is a folder."""
    return stat.S_ISDIR(mode(file) or 0)


def mode(file: Path) -> int | None:
    """Mode of a file; None where there is none that can be seen."""
    try:
        return file.stat().st_mode
    except (OSError, ValueError):
        return None
