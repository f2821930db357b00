"""Files that a job names: sources exist, formats are known, no two tasks write the same place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics import Diagnostic, Location
from runner.job.draft import Draft, task_path
from runner.job.model import AnyTask, FileFormat, FileShape, FileSource, QueryTask
from runner.job.suggest import closest, in_words
from runner.job.written import FORMATS, format_of


def sources(draft: Draft) -> Iterator[Diagnostic]:
    """Source files that are not there; those that a query of the job writes may come later."""
    written = {query.target.path for query in draft.queries if query.target}
    for task in draft.writes:
        if isinstance(task.source, FileSource) and task.source.path not in written:
            path = _file_path(task_path(task, "from"), draft)
            yield from _absent(task.source.path, path, draft)


def _absent(file: Path, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    if _mode(file) is None:
        message = f"there is no file {_relative(file, draft)}"
        yield draft.origin.diagnose(path, "job/no-source", message, help=_neighbour(file, draft))
    elif _is_folder(file):
        message = f"{_relative(file, draft)} is a folder"
        hint = "name a file in it"
        yield draft.origin.diagnose(path, "job/source-is-folder", message, help=hint)


def _neighbour(file: Path, draft: Draft) -> str:
    """A file of almost that name beside it, or what to check."""
    try:
        near = closest(file.name, os.listdir(file.parent))  # noqa: PTH208 - names are enough
    except (OSError, ValueError):
        return f"there is no folder {_relative(file.parent, draft)}; paths start at the job's own"
    if near:
        return f"did you mean `{_relative(file.parent / near, draft)}`?"
    return f"paths start at the job's folder, {draft.folder}"


def targets(draft: Draft) -> Iterator[Diagnostic]:
    """Files and folders that two tasks would write, and files that are folders already."""
    first: dict[Path, AnyTask] = {}
    for task in draft.tasks:
        key, place = _place(task)
        if place is None:
            continue
        path = _file_path(task_path(task, key), draft)
        earlier = first.setdefault(place, task)
        if earlier is not task:
            message = f"the task `{earlier.name}` writes {_relative(place, draft)} too"
            hint = "give each task a place of its own"
            yield draft.origin.diagnose(path, "job/same-target", message, help=hint)
        elif isinstance(task, QueryTask):
            yield from _folder(place, path, draft)


def _folder(place: Path, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    if _is_folder(place):
        message = f"{_relative(place, draft)} is a folder"
        yield draft.origin.diagnose(path, "job/target-is-folder", message, help="name a file in it")


def _place(task: AnyTask) -> tuple[str, Path | None]:
    """Key and place of what a task writes on this machine."""
    if isinstance(task, QueryTask):
        return "to", task.target.path if task.target else None
    return "results", task.results


def shapes(draft: Draft) -> Iterator[Diagnostic]:
    """Formats, encodings and delimiters that nothing can be read or written with."""
    for task in draft.writes:
        if isinstance(task.source, FileSource):
            path = task_path(task, "from")
            yield from _shape(task.source.path, task.source.shape, path, draft)
    for query in draft.queries:
        if query.target:
            path = task_path(query, "to")
            yield from _shape(query.target.path, query.target.shape, path, draft)


def _shape(file: Path, shape: FileShape, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    origin = draft.origin
    is_told = (*path, "format") in origin.positions or _is_folder(file)
    if format_of(file) is None and not is_told:
        ending = f"the ending `{file.suffix}`" if file.suffix else "a name without an ending"
        message = f"{ending} does not say how rows stand in the file"
        known = in_words(tuple(FORMATS), "or")
        hint = f"end it in {known}, or write {{file: {file.name}, format: csv}}"
        at = _file_path(path, draft)
        yield origin.diagnose(at, "job/unknown-format", message, help=hint)
    if not _is_encoding(shape.encoding):
        message = f"there is no encoding `{shape.encoding}`"
        hint = "utf-8, utf-16, iso-8859-1 and windows-1252 are common ones"
        yield origin.diagnose((*path, "encoding"), "job/unknown-encoding", message, help=hint)
    if shape.format is FileFormat.JSONL:
        for key in ("delimiter", "quote"):
            if (*path, key) in origin.positions:
                message = f"JSON Lines have no `{key}`"
                at = (*path, key)
                yield origin.diagnose(at, "job/not-csv", message, help="leave it out", at_key=True)
    elif shape.delimiter == shape.quote:
        message = "the delimiter and the quote are the same character"
        hint = "choose another delimiter"
        yield origin.diagnose((*path, "delimiter"), "job/same-delimiter", message, help=hint)


def _is_encoding(name: str) -> bool:
    try:
        " ".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _file_path(path: Location, draft: Draft) -> Location:
    """Where the file's name stands: by itself, or under `file`."""
    inner = (*path, "file")
    return inner if inner in draft.origin.positions else path


def _relative(file: Path, draft: Draft) -> str:
    """The path as the job would write it."""
    return str(file.relative_to(draft.folder)) if file.is_relative_to(draft.folder) else str(file)


def _is_folder(file: Path) -> bool:
    return stat.S_ISDIR(_mode(file) or 0)


def _mode(file: Path) -> int | None:
    """Mode of a file; None where there is none that can be seen."""
    try:
        return file.stat().st_mode
    except (OSError, ValueError):
        return None
