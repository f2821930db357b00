"""Fetches the files that a query selects into a folder; its rows then have their paths.

Knows which records have files and what the org says of them. Knows nothing of pages or of how a
table is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.engine.context import Context
from runner.errors import RunnerError, UsageError
from runner.files import atomic_write
from runner.job.model import QueryTask
from runner.parallel import WorkerPool
from runner.salesforce.rest.blobs import BlobFacts, BlobPlace, download_blob
from runner.salesforce.rest.retrieve import read_by_id
from runner.salesforce.versions import Feature, require
from runner.tables.targets.file_names import file_name
from runner.tables.targets.rest_pages import key_of
from runner.tables.targets.rest_rows import QueryColumn

_DOWNLOADS = 8
"""At once."""
_FACTS = ("PathOnClient", "Name", "Title", "FileExtension", "Type", "Checksum")
_SIZES = ("ContentSize", "BodyLength")
"""Fields that say what a file is called, and what is in it; each object has some."""


class _Wanted(Struct, frozen=True):
    """One file to fetch."""

    place: BlobPlace
    name: str
    facts: BlobFacts


class QueryFiles:
    """The files of one query.

    Attributes:
        count: How many are in the folder.
    """

    def __init__(self, task: QueryTask, context: Context, columns: Sequence[QueryColumn]) -> None:
        """Prepare to fetch.

        Raises:
            UsageError: The query selects no field that holds a file.
        """
        require(context.version, Feature.COLLECTIONS, f"`files` of task {task.name!r}")
        self._blobs = [column.path for column in columns if column.is_blob]
        if not self._blobs:
            raise UsageError(
                f"The query of task {task.name!r} selects no field that holds a file.",
                hint="Add one, such as VersionData of ContentVersion, or remove `files`.",
            )
        self._context = context
        self._folder = task.files or context.job.folder
        self._table_folder = context.job.table_folder(task)
        self.count = 0

    def fetch(self, records: Iterable[dict[str, Any]], done: Callable[[int], None]) -> None:
        """Fetch the files of some records, and put their paths into the records.

        Args:
            records: As the org sent them.
            done: Called after each file, with how many there are.

        Raises:
            OrgError: A file cannot be fetched, or arrives damaged.
            StorageError: It cannot be written.
        """
        cells = [
            cell for record in records for path in self._blobs if (cell := _cell(record, path))
        ]
        places = {value: BlobPlace.read(value) for value in {each[key] for each, key in cells}}
        wanted = {each.place.path: each for each in self._described(list(places.values()))}
        with WorkerPool(self._fetch, _DOWNLOADS) as pool:
            try:
                for _, fetched in pool.run(wanted.values()):
                    fetched.result()
                    self.count += 1
                    done(self.count)
            except RunnerError:
                pool.drain()  # the others leave whole files, or none
                raise
        for holder, key in cells:
            name = wanted[places[holder[key]].path].name
            holder[key] = self._shown(self._folder / name)

    def _described(self, places: Sequence[BlobPlace]) -> list[_Wanted]:
        """The files to fetch, with what the org says of each."""
        found: list[_Wanted] = []
        for sobject in {each.sobject for each in places}:
            described = self._context.describes.of(sobject)
            fields = [name for name in (*_FACTS, *_SIZES) if described.field(name)]
            ids = [each.record_id for each in places if each.sobject == sobject]
            records = read_by_id(self._context.session, sobject, ids, fields)
            said = {str(record["Id"])[:15]: record for record in records}
            found += [
                _wanted(each, said.get(each.record_id[:15], {}))
                for each in places
                if each.sobject == sobject
            ]
        return found

    def _fetch(self, wanted: _Wanted) -> None:
        file = self._folder / wanted.name
        if wanted.facts.md5 and _md5(file) == wanted.facts.md5.lower():
            return  # an earlier run has fetched it
        with atomic_write(file) as beside:
            download_blob(self._context.session, wanted.place, wanted.facts, beside)

    def _shown(self, file: Path) -> str:
        """A file's path as the table has it: from the table's folder."""
        return Path(os.path.relpath(file, self._table_folder)).as_posix()


def _cell(record: dict[str, Any], path: Sequence[str]) -> tuple[dict[str, Any], str] | None:
    """The object that has a value, and its key; None if there is no value."""
    holder: Any = record
    for step in path[:-1]:
        key = key_of(holder, step) if isinstance(holder, Mapping) else None
        holder = holder[key] if key else None
    key = key_of(holder, path[-1]) if isinstance(holder, dict) else None
    return (holder, key) if key and isinstance(holder[key], str) else None


def _wanted(place: BlobPlace, said: Mapping[str, str | None]) -> _Wanted:
    name = said.get("PathOnClient") or said.get("Name") or said.get("Title") or ""
    extension = said.get("FileExtension") or said.get("Type")
    if extension and not name.lower().endswith(f".{extension.lower()}"):
        name = f"{name}.{extension}"
    size = next((int(text) for each in _SIZES if (text := said.get(each))), None)
    return _Wanted(place, file_name(place.record_id, name), BlobFacts(size, said.get("Checksum")))


def _md5(file: Path) -> str | None:
    """The MD5 of an existing file; None if it does not exist."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    except OSError:
        return None
    return digest.hexdigest()
