"""Finds the files of a project that say how its objects are made, in both layouts.

Source format: `objects/Account/fields/X__c.field-meta.xml`. Metadata format:
`objects/Account.object` with all in it. Knows names of files. Knows nothing of what is in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from runner.diagnostics import Diagnostic, Position
from runner.errors import JobError, UsageError

PROJECT_FILE = "sfdx-project.json"
_TYPES = {
    "object": "CustomObject",
    "field": "CustomField",
    "recordType": "RecordType",
    "validationRule": "ValidationRule",
    "globalValueSet": "GlobalValueSet",
    "standardValueSet": "StandardValueSet",
}
"""By the suffix of the file."""
_OF_OBJECTS = frozenset({"CustomField", "RecordType", "ValidationRule"})
_SKIPPED = frozenset({"node_modules"})
_NAMESPACE_TOKEN = "___NAMESPACE___"  # noqa: S105 - no secret


class MetadataFile(Struct, frozen=True):
    """One file, by its name."""

    path: Path
    type: str
    name: str
    sobject: str | None = None
    """Of the object's parts in source format."""


class Packages(Struct, frozen=True):
    """The folders of a project that have metadata."""

    folders: tuple[Path, ...]
    api_version: str = ""


def packages_of(folder: Path) -> Packages:
    """The package directories of a project, or the folder itself if it is not the project's own.

    Raises:
        UsageError: There is no such folder.
        JobError: The project's file is wrong, or a package directory is missing.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UsageError(
            f"{folder} {what}.",
            hint="Name the folder of a Salesforce DX project, or one with its metadata.",
        )
    file = folder / PROJECT_FILE
    if not file.is_file():
        return Packages((folder,))
    declared = _project(file)
    listed = declared.get("packageDirectories")
    paths = (
        [each.get("path") for each in listed or () if isinstance(each, dict)]
        if isinstance(listed, list)
        else []
    )
    if not paths or not all(isinstance(each, str) and each for each in paths):
        raise _wrong(file, "packageDirectories must list folders, each with its `path`")
    folders = []
    for each in paths:
        package = folder / str(each)
        if not package.resolve().is_relative_to(folder.resolve()):
            raise _wrong(file, f"the package directory {each} is outside the project")
        if not package.is_dir():
            raise _wrong(file, f"the package directory {each} does not exist")
        folders.append(package)
    version = declared.get("sourceApiVersion")
    return Packages(tuple(folders), version if isinstance(version, str) else "")


def metadata_files(folder: Path) -> Iterator[MetadataFile]:
    """The files below a folder, sorted; hidden folders and links to folders are skipped.

    Raises:
        JobError: A folder cannot be read.
    """
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(e for e in folders if not e.startswith(".") and e not in _SKIPPED)
        for name in sorted(names):
            found = _named(Path(place) / name)
            if found is not None:
                yield found


def _unreadable(error: OSError) -> NoReturn:
    words = f"the folder cannot be read: {error.strerror or error}"
    raise JobError((Diagnostic("metadata/unreadable", words, Path(error.filename)),)) from error


def _named(file: Path) -> MetadataFile | None:
    name, _, suffix = (
        file.name.removesuffix("-meta.xml").replace(_NAMESPACE_TOKEN, "").rpartition(".")
    )
    kind = _TYPES.get(suffix)
    if kind is None or not name or (file.exists() and not file.is_file()):
        return None
    if kind not in _OF_OBJECTS:
        return MetadataFile(file, kind, name)
    sobject = file.absolute().parent.parent.name.replace(_NAMESPACE_TOKEN, "")
    return MetadataFile(file, kind, name, sobject)


def _project(file: Path) -> Mapping[str, object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        at = Position(error.lineno, error.colno, error.colno + 1)
        raise _wrong(file, f"not JSON: {error.msg}", at) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(file, f"the file cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise _wrong(file, "the file must have an object with `packageDirectories`")
    return found


def _wrong(file: Path, what: str, at: Position | None = None) -> JobError:
    return JobError((Diagnostic("metadata/project", what, file, at),))
