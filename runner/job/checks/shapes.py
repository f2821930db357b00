"""How files are to be read and written: formats are known, and each key is one of its format."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from runner.diagnostics import Diagnostic, Location
from runner.job.checks.files import file_path, is_folder
from runner.job.endpoints import (
    STANDARD_STREAM,
    FileFormat,
    FileShape,
    FileTarget,
    FolderTarget,
)
from runner.job.notation import FORMATS, format_of
from runner.job.partial_job import Draft, query_targets, source_files
from runner.suggest import in_words

_PACKED_TEXT = ("encoding", "compression", "decimal", "dates", "datetimes")
_KEYS = {
    FileFormat.CSV: ("delimiter", "quote", "header", *_PACKED_TEXT),
    FileFormat.JSONL: _PACKED_TEXT,
    FileFormat.JSON: _PACKED_TEXT,
    FileFormat.XML: ("record", "compression", "decimal", "dates", "datetimes"),
    FileFormat.PARQUET: (),
    FileFormat.EXCEL: ("sheet",),
}
_WORDS = {
    FileFormat.CSV: "CSV has",
    FileFormat.JSONL: "JSON Lines have",
    FileFormat.JSON: "JSON has",
    FileFormat.XML: "XML, which tells its encoding itself, has",
    FileFormat.PARQUET: "Parquet, which is packed and typed by itself, has",
    FileFormat.EXCEL: "Excel has",
}
_ALL_KEYS = ("sheet", "record", *_KEYS[FileFormat.CSV])


def check(draft: Draft) -> Iterator[Diagnostic]:
    """Formats, encodings and keys that nothing can be read or written with."""
    for task in draft.writes:
        for path, source in source_files(task):
            yield from _known(source.path, source.shape, path, draft)
            yield from _shape(source.shape, path, draft)
            if source.shape.format is FileFormat.XML and source.shape.record is None:
                message = "XML needs `record`: the path of the elements that are rows"
                hint = "write it with the root first: record: /root/account"
                at = file_path(path, draft)
                yield draft.origin.diagnose(at, "job/no-record", message, help=hint)
    for path, target in chain.from_iterable(map(query_targets, draft.queries)):
        if isinstance(target, FileTarget):
            yield from _known(target.path, target.shape, path, draft)
        if isinstance(target, FileTarget | FolderTarget):
            yield from _shape(target.shape, path, draft)


def _known(file: Path, shape: FileShape, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    origin = draft.origin
    is_told = (*path, "format") in origin.positions or file == STANDARD_STREAM or is_folder(file)
    if format_of(file) is None and not is_told:
        ending = f"the ending `{file.suffix}`" if file.suffix else "a name without an ending"
        message = f"{ending} does not say how rows stand in the file"
        known = in_words(tuple(FORMATS), "or")
        hint = f"end it in {known}, or write {{file: {file.name}, format: csv}}"
        at = file_path(path, draft)
        yield origin.diagnose(at, "job/unknown-format", message, help=hint)
    if shape.record is not None and shape.record.count("/") < _LEAST_STEPS:
        message = "the root element alone cannot be the record: there is one of it"
        hint = "write the element below it too: /root/account"
        yield origin.diagnose((*path, "record"), "job/no-record", message, help=hint)


_LEAST_STEPS = 2


def _shape(shape: FileShape, path: Location, draft: Draft) -> Iterator[Diagnostic]:
    origin = draft.origin
    if not _is_encoding(shape.encoding):
        message = f"there is no encoding `{shape.encoding}`"
        hint = "utf-8, utf-16, iso-8859-1 and windows-1252 are common ones"
        yield origin.diagnose((*path, "encoding"), "job/unknown-encoding", message, help=hint)
    for key in _ALL_KEYS:
        if key not in _KEYS[shape.format] and (*path, key) in origin.positions:
            message = f"{_WORDS[shape.format]} no `{key}`"
            code = "job/not-for-format"
            yield origin.diagnose((*path, key), code, message, help="leave it out", at_key=True)
    if shape.format is FileFormat.CSV and shape.delimiter == shape.quote:
        message = "the delimiter and the quote are the same character"
        hint = "choose another delimiter"
        yield origin.diagnose((*path, "delimiter"), "job/same-delimiter", message, help=hint)


def _is_encoding(name: str) -> bool:
    try:
        " ".encode(name)
    except (LookupError, ValueError):
        return False
    return True
