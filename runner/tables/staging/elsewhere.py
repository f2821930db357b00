"""Rows of a source that other processes read and map, a partition each; put together here.

What becomes of a row depends on nothing but the row, so the rows are those that one process would
have staged: only the chunks they are in are cut elsewhere. Numbers of rows are given here, where
the partitions come in their order. Knows partitions and chunks. Knows nothing of where the others
are.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from runner.files import link_or_copy
from runner.job.choices import Blank
from runner.job.endpoints import DatabaseSource, FileShape
from runner.tables.duckdb import version as duckdb_version
from runner.tables.field_types import MappedColumn
from runner.tables.sources.chunks import Digest, file_blocks
from runner.tables.sources.csv import Records
from runner.tables.sources.open import AnySource, describe_partitions
from runner.tables.sources.parquet import read_partition
from runner.tables.sources.partitions import AnyPartition, Partition, check_same, digest_of
from runner.tables.staging.chunk import chunk_json, chunk_of

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

MOST_CHUNKS = 10_000
"""Of a partition: 40 GB."""
_PARTITIONS = 4
"""Of the fewest rows that are worth being staged elsewhere."""
_FEWEST = 2


class NotStagedError(Exception):
    """Others could not stage the rows; the text says why. Never leaves this package."""


class StagingOrder(Struct, frozen=True):
    """A partition to stage, and how: everything that another process has to know."""

    number: int
    """Of the partition, in its source."""
    partition: AnyPartition
    sha256: str
    """Of its bytes, if it is of a file."""
    columns: tuple[MappedColumn, ...]
    """What to send."""
    source_columns: tuple[str, ...]
    """The source's; a file of it may have them in another order."""
    shape: FileShape
    written: dict[str, tuple[FileShape, ...]]
    """Columns whose values are not written as `shape` says."""
    blank: Blank
    timezone: str
    engine: str
    """Version of DuckDB: hashes of keys are to be compared, and texts to be equal."""


class StagedPartition(Struct, frozen=True):
    """The chunks of a partition, and the files that they are in."""

    chunks: tuple[dict[str, Any], ...] = ()
    files: tuple[str, ...] = ()
    linked: tuple[int, ...] = ()
    """Places of chunks whose rows are sent as they are read, from one file."""
    spooled: str = ""
    """The file of the rows as they were read, if not the chunks have them."""
    blank_rows: int = 0
    """Rows that were left out because they have no value."""


class Stager(Protocol):
    """Others who stage partitions."""

    least_rows: int
    """What is worth it."""

    def stage(self, orders: Iterator[StagingOrder], folder: Path) -> Generator[StagedPartition]:
        """Have partitions staged.

        Args:
            orders: What to stage; drawn as the others become free.
            folder: Where the files of each partition are once it is given.

        Returns:
            The partitions, in their order.

        Raises:
            NotStagedError: One could not be staged.
        """


class Elsewhere(Struct):
    """A source whose rows others stage, if they can."""

    source: AnySource
    stager: Stager
    opened: tuple[Records, ...]
    """Its files, with their partitions."""
    until: ExitStack
    """Closed once the rows are staged: a connection that keeps the moment of a query."""
    notes: tuple[str, ...] = ()

    def gather(self, staging: StagedRows, columns: Sequence[MappedColumn]) -> bool:
        """Have the rows staged, and put them into a staging.

        Args:
            staging: Where they belong; its mappings are known.
            columns: What to send.

        Returns:
            False if others could not do it; the reason is noted.

        Raises:
            SourceError: A file has changed since its footer was read.
            StorageError: The run uses more disk space than it may.
        """
        starts: list[tuple[int, Path]] = []
        digests: list[str] = []
        orders = _orders(staging, self.opened, columns)
        try:
            with self.until, closing(self.stager.stage(orders, staging.folder)) as staged:
                for records in self.opened:
                    starts.append((staging.rows_total + 1, records.path))
                    digest = hashlib.sha256()
                    for _ in records.partitions:
                        _take(staging, next(staged), digest)
                    digests.append(digest.hexdigest())
        except NotStagedError as error:
            self.notes = (f"one worker read and mapped all rows: {error}",)
            staging.chunks, staging.blank_rows = (), 0
            for file in (*staging.folder.glob("chunk-*"), *staging.folder.glob("keys-*")):
                file.unlink()
            return False
        staging.note_files(starts, digests)
        return True


