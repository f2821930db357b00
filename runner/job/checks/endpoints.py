"""Sources and targets: files exist, formats can be read, libraries are installed, places differ."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from glob import iglob
from pathlib import Path

from runner.credentials import SecretReference
from runner.diagnostics import Diagnostic, Location
from runner.job.endpoints import (
    MOST_COLUMNS,
    STAGED,
    STANDARD_STREAM,
    STATE_TABLE,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    FolderTarget,
    SheetArea,
    Source,
    SqlSource,
    TableMode,
    Target,
    TaskSource,
)
from runner.job.model import AnyTask, QueryTask, Verb
from runner.job.notation import FORMATS, IN_MEMORY, format_of, is_pattern
from runner.job.partial_job import (
    PartialJob,
    file_path,
    files_to_read,
    query_targets,
    source_files,
    task_path,
    written_files,
)
from runner.suggest import in_words

_VALUE_KEYS = ("decimal", "numbers", "dates", "datetimes")
_TEXT_KEYS = ("compression", *_VALUE_KEYS, "nulls")
_KEYS = {
    FileFormat.CSV: (
        "delimiter",
        "quote",
        "header",
        "skip_rows",
        "skip_last",
        "encoding",
        *_TEXT_KEYS,
    ),
    FileFormat.JSONL: ("encoding", *_TEXT_KEYS),
    FileFormat.JSON: ("encoding", *_TEXT_KEYS),
    FileFormat.XML: ("record", *_TEXT_KEYS),
    FileFormat.PARQUET: ("nulls",),
    FileFormat.DELTA: ("nulls",),
    FileFormat.EXCEL: ("sheet", "range", "skip_rows", "skip_last", "nulls"),
}
_FORMAT_NAMES = {
    FileFormat.CSV: "CSV",
    FileFormat.JSONL: "JSON Lines",
    FileFormat.JSON: "JSON",
    FileFormat.XML: "XML",
    FileFormat.PARQUET: "Parquet",
    FileFormat.DELTA: "a Delta table",
    FileFormat.EXCEL: "Excel",
}
LibraryFinder = Callable[[Source | Target | SecretReference], tuple[str, str] | None]
"""What is missing, and the command that installs it; None if nothing is missing."""
_ALL_KEYS = ("sheet", "range", "record", *_KEYS[FileFormat.CSV])


def sources(job: PartialJob) -> Iterator[Diagnostic]:
    """Source files that do not exist; those that a query of the job writes may come later."""
    written = written_files(job)
    for task in job.tasks:
        for path, source in files_to_read(job, task):
            is_local = source.url is None and source.path != STANDARD_STREAM
            if is_local and source.path not in written:
                yield from _missing(source, file_path(path, job), job)


def standard_input(job: PartialJob) -> Iterator[Diagnostic]:
    """Sources that read standard input after another one, though it can be read only once."""
    readers = (
        (task, path)
        for task in job.tasks
        for path, source in source_files(task)
        if source.path == STANDARD_STREAM
    )
    first = next(readers, None)
    for _, path in readers:
        message = f"the task `{first[0].name if first else ''}` already reads standard input"
        hint = "standard input can be read only once; put the rows into a file"
        at = file_path(path, job)
        yield job.origin.diagnose(at, "job/stdin-twice", message, help=hint)


def _missing(source: FileSource, path: Location, job: PartialJob) -> Iterator[Diagnostic]:
    file = source.path
    if _mode(file) is None and is_pattern(file):
        if next(iglob(str(file), recursive=True), None) is None:  # noqa: PTH207 - absolute
            message = f"no file matches {_relative(file, job)}"
            hint = f"paths are relative to the job's folder, {job.folder}"
            yield job.origin.diagnose(path, "job/no-source", message, help=hint)
    elif source.shape.format is FileFormat.DELTA:
        if not _is_folder(file):
            message = f"there is no folder {_relative(file, job)}"
            yield job.origin.diagnose(path, "job/no-source", message, help=_why(file, job)[1])
    elif _mode(file) is None:
        message, hint = _why(file, job)
        yield job.origin.diagnose(path, "job/no-source", message, help=hint)
    elif _is_folder(file):
        message = f"{_relative(file, job)} is a folder"
        hint = "name a file in it"
        yield job.origin.diagnose(path, "job/source-is-folder", message, help=hint)
    elif not stat.S_ISREG(_mode(file) or 0):
        message = f"{_relative(file, job)} is a pipe or a device, which can be read only once"
        hint = "name a file, or write `from: -` and pipe the rows into the command"
        yield job.origin.diagnose(path, "job/source-is-no-file", message, help=hint)


def is_here(source: FileSource) -> bool:
    """Whether a source is a file on this machine, or a pattern that matches one."""
    if source.url is not None or source.path == STANDARD_STREAM:
        return False
    mode = _mode(source.path)
    if source.shape.format is FileFormat.DELTA:
        return _is_folder(source.path)
    if mode is not None:
        return stat.S_ISREG(mode)
    is_match = is_pattern(source.path)
    return is_match and next(iglob(str(source.path), recursive=True), None) is not None  # noqa: PTH207


def _why(file: Path, job: PartialJob) -> tuple[str, str]:
    """Why a file is not there, and what to do."""
    from runner.job.missing_file import why_missing  # noqa: PLC0415 - rarely

    return why_missing(file, lambda each: _relative(each, job), job.folder)


def reserved_tables(job: PartialJob) -> Iterator[Diagnostic]:
    """Targets that are called as a table that the runner makes beside a target."""
    for query in job.queries:
        for path, target in query_targets(query):
            if isinstance(target, DatabaseTarget):
                own = target.table.rpartition(".")[2]
                if own.lower() in {STATE_TABLE, STAGED}:
                    message = f"`{own}` is the name of a table that the runner makes for itself"
                    hint = "give the target another name"
                    at = (*path, "table")
                    yield job.origin.diagnose(at, "job/reserved-table", message, help=hint)


def targets(job: PartialJob) -> Iterator[Diagnostic]:
    """Places that are written twice, and files that are already folders."""
    first: dict[Path | DatabaseTarget, AnyTask] = {}
    for task in job.tasks:
        for at, place, target in _places(task):
            path = file_path(at, job)
            if place in first:
                message = f"the task `{first[place].name}` also writes {_name(place, job)}"
                hint = "give each task its own target"
                if first[place] is task:
                    message = f"{_name(place, job)} is written twice"
                    hint = "give each table its own target"
                yield job.origin.diagnose(path, "job/same-target", message, help=hint)
            elif target is not None and isinstance(place, Path):
                yield from _wrong_kind(target, place, path, job)
            first.setdefault(place, task)


def _wrong_kind(
    target: Target, place: Path, path: Location, job: PartialJob
) -> Iterator[Diagnostic]:
    wants_folder = isinstance(target, FolderTarget)
    if _is_folder(place) and not wants_folder:
        message = f"{_relative(place, job)} is a folder"
        yield job.origin.diagnose(path, "job/target-is-folder", message, help="name a file in it")
    elif wants_folder and _mode(place) is not None and not _is_folder(place):
        message = f"{_relative(place, job)} is a file"
        hint = "name a folder; the run creates it"
        yield job.origin.diagnose(path, "job/target-is-file", message, help=hint)


def _places(task: AnyTask) -> Iterator[tuple[Location, Path | DatabaseTarget, Target | None]]:
    """Where the job names a place that a task writes, and the place; None: a write's results."""
    if not isinstance(task, QueryTask):
        if task.results is not None:
            yield task_path(task, "results"), task.results, None
        return
    for path, target in query_targets(task):
        if isinstance(target, FileTarget | FolderTarget):
            yield path, target.path, target
        elif target.mode is TableMode.REPLACE:  # two queries may add to one table
            yield path, target, target


