"""Staged rows that outlive the process, where reading the source again would give others.

Standard input is read once, a database moves on, `now()` is another moment. Knows the files of
slabs, and an index, which is written last. Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.errors import StateError
from runner.files import atomic_write, sync, unwritable
from runner.job.endpoints import STANDARD_STREAM, FileSource
from runner.job.model import Blank
from runner.tables.field_types import MappedColumn
from runner.tables.sources.csv import RowsSource
from runner.tables.sources.open import AnySource
from runner.tables.sql import CsvDialect
from runner.tables.staging.chunk import Slab
from runner.tables.staging.expressions import is_steady
from runner.tables.staging.rows import StagedRows

_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of kept rows before they are taken back."""

    folder: Path
    columns: tuple[str, ...]
    """Of the source."""
    source_sha256: str
    slabs: tuple[Slab, ...]
    files: tuple[tuple[int, str], ...] = ()

    def restore(
        self, staging: StagedRows, columns: Sequence[MappedColumn], *, blank: Blank, timezone: str
    ) -> None:
        """Put the rows into a new staging, as they were.

        Args:
            staging: Nothing was loaded into it.
            columns: What was mapped.
            blank: What an empty value does to its field.
            timezone: As for `StagedRows.map`.
        """
        staging.restore(columns, self.columns, self.slabs, blank=blank, timezone=timezone)
        staging.files = self.files
        staging.source_sha256 = self.source_sha256


def must_save(source: AnySource, columns: Sequence[MappedColumn], header: Sequence[str]) -> bool:
    """Whether the source, or what is made of it, will be another when it is read again."""
    expressions = [column.expression for column in columns if column.expression is not None]
    if not all(is_steady(each, header) for each in expressions):
        return True
    if isinstance(source, RowsSource):
        return False
    if not isinstance(source, FileSource):
        return True
    return source.path == STANDARD_STREAM or source.url is not None


def save_snapshot(staging: StagedRows, folder: Path) -> None:
    """Put the staged rows where they outlive the staging; they are there once this returns.

    Raises:
        StateError: They cannot be put there.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for slab in staging.slabs:
            for file in slab.files:
                sync(file)
                file.replace(folder / file.name)
    except OSError as error:
        raise unwritable(folder, error) from error
    staging.slabs = tuple(slab.moved(folder) for slab in staging.slabs)
    told = {
        "columns": staging.source_columns,
        "source_sha256": staging.source_sha256,
        "slabs": [asdict(slab) | {"stem": slab.stem.name} for slab in staging.slabs],
        "files": staging.files,
    }
    with atomic_write(folder / _INDEX) as beside:
        beside.write_text(json.dumps(told), encoding="utf-8")


def read_snapshot(folder: Path) -> Snapshot | None:
    """What an earlier process kept; None where it kept nothing whole.

    Raises:
        StateError: The index is damaged.
    """
    index = folder / _INDEX
    if not index.exists():
        return None
    try:
        told = json.loads(index.read_text(encoding="utf-8"))
        slabs = tuple(_slab(folder, each) for each in told["slabs"])
        files = tuple((row, file) for row, file in told.get("files", ()))
        return Snapshot(folder, tuple(told["columns"]), told["source_sha256"], slabs, files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{index} cannot be read: {error}.") from error


def _slab(folder: Path, told: dict[str, Any]) -> Slab:
    reading = told["reading"] | {"columns": tuple(told["reading"]["columns"])}
    return Slab(**told | {"stem": folder / told["stem"], "reading": CsvDialect(**reading)})
