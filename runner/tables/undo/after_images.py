"""What a write wrote, kept beside its row results so that an undo can compare.

For each row that the org took: its record's Id, and the values that were sent. Knows staged rows,
outcomes and the index that says which column is which. Knows nothing of the org.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import StateError
from runner.files import atomic_write
from runner.outcome import RowStatus
from runner.parallel import parallel_map
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.rows import StagedRows
from runner.tables.undo.before_images import PRIVATE_FILE, write_parquet

UNDO = "undo"
"""Folder of a task with what its undo needs."""
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
    """Object whose key the values are, where the column is a relationship."""
    parent_key: str | None = None
    parent_key_is_number: bool = False
    restorable: bool = True
    """Whether an update may write the field."""

    @property
    def kind(self) -> FieldKind:
        """How the field's values are written."""
        return FieldKind.of(self.type)


@dataclass(frozen=True, slots=True)
class WrittenIndex:
    """What stands in the folder."""

    columns: tuple[WrittenColumn, ...]
    """In the order of `w0, w1, …`; the Id is not among them."""
    has_before_images: bool
    """Whether earlier values were kept."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that were filled, each once."""
        return tuple(dict.fromkeys(column.field for column in self.columns))


def save_after_images(
    staging: StagedRows, folder: Path, index: WrittenIndex, *, created_only: bool
) -> None:
    """Write down what became of the rows that the org took; replaces what was there.

    Args:
        staging: With its outcomes gathered.
        folder: Of the task's undo.
        index: What was sent.
        created_only: Leave out rows that changed a record that was there before.

    Raises:
        StateError: The files cannot be written.
    """
    shutil.rmtree(folder / "written", ignore_errors=True)
    cells = {plan.column.field: plan.cell for plan in staging.mappings}
    sent = [f"{cells[each.column]} AS w{place}" for place, each in enumerate(index.columns)]
    only = " AND created IS NOT FALSE" if created_only else ""

    def written(chunk: RowChunk) -> None:
        known = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
        taken = f"status = {literal(RowStatus.SUCCEEDED)}{only}"
        query = (
            f"SELECT s.row AS row, {', '.join(sent) or 'NULL AS nothing'}"
            f" FROM {chunk.sent_rows()} s"
            f" JOIN (FROM outcome WHERE {known} AND {taken}) o ON s.row = o.row"
        )
        write_parquet(
            staging.database, f"({query})", folder / "written" / f"{chunk.stem.name}.parquet"
        )

    for _ in parallel_map(written, [each for each in staging.chunks if each.sendable]):
        pass
    columns = [asdict(column) for column in index.columns]
    content = json.dumps({"columns": columns, "kept": index.has_before_images})
    with atomic_write(folder / _INDEX) as beside:
        beside.chmod(PRIVATE_FILE)
        beside.write_text(content, encoding="utf-8")


def read_index(folder: Path) -> WrittenIndex | None:
    """What was written down; None where nothing was.

    Raises:
        StateError: The index is damaged.
    """
    file = folder / _INDEX
    if not file.exists():
        return None
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return WrittenIndex(tuple(WrittenColumn(**each) for each in told["columns"]), told["kept"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{file} cannot be read: {error}.") from error


def written_files(folder: Path) -> Sequence[Path]:
    """The files with what was sent."""
    return sorted((folder / "written").glob("*.parquet"))


def earlier_files(folder: Path) -> Sequence[Path]:
    """The files with what was there before."""
    return sorted((folder / "before").glob("*.parquet"))