def _name(place: Path | DatabaseTarget, job: PartialJob) -> str:
    if isinstance(place, DatabaseTarget):
        return f"the table {place.table}"
    return "standard output" if place == STANDARD_STREAM else _relative(place, job)


def formats(job: PartialJob) -> Iterator[Diagnostic]:
    """Unknown formats and encodings, and keys that do not apply to the format."""
    for task in job.tasks:
        for path, source in source_files(task):
            yield from _format(source.path, source.shape, path, job)
            yield from _shape(source.shape, path, job)
            if source.shape.format is FileFormat.XML and source.shape.record is None:
                message = "XML needs `record`: the path of the elements that are rows"
                hint = "give the path from the root: record: /root/account"
                at = file_path(path, job)
                yield job.origin.diagnose(at, "job/no-record", message, help=hint)
    for query in job.queries:
        for path, target in query_targets(query):
            if isinstance(target, FileTarget):
                yield from _address(target, path, job)
                yield from _format(target.path, target.shape, path, job)
            if isinstance(target, FileTarget | FolderTarget):
                yield from _shape(target.shape, path, job)


def unused_value_keys(job: PartialJob) -> Iterator[Diagnostic]:
    """Keys that say how values are written where no value is read in that way."""
    for task in job.tasks:
        for path, _ in source_files(task):
            for key in _VALUE_KEYS:
                reason = _no_value(task, path, key) if (*path, key) in job.origin.positions else ""
                if reason:
                    at = (*path, key)
                    message = f"`{key}` has no effect: {reason}"
                    yield job.origin.diagnose(
                        at, "job/unused-key", message, help="remove it", at_key=True
                    )


