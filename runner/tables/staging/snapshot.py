"""Snapshots: staged rows that outlive the process, since a source may not be there again.

A file is replaced by the next export, standard input is read once, a database changes, `now()`
moves on. Knows the files of chunks, and an index, which is written last. Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from runner.errors import StateError
from runner.files import atomic_write, unwritable
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


def save_snapshot(staging: StagedRows, folder: Path) -> None:
    """Move the staged rows into a folder that outlives the process; they are on disk on return.

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
    index = {
        "columns": staging.source_columns,
        "source_sha256": staging.source_sha256,
        "slabs": [chunk_json(chunk) for chunk in staging.chunks],
        "files": staging.files,
    }
    with atomic_write(folder / _INDEX) as beside:
        beside.write_text(json.dumps(index), encoding="utf-8")


def read_snapshot(folder: Path) -> Snapshot | None:
    """Read what an earlier process saved; None if it saved nothing completely.

    Raises:
        StateError: The index is damaged.
    """
    file = folder / _INDEX
    if not file.exists():
        return None
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        chunks = tuple(chunk_of(folder, each) for each in index["slabs"])
        files = tuple((row, name) for row, name in index.get("files", ()))
        return Snapshot(tuple(index["columns"]), index["source_sha256"], chunks, files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error
