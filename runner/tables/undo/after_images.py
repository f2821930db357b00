"""After images: what a write sent, saved next to its row results so that an undo can compare.

The second step of an undo, taken when the write ends: the rows as they were sent, of which an undo
compares those that succeeded. `before_images` comes before it; `compare` reads both. Knows staged
rows and the index of the columns. Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from runner.errors import StateError
from runner.files import PRIVATE_FILE, atomic_write, link_or_copy, sync, unwritable
from runner.parallel import parallel_map
from runner.tables.database import Database
from runner.tables.field_types import FieldKind
from runner.tables.staging.chunk import chunk_json, chunk_of
from runner.tables.staging.local_files import checksum_of, size_of
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.rows import StagedRows
from runner.tables.undo.before_images import write_parquet

UNDO = "undo"
"""Name of the folder in which a task saves what its undo needs."""
_WRITTEN = "written"
_INDEX = "index.json"


class WrittenColumn(Struct, frozen=True):
    """One column that was sent, and the field that it filled."""

    column: str
    """As it was sent: `Name`, `Account.ERP_Id__c`."""
    field: str
    """The object's own field: `Name`, `AccountId`."""
    type: str
    """The field's describe type."""
    scale: int = 0
    parent: str | None = None
    """The parent's object, if the column is a relationship; its values are keys of this object."""
    parent_key: str | None = None
    parent_key_is_number: bool = False
    restorable: bool = True
    """Whether an update may write the field."""

    @property
    def kind(self) -> FieldKind:
        """Kind of the field's values."""
        return FieldKind.of(self.type)


class WrittenIndex(Struct, frozen=True):
    """What the folder contains."""

    columns: tuple[WrittenColumn, ...]
    """In the order of `w0, w1, …`; the Id is not among them."""
    has_before_images: bool
    """Whether earlier values were saved, too."""
    key: str = ""
    """What says which record a row is sent for: `Id`, or the key of an upsert; '' if unknown."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that were sent, each once."""
        return tuple(dict.fromkeys(column.field for column in self.columns))


def save_after_images(staging: StagedRows, folder: Path, index: WrittenIndex) -> None:
    """Save what was sent; replaces what was saved before.

    The files that the rows were sent from are kept, so this takes no time: only an undo reads them.

    Args:
        staging: The rows, which are discarded later.
        folder: The task's undo folder.
        index: What was sent.

    Raises:
        StateError: The files cannot be written.
    """
    written = folder / _WRITTEN
    chunks = [chunk for chunk in staging.chunks if chunk.sendable]
    cells = {each.column.field: _shown(each, index) for each in staging.mappings}
    content = {
        "columns": [asdict(column) for column in index.columns],
        "kept": index.has_before_images,
        "key": index.key,
        "id": next((m.cell for m in staging.mappings if m.column.field.lower() == "id"), "NULL"),
        "cells": [cells[column.column] for column in index.columns],
        "chunks": [chunk_json(chunk) for chunk in chunks],
    }
    try:
        shutil.rmtree(written, ignore_errors=True)
        written.mkdir(parents=True)
        for file in (file for chunk in chunks for file in chunk.files_of_sent):
            _keep(file, written / file.name)
    except OSError as error:
        raise unwritable(written, error) from error
    with atomic_write(folder / _INDEX, PRIVATE_FILE) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")


def _keep(file: Path, to: Path) -> None:
    """Keep a private file under another name, without a copy where the file system can."""
    link_or_copy(file, to)
    to.chmod(PRIVATE_FILE)
    sync(to)


def _shown(mapping: ColumnMapping, index: WrittenIndex) -> str:
    """SQL of what was sent, of a file what the org shows of it."""
    if not mapping.column.is_file:
        return mapping.cell
    field = next((c.field for c in index.columns if c.column == mapping.column.field), "")
    return FILE_FIELDS[field](mapping.cell) if field else "NULL"


FILE_FIELDS = {"Checksum": checksum_of, "BodyLength": size_of}
"""Fields that show what is in a record's file, and SQL of what they hold for a file sent."""


def read_index(folder: Path) -> WrittenIndex | None:
    """Read the index; None if nothing was saved.

    Raises:
        StateError: The index is damaged.
    """
    index = _read(folder)
    if index is None:
        return None
    try:
        columns = tuple(WrittenColumn(**each) for each in index["columns"])
        key = str(index.get("key", ""))
        return WrittenIndex(columns, has_before_images=index["kept"], key=key)
    except (KeyError, TypeError) as error:
        raise StateError(f"{folder / _INDEX} cannot be read: {error}.") from error


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / _INDEX
    if not file.exists():
        return None
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error


def after_image_files(database: Database, folder: Path, work: Path) -> Sequence[Path]:
    """Parquet files of what was sent, `row, w0, w1, …, sent_id`, in which rows are found fast.

    Args:
        database: Converts the rows as they were sent.
        folder: The task's undo folder.
        work: Where to.

    Raises:
        StateError: What was saved cannot be read.
    """
    written = folder / _WRITTEN
    index = _read(folder) or {}
    cells = [f"{cell} AS w{place}" for place, cell in enumerate(index.get("cells", ()))]
    cells.append(f"{index.get('id', 'NULL')} AS sent_id")

    def convert(members: dict[str, Any]) -> Path:
        try:
            chunk = chunk_of(written, members)
            query = f"(SELECT {', '.join(['row', *cells])} FROM {chunk.sent_rows()})"
        except (OSError, KeyError, TypeError) as error:
            raise StateError(f"What was sent cannot be read in {written}: {error}.") from error
        file = work / f"{chunk.stem.name}.parquet"
        write_parquet(database, file, query)
        return file

    # An earlier release saved them as Parquet.
    return [*sorted(written.glob("*.parquet")), *parallel_map(convert, index.get("chunks", ()))]


def before_image_files(folder: Path) -> Sequence[Path]:
    """The files of what records held before."""
    return sorted((folder / "before").glob("*.parquet"))