def _no_value(task: AnyTask, path: Location, key: str) -> str:
    """Why a key is of no use to a task; empty if it is, or may be."""
    if isinstance(task, QueryTask):
        types = _LIST_TYPES[key]
        kind = next(each.type for each in task.lists if each.name == path[-2])
        return "" if kind in types else f"a list of type {kind} has no such values"
    if isinstance(task.source, SqlSource):
        return ""
    if task.verb is Verb.DELETE:
        return "a delete reads only Ids"
    computed = task.fields and not any(_COLUMN.fullmatch(each.expression) for each in task.fields)
    return "every field is computed by an expression, which sees the text" if computed else ""


_NUMBERS, _DAYS = ("integer", "number"), ("date", "datetime")
_LIST_TYPES = {"decimal": _NUMBERS, "numbers": _NUMBERS, "dates": _DAYS, "datetimes": _DAYS}
_COLUMN = re.compile(r'\s*(?:[^\W\d]\w*|"(?:[^"]|"")*")\s*')
"""An expression that is nothing but a column."""


def _address(target: FileTarget, path: Location, job: PartialJob) -> Iterator[Diagnostic]:
    if target.url is not None and target.url.lower().startswith(("http://", "https://")):
        message = "a query cannot write to an http address"
        hint = "write to an object store such as s3://…, or to a file that a later step uploads"
        yield job.origin.diagnose(file_path(path, job), "job/http-target", message, help=hint)
    elif target.url is not None and target.url.lower().startswith(IN_MEMORY):
        message = "the rows would be in memory, and gone with the run"
        hint = "name a file, or an object store such as s3://…"
        yield job.origin.diagnose(file_path(path, job), "job/memory-target", message, help=hint)


def _format(file: Path, shape: FileShape, path: Location, job: PartialJob) -> Iterator[Diagnostic]:
    origin = job.origin
    is_known = (*path, "format") in origin.positions or file == STANDARD_STREAM
    if format_of(file) is None and not is_known and not _is_folder(file):
        message = "the file name has no extension that shows its format"
        if file.suffix:
            message = f"`{file.suffix}` is not the extension of a known format"
        known = in_words(tuple(FORMATS), "or")
        hint = f"use {known}, or write {{file: {file.name}, format: csv}}"
        at = file_path(path, job)
        yield origin.diagnose(at, "job/unknown-format", message, help=hint)
    if shape.record is not None and shape.record.count("/") < _MIN_RECORD_STEPS:
        message = "`record` names only the root element, and a file has just one"
        hint = "add the element below it: /root/account"
        yield origin.diagnose((*path, "record"), "job/no-record", message, help=hint)


_MIN_RECORD_STEPS = 2


