"""After images: what a write sent, saved next to its row results so that an undo can compare.

The second step of an undo, taken when the write ends: the values of each row that succeeded.
`before_images` comes before it; `compare` reads both. Knows staged rows, outcomes, and the index of
the columns. Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import StateError
from runner.files import PRIVATE_FILE, atomic_write
from runner.outcome import RowStatus
from runner.parallel import parallel_map
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.rows import StagedRows
from runner.tables.undo.before_images import write_parquet

UNDO = "undo"
"""Name of the folder in which a task saves what its undo needs."""
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class WrittenColumn:
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


@dataclass(frozen=True, slots=True)
class WrittenIndex:
    """What the folder contains."""

    columns: tuple[WrittenColumn, ...]
    """In the order of `w0, w1, …`; the Id is not among them."""
    has_before_images: bool
    """Whether earlier values were saved, too."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that were sent, each once."""
        return tuple(dict.fromkeys(column.field for column in self.columns))


def save_after_images(
    staging: StagedRows, folder: Path, index: WrittenIndex, *, created_only: bool
) -> None:
    """Save what was sent in the rows that succeeded; replaces what was saved before.

    Args:
        staging: Its outcomes are complete.
        folder: The task's undo folder.
        index: What was sent.
        created_only: Leave out rows that changed an existing record.

    Raises:
        StateError: The files cannot be written.
    """
    shutil.rmtree(folder / "written", ignore_errors=True)
    cells = {mapping.column.field: mapping.cell for mapping in staging.mappings}
    sent = [f"{cells[each.column]} AS w{place}" for place, each in enumerate(index.columns)]
    only = " AND created IS NOT FALSE" if created_only else ""

    def save_chunk(chunk: RowChunk) -> None:
        rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
        succeeded = f"status = {literal(RowStatus.SUCCEEDED)}{only}"
        query = (
            f"SELECT s.row AS row, {', '.join(sent) or 'NULL AS nothing'}"
            f" FROM {chunk.sent_rows()} s"
            f" JOIN (FROM outcome WHERE {rows} AND {succeeded}) o ON s.row = o.row"
        )
        file = folder / "written" / f"{chunk.stem.name}.parquet"
        write_parquet(staging.database, file, f"({query})")

    for _ in parallel_map(save_chunk, [chunk for chunk in staging.chunks if chunk.sendable]):
        pass
    columns = [asdict(column) for column in index.columns]
    content = json.dumps({"columns": columns, "kept": index.has_before_images})
    with atomic_write(folder / _INDEX) as beside:
        beside.chmod(PRIVATE_FILE)
        beside.write_text(content, encoding="utf-8")


def read_index(folder: Path) -> WrittenIndex | None:
    """Read the index; None if nothing was saved.

    Raises:
        StateError: The index is damaged.
    """
    file = folder / _INDEX
    if not file.exists():
        return None
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        columns = tuple(WrittenColumn(**each) for each in index["columns"])
        return WrittenIndex(columns, has_before_images=index["kept"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error


def after_image_files(folder: Path) -> Sequence[Path]:
    """The files of what was sent."""
    return sorted((folder / "written").glob("*.parquet"))


def before_image_files(folder: Path) -> Sequence[Path]:
    """The files of what records held before."""
    return sorted((folder / "before").glob("*.parquet"))
