"""Before images: what fields held before a write, saved so that an undo can restore it.

The first step of an undo, taken while the write runs with `undo: true`; `after_images` follows,
`compare` reads both. Rows are read in blocks of neighbours; each block is a Parquet file that is
written once, atomically, before any of its rows is sent. An existing block is never read again:
after a crash the records may already hold what the write sent. Knows files and staged rows. Knows
nothing of the org.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from runner.files import PRIVATE_FILE, atomic_write, unwritable
from runner.tables.database import Database, copy_parquet, storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.rows import StagedRows

BLOCK_ROWS = 2_000
"""As many as the org returns in one request."""
READ = "sf__Read"
"""When a record was read; if it was read several times, the first one counts."""


class BeforeImageStore:
    """The before images of one write's records. Threads may share it, but not a block."""

    def __init__(self, staging: StagedRows, folder: Path, key: str, fields: Sequence[str]) -> None:
        """Read nothing yet.

        Args:
            staging: The rows to send, mapped.
            folder: Where the files are; created if missing.
            key: The column that identifies a row's record: `Id`, or the key of an upsert.
            fields: What is saved of a record besides its Id.
        """
        self._staging = staging
        self._folder = folder
        self._columns = ("Id", *fields, READ)
        self._cell = next(m.cell for m in staging.mappings if m.column.field.lower() == key.lower())

    def missing(self, first_row: int, last_row: int) -> Iterator[int]:
        """Blocks of these rows that are not saved yet, both rows included."""
        for block in range((first_row - 1) // BLOCK_ROWS, (last_row - 1) // BLOCK_ROWS + 1):
            if not self.has(block):
                yield block

    def has(self, block: int) -> bool:
        """Whether a block is saved."""
        return self._file(block).exists()

    def keys(self, block: int) -> list[str]:
        """The keys of a block's records, each once; rows that are not sent do not count."""
        first = block * BLOCK_ROWS + 1
        last = first + BLOCK_ROWS - 1
        chunks = [chunk for chunk in self._staging.chunks if chunk.sendable]
        if not any(chunk.first_row <= last and chunk.last_row >= first for chunk in chunks):
            return []
        rows = sent_between(chunks, first, last)
        query = f"SELECT DISTINCT {self._cell} AS key FROM {rows} ORDER BY key"
        with (
            storage_errors("Staged rows cannot be read"),
            self._staging.database.cursor() as cursor,
        ):
            return [key for (key,) in cursor.execute(query).fetchall() if key is not None]

    def save(self, block: int, records: Iterable[Mapping[str, str | None]]) -> None:
        """Save a block; it is on disk when this returns.

        Raises:
            StateError: It cannot be written.
        """
        read = datetime.now(UTC).isoformat()
        rows = ({**record, READ: read} for record in records)
        write_records(self._staging.database, self._file(block), self._columns, rows)

    def _file(self, block: int) -> Path:
        return self._folder / f"before-{block:06}.parquet"


def write_records(
    database: Database,
    file: Path,
    columns: Sequence[str],
    records: Iterable[Mapping[str, str | None]],
) -> None:
    """Write records of text to a private Parquet file, atomically."""
    text = file.with_name(f".{file.stem}.csv")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = ([record.get(name) for name in columns] for record in records)
        write_private_csv(text, rows)
        with storage_errors(f"{file} cannot be written"):
            write = partial(write_parquet, database, file)
            with_rows(text, columns, write, header=False)
    except OSError as error:
        raise unwritable(file, error) from error
    finally:
        text.unlink(missing_ok=True)


def write_private_csv(file: Path, rows: Iterable[Sequence[str | None]]) -> None:
    """Write rows of text as CSV without a header, readable only by its owner."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)


def write_parquet(database: Database, file: Path, relation: str) -> None:
    """Write a relation to a Parquet file readable only by its owner, atomically."""
    with (
        storage_errors(f"{file} cannot be written"),
        atomic_write(file) as beside,
        database.cursor() as cursor,
    ):
        copy_parquet(cursor, f"FROM {relation}", beside)
        beside.chmod(PRIVATE_FILE)
