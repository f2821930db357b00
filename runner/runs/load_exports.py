"""Folders that SFDMU exports to: export.json, and a CSV file for each of its objects.

Knows what of export.json says which rows there are. Knows no org.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from runner.errors import SourceError
from runner.runs.load_rows import FileRow, FileRows, csv_rows, line_of, read_json

_LOADED = ("insert", "upsert")
_FOUND = "readonly"
_FROM = re.compile(r"\bFROM\s+(\w+)", re.IGNORECASE)
_SHARED_FILE = "UserAndGroup.csv"
_PREFIXES = {"User": "005", "Group": "00G"}
_SETUP = frozenset({*_PREFIXES, "RecordType", "Profile"})
"""Objects that SFDMU reads by itself; their files may be missing."""
_KEYS = {"RecordType": "DeveloperName"}
_NO_DELIMITERS = '"\r\n'
_CHANGING = ("useFieldMapping", "useValuesMapping", "updateWithMockData")
"""Settings by which SFDMU would write other values than those of the files."""


def export_rows(file: Path) -> FileRows:
    """The rows of the CSV files of an export.

    Objects to read only are found in the org by their `externalId`; others are created.

    Raises:
        SourceError: export.json or a CSV file cannot be read, or an operation cannot be loaded.
    """
    text, found = read_json(file)
    settings = found if isinstance(found, Mapping) else {}
    delimiter = _delimiter(file, text, settings)
    rows: list[FileRow] = []
    ignored: list[str] = []
    for entry in _objects(file, settings):
        if entry.get("excluded") is True:
            continue
        name = _name(file, entry)
        operation = str(entry.get("operation") or "Upsert")
        if operation.lower() not in (*_LOADED, _FOUND):
            line = line_of(text, "operation", operation) or 1
            raise SourceError(
                f"{file}:{line}: the operation {operation} of {name} cannot be loaded.",
                hint="Only Insert, Upsert and Readonly can.",
            )
        ignored += [f"{each} of {name}" for each in _CHANGING if entry.get(each) is True]
        keys: tuple[str, ...] | None = None
        if operation.lower() == _FOUND and name not in _PREFIXES:
            given = entry.get("externalId") or _KEYS.get(name, "Name")
            keys = tuple(str(given).split(";"))
        of_object = _rows(file.parent, name, delimiter)
        rows += [replace(row, found_by=keys) for row in of_object]
    return FileRows(tuple(rows), tuple(ignored))


def _delimiter(file: Path, text: str, settings: Mapping[str, object]) -> str | None:
    for key in ("csvFileDelimiter", "csvReadFileDelimiter"):
        if given := settings.get(key):
            delimiter = str(given)
            if len(delimiter) == 1 and delimiter not in _NO_DELIMITERS:
                return delimiter
            line = line_of(text, key, delimiter) or 1
            raise SourceError(
                f"{file}:{line}: {json.dumps(delimiter)} cannot separate columns.",
                hint=f"`{key}` is one character, such as a comma; leave it out to have it found.",
            )
    return None


def _objects(file: Path, settings: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    sets = settings.get("objectSets")
    wholes = [settings, *(sets if isinstance(sets, list) else ())]
    lists = [each.get("objects") for each in wholes if isinstance(each, Mapping)]
    entries = [entry for each in lists if isinstance(each, list) for entry in each]
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        raise SourceError(
            f"{file} names no objects.",
            hint='It has {"objects": [{"query": …, "operation": …, "externalId": …}]}.',
        )
    yield from entries


def _name(file: Path, entry: Mapping[str, object]) -> str:
    found = _FROM.search(str(entry.get("query", "")))
    name = entry.get("name") or (found[1] if found else None)
    if not isinstance(name, str):
        raise SourceError(
            f"{file}: an object has no `query`.", hint='Write "query": "SELECT Id FROM Account".'
        )
    return name


def _rows(folder: Path, name: str, delimiter: str | None) -> Iterator[FileRow]:
    file = folder / f"{name}.csv"
    if file.exists():
        if file.stat().st_size:
            yield from csv_rows(file, name, delimiter)
        return
    shared = folder / _SHARED_FILE
    if name in _PREFIXES and shared.exists():
        for row in csv_rows(shared, name, delimiter):
            if str(row.ref).startswith(_PREFIXES[name]):
                yield row
        return
    if name not in _SETUP:
        raise SourceError(
            f"{file} is missing.", hint=f"Export it again, or exclude {name} in export.json."
        )
