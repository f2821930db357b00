"""Builds sources and targets from plain values that are valid by the schema.

Pure but for the folder that paths are relative to. Knows files, databases and other tasks. Knows
nothing of what is read or written there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.credentials import SecretReference
from runner.job import notation
from runner.job.endpoints import (
    STANDARD_STREAM,
    Compression,
    DatabaseSource,
    DatabaseTarget,
    Deletes,
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    FolderTarget,
    Keeping,
    SchemaChanges,
    Source,
    SqlSource,
    Table,
    TableMode,
    Target,
    TaskRows,
    TaskSource,
)

Values = Mapping[str, Any]


def source(value: str | Values, folder: Path) -> Source:
    """Build what a task reads."""
    if isinstance(value, Mapping) and "database" in value:
        return DatabaseSource(reference(value["database"]), value["sql"], nulls=_nulls(value))
    if isinstance(value, Mapping) and "sql" in value:
        tables = (Table(name, rows(each, folder)) for name, each in value["tables"].items())
        return SqlSource(value["sql"], tuple(tables))
    return rows(value, folder)


def rows(value: str | Values, folder: Path) -> FileSource | TaskSource:
    """Build a source that is a file or another task."""
    if isinstance(value, Mapping) and "task" in value:
        wanted = value.get("rows")
        return TaskSource(value["task"], TaskRows(wanted) if wanted else None)
    return FileSource(*_file(value, folder))


def target(value: str | Values, folder: Path, *, deleted: bool = False) -> Target:
    """Build a target; `deleted` tells whether deleted records are among its rows."""
    if isinstance(value, str):
        return FileTarget(*_file(value, folder))
    mode = TableMode(value.get("mode", TableMode.REPLACE))
    keeping = _keeping(value, is_merge=mode is TableMode.MERGE, deleted=deleted)
    if "file" in value:
        return FileTarget(*_file(value, folder), mode, keeping)
    if "database" in value:
        return DatabaseTarget(reference(value["database"]), value["table"], mode, keeping)
    path = notation.path_from(value["folder"], folder)
    split = value.get("split")
    return FolderTarget(
        path,
        _shape(value, path),
        tuple(value.get("partition_by", ())),
        notation.size_bytes(split) if split else None,
        mode,
        keeping,
    )


def _keeping(value: Values, *, is_merge: bool, deleted: bool) -> Keeping:
    return Keeping(
        value.get("key") if is_merge else None,
        Deletes(value.get("deletes", Deletes.REMOVE)) if is_merge and deleted else None,
        SchemaChanges(value.get("schema", SchemaChanges.EVOLVE)),
    )


def _file(value: str | Values, folder: Path) -> tuple[Path, FileShape, str | None]:
    values: Values = {"file": value} if isinstance(value, str) else value
    text = values["file"] if "file" in values else values["folder"]
    if notation.is_url(text):
        path = Path(text.partition("?")[0])
        return path, _shape(values, path), text
    path = STANDARD_STREAM if text == "-" else notation.path_from(text, folder)
    return path, _shape(values, path), None


def _shape(values: Values, path: Path) -> FileShape:
    declared, packed = values.get("format"), values.get("compression")
    form = FileFormat(declared) if declared else notation.format_of(path) or FileFormat.CSV
    numbers = values.get("numbers", values)  # `decimal` alone is short for `numbers`
    return FileShape(
        form,
        notation.delimiter(values.get("delimiter"), path),
        values.get("encoding", "utf-8"),
        values.get("quote", '"'),
        Compression(packed) if packed else notation.compression_of(path),
        tuple(values.get("header", ())),
        values.get("sheet"),
        notation.sheet_area(values.get("range", "")),
        values.get("record"),
        numbers.get("decimal", "."),
        values.get("dates"),
        values.get("datetimes"),
        numbers.get("thousands"),
        numbers.get("strip", ""),
        _nulls(values),
        values.get("skip_rows", 0),
        values.get("skip_last", 0),
        _undeclared(form, values, path),
    )


def _nulls(values: Values) -> tuple[str, ...]:
    """Values that mean a blank; YAML reads NULL without quotes as nothing."""
    written = values.get("nulls", ())
    words = ("NULL", "Null", "null") if None in written else ()
    return (*(str(each) for each in written if each is not None), *words)


def _undeclared(form: FileFormat, values: Values, path: Path) -> frozenset[str]:
    """What to find out from a text file itself; the delimiter of a `.tsv` is known."""
    if form in {FileFormat.JSON, FileFormat.JSONL}:
        return frozenset({"encoding"} - {*values})
    if form is not FileFormat.CSV:
        return frozenset()
    known = {*values, *(["delimiter"] if notation.delimiter(None, path) != "," else [])}
    return frozenset({"delimiter", "encoding"} - known)


def reference(values: Values) -> SecretReference:
    """Build a reference to a secret in a variable or from a command."""
    if "env" in values:
        return SecretReference(env=values["env"])
    return SecretReference(command=tuple(values["command"]))
