"""Snapshots: staged rows that outlive the process, since a source may not be there again.

A file is replaced by the next export, standard input is read once, a database changes, `now()`
moves on. Knows the files of chunks, and an index, which is written last and has their checksums.
Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from runner.errors import StateError
from runner.files import atomic_write, checksum_of, unwritable
from runner.parallel import parallel_map
from runner.tables.field_types import MappedColumn
from runner.tables.staging.chunk import RowChunk, chunk_json, chunk_of
from runner.tables.staging.rows import StagedRows

_INDEX = "index.json"


class Snapshot(Struct, frozen=True):
    """The staged rows of an earlier process."""

    columns: tuple[str, ...]
    """Of the source."""
    source_sha256: str
    chunks: tuple[RowChunk, ...]
    files: tuple[tuple[int, str], ...] = ()
    sha256: str = ""
    """See `StagedFiles`; blank for one that an older release saved."""

    def restore(
        self, staging: StagedRows, columns: Sequence[MappedColumn], *, timezone: str
    ) -> None:
        """Put the rows into a new staging, as they were.

        Args:
            staging: Nothing was loaded into it.
            columns: What was mapped.
            timezone: As for `StagedRows.map`.
        """
        staging.restore(columns, self.columns, self.chunks, timezone=timezone)
        staging.files = self.files
        staging.source_sha256 = self.source_sha256


class StagedFiles(Struct, frozen=True):
    """The files of staged rows, as they are."""

    checksums: Mapping[str, str]
    """By name."""
    sha256: str
    """Of all that there is to know of the rows: they are the same where this is."""


class DamagedRowsError(StateError):
    """Staged rows that an earlier process saved are no longer what they were."""


def staged_files(staging: StagedRows) -> StagedFiles:
    """Read the files of staged rows.

    Raises:
        StateError: One cannot be read.
    """
    checksums = _checksums(file for chunk in staging.chunks for file in chunk.files)
    return StagedFiles(checksums, _digest(_described(staging), checksums))


def save_snapshot(
    staging: StagedRows,
    folder: Path,
    files: StagedFiles,
    add: Callable[[], Iterable[Path]] = tuple,
) -> None:
    """Move the staged rows into a folder that outlives the process; they are on disk on return.

    Args:
        staging: The rows.
        folder: Where to.
        files: Those of the rows.
        add: Puts more files into the folder, once the rows are there.

    Raises:
        StateError: They cannot be saved.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for chunk in staging.chunks:
            chunk.sync()
            for file in chunk.files:
                file.replace(folder / file.name)
    except OSError as error:
        raise unwritable(folder, error) from error
    staging.chunks = tuple(chunk.moved(folder) for chunk in staging.chunks)
    others = _checksums(add())
    index = {**_described(staging), "checksums": files.checksums, "others": others}
    with atomic_write(folder / _INDEX) as beside:
        beside.write_text(json.dumps(index), encoding="utf-8")


def read_snapshot(folder: Path) -> Snapshot | None:
    """Read what an earlier process saved; None if it saved nothing completely.

    Raises:
        DamagedRowsError: A file is missing, or is not as it was saved.
    """
    file = folder / _INDEX
    if not file.exists():
        return None
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        checksums, others = index.pop("checksums", None), index.pop("others", {})
        digest = "" if checksums is None else _digest(index, checksums)
        chunks = tuple(chunk_of(folder, each) for each in index["slabs"])
        files = tuple((row, name) for row, name in index.get("files", ()))
        found = Snapshot(tuple(index["columns"]), index["source_sha256"], chunks, files, digest)
        saved = dict(checksums or {}, **others)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRowsError(f"{file} cannot be read: {error}.") from error
    for name, checksum in saved.items():
        _check(folder / name, checksum)
    return found


def _described(staging: StagedRows) -> dict[str, object]:
    """All that the index has, except for what its files contain."""
    return {
        "columns": staging.source_columns,
        "source_sha256": staging.source_sha256,
        "slabs": [chunk_json(chunk) for chunk in staging.chunks],
        "files": staging.files,
    }


def _digest(described: Mapping[str, object], checksums: Mapping[str, str]) -> str:
    text = json.dumps([described, checksums], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _checksums(files: Iterable[Path]) -> dict[str, str]:
    """By name; one file with two names, such as rows that are sent as they were read, once."""
    places = {file: _place(file) for file in files}
    distinct = {place: file for file, place in places.items()}
    found = dict(zip(distinct, parallel_map(_checksum, distinct.values()), strict=True))
    return {file.name: found[place] for file, place in places.items()}


def _place(file: Path) -> int:
    try:
        return file.stat().st_ino
    except OSError as error:
        raise _unreadable(file, error) from error


def _checksum(file: Path) -> str:
    try:
        return checksum_of(file)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> DamagedRowsError:
    return DamagedRowsError(f"{file} cannot be read: {error.strerror or error}.")


def _check(file: Path, saved: str) -> None:
    if not file.exists():
        raise DamagedRowsError(f"{file} is missing.")
    found = _checksum(file)
    if found == saved:
        return
    has, had = (int(each.partition("-")[0]) for each in (found, saved))
    what = f"has {has:,} bytes instead of {had:,}" if has != had else "has other content"
    raise DamagedRowsError(f"{file} {what} than when it was saved.")