def elsewhere(source: AnySource, stager: Stager) -> Elsewhere | None:
    """Find the partitions of a source; None if others need not stage them.

    Raises:
        SourceError: As `open_source`.
    """
    most_rows = max(1, stager.least_rows // _PARTITIONS)
    with ExitStack() as until:
        if isinstance(source, DatabaseSource):
            from runner.tables.sources.table_partitions import describe_table

            opened = describe_table(source, most_rows, until)
        else:
            opened = describe_partitions(source, most_rows)
        found = [each for records in opened for each in records.partitions]
        rows = sum(each.rows for each in found)
        if len(found) < _FEWEST or rows < max(stager.least_rows, len(found) * most_rows // 5):
            return None
        return Elsewhere(source, stager, opened, until.pop_all())


def stage_here(order: StagingOrder, folder: Path) -> StagedPartition:
    """Stage a partition for another process.

    Args:
        order: What.
        folder: Where the files go; it is empty.

    Raises:
        NotStagedError: This machine has other rows under that name, or another DuckDB.
        RunnerError: They cannot be read, mapped or stored.
    """
    from runner.tables.staging.rows import StagedRows

    if order.engine != duckdb_version:
        raise NotStagedError(f"it has DuckDB {duckdb_version} instead of {order.engine}")
    staging = StagedRows(folder)
    try:
        spool = folder / "partition.csv"
        records = replace(_read_partition(order, spool), shape=order.shape, written=order.written)
        head = replace(records, columns=order.source_columns, blocks=iter(()))
        staging.load_opened((head, records), order.number * MOST_CHUNKS)
        staging.map(order.columns, blank=order.blank, timezone=order.timezone)
    finally:
        staging.database.close()
    chunks = staging.chunks
    if len(chunks) > MOST_CHUNKS:
        raise NotStagedError("a partition is too large")
    linked = [at for at, chunk in enumerate(chunks) if chunk.is_sent_as_read]
    for at in linked:
        chunks[at].sent_file.unlink()
    files = [file for chunk in chunks for file in chunk.files if file.exists()]
    files += sorted(folder.glob("keys-*"))
    is_read = sum(chunk.read_file.stat().st_size for chunk in chunks) == spool.stat().st_size
    is_exact = is_read and not staging.blank_rows
    names = [file.name for file in (*files, *([] if is_exact else [spool]))]
    return StagedPartition(
        chunks=tuple(map(chunk_json, chunks)),
        files=tuple(names),
        linked=tuple(linked),
        spooled="" if is_exact else spool.name,
        blank_rows=staging.blank_rows,
    )


def _read_partition(order: StagingOrder, spool: Path) -> Records:
    partition = order.partition
    if not isinstance(partition, Partition):
        from runner.tables.sources.table_partitions import read_table_partition

        records = read_table_partition(partition, spool)
        if records.written:  # how the column is mapped depends on whether there is one
            raise NotStagedError("the query has numbers such as NaN")
        return records
    name = partition.file.name
    if digest_of(partition) != order.sha256:
        raise NotStagedError(f"its {name} is another one")
    records = read_partition(partition, spool)
    if digest_of(partition) != order.sha256:
        raise NotStagedError(f"its {name} has changed meanwhile")
    return records


def _take(staging: StagedRows, staged: StagedPartition, digest: Digest) -> None:
    """Add a partition, whose files are there, to the rows before it."""
    folder, row, chunks = staging.folder, staging.rows_total + 1, []
    for place, members in enumerate(staged.chunks):
        chunk = replace(chunk_of(folder, members), first_row=row)
        if place in staged.linked:
            link_or_copy(chunk.read_file, chunk.sent_file)
        if not staged.spooled:
            _read(chunk.read_file, digest)
        staging.disk.add(chunk.dialect.longest_row_bytes + chunk.sent_bytes)
        chunks.append(chunk)
        row += chunk.rows
    staging.chunks += tuple(chunks)
    staging.blank_rows += staged.blank_rows
    if staged.spooled:
        _read(folder / staged.spooled, digest)
        (folder / staged.spooled).unlink()


def _read(file: Path, digest: Digest) -> None:
    deque(file_blocks(file, digest=digest), maxlen=0)


def _orders(
    staging: StagedRows, opened: Sequence[Records], columns: Sequence[MappedColumn]
) -> Iterator[StagingOrder]:
    number = 0
    for records in opened:
        for partition in records.partitions:
            sha256 = ""
            if isinstance(partition, Partition):
                check_same(partition)
                sha256 = digest_of(partition)
                check_same(partition)
            yield StagingOrder(
                number,
                partition,
                sha256,
                tuple(columns),
                staging.source_columns,
                records.shape,
                dict(records.written),
                staging.blank,
                staging.timezone,
                duckdb_version,
            )
            number += 1