def _shape(shape: FileShape, path: Location, job: PartialJob) -> Iterator[Diagnostic]:
    origin = job.origin
    if not _is_encoding(shape.encoding):
        message = f"there is no encoding `{shape.encoding}`"
        hint = "common ones are utf-8, utf-16, iso-8859-1 and windows-1252"
        yield origin.diagnose((*path, "encoding"), "job/unknown-encoding", message, help=hint)
    for key in _ALL_KEYS:
        if key not in _KEYS[shape.format] and (*path, key) in origin.positions:
            message = f"`{key}` does not apply to {_FORMAT_NAMES[shape.format]}"
            code = "job/not-for-format"
            yield origin.diagnose((*path, key), code, message, help="remove it", at_key=True)
    if {(*path, "decimal"), (*path, "numbers")} <= origin.positions.keys():
        message = "`decimal` and `numbers` both say how numbers are written"
        hint = "put `decimal` into `numbers`"
        yield origin.diagnose((*path, "decimal"), "job/contradiction", message, help=hint)
    if shape.thousands == shape.decimal:
        message = f"`{shape.decimal}` cannot be both the decimal mark and the thousands separator"
        hint = 'choose two characters, such as {thousands: ".", decimal: ","}'
        at = (*path, "numbers", "thousands")
        yield origin.diagnose(at, "job/contradiction", message, help=hint)
    yield from _area(shape.area, path, job)
    if _is_ambiguous(shape):
        message = "the delimiter and the quote are the same character"
        hint = "choose another delimiter"
        yield origin.diagnose((*path, "delimiter"), "job/same-delimiter", message, help=hint)


def _area(area: SheetArea, path: Location, job: PartialJob) -> Iterator[Diagnostic]:
    at = (*path, "range")
    if area.last_column >= MOST_COLUMNS:
        message = "the range ends beyond XFD, the last column of a sheet"
        yield job.origin.diagnose(at, "job/bad-value", message, help="name a column before it")
    elif area.first_column > area.last_column or area.first_row > (area.last_row or area.first_row):
        message = "the range ends before it begins"
        hint = "name its upper left cell first, as in B3:H"
        yield job.origin.diagnose(at, "job/bad-value", message, help=hint)
    if {at, (*path, "skip_rows")} <= job.origin.positions.keys():
        message = "`range` and `skip_rows` both say where the header is"
        hint = "begin the range at the row of the header, as in B3:H"
        at = (*path, "skip_rows")
        yield job.origin.diagnose(at, "job/contradiction", message, help=hint, at_key=True)


def is_readable(shape: FileShape) -> bool:
    """Whether a file of this shape can be read at all; if not, the shape is a problem itself."""
    return _is_encoding(shape.encoding) and not _is_ambiguous(shape)


def _is_ambiguous(shape: FileShape) -> bool:
    return shape.format is FileFormat.CSV and shape.delimiter == shape.quote


def _is_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        " ".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _relative(file: Path, job: PartialJob) -> str:
    """The path as the job would write it."""
    return str(file.relative_to(job.folder)) if file.is_relative_to(job.folder) else str(file)


def _is_folder(file: Path) -> bool:
    return stat.S_ISDIR(_mode(file) or 0)


def _mode(file: Path) -> int | None:
    """Mode of a file; None if it does not exist or is not visible."""
    try:
        return file.stat().st_mode
    except (OSError, ValueError):
        return None


def libraries(job: PartialJob, finder: LibraryFinder | None) -> Iterator[Diagnostic]:
    """A problem for each source, target and token whose library is missing."""
    if finder is None:
        return
    places = [
        *(found for task in job.writes for found in source_files(task)),
        *((task_path(task, "from"), task.source) for task in job.writes),
        *(found for query in job.queries for found in query_targets(query)),
    ]
    for path, endpoint in places:
        found = None if _needs_no_library(endpoint) else finder(endpoint)
        if found is not None:
            yield job.origin.diagnose(path, "job/missing-library", found[0], help=found[1])
    token = job.connection.token if job.connection else None
    found = finder(token) if token else None
    if found is not None:
        path = (*job.connection_path, "token")
        yield job.connection_origin.diagnose(path, "job/missing-library", found[0], help=found[1])


def _needs_no_library(endpoint: Source | Target) -> bool:
    if isinstance(endpoint, FileSource | FileTarget):
        formats = (FileFormat.EXCEL, FileFormat.DELTA)
        return endpoint.url is None and endpoint.shape.format not in formats
    return isinstance(endpoint, SqlSource | TaskSource)
