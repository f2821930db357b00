"""Pieces of a source that can be read by themselves, by another machine too: consecutive rows.

Which bytes a piece was made of is known by a digest, for another machine may have another file
under the same path. Knows files, places in them, and queries. Knows nothing of what the rows hold.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from runner.credentials import SecretReference
from runner.files import Stamp
from runner.tables.unchanged import check_unchanged, unreadable

_BLOCK_BYTES = 1 << 20
_ENDING_BYTES = 8
"""Of a Parquet file: the size of its footer, and its mark."""


class Partition(Struct, frozen=True, tag="file"):
    """Row groups of a Parquet file that follow one another."""

    file: Path
    first: int
    """How many rows of the file come before it."""
    rows: int
    start: int
    """Where its bytes begin in the file."""
    end: int
    stamp: Stamp
    """Of the file, when its footer was read."""


class TablePartition(Struct, frozen=True, tag="table"):
    """Rows of a query of one table of PostgreSQL that are in pages which follow one another."""

    url: SecretReference
    sql: str
    """The query, of these pages only."""
    snapshot: str
    """The moment of which the rows are."""
    rows: int
    """About."""


AnyPartition = Partition | TablePartition


def digest_of(partition: Partition) -> str:
    """The digest of a partition's bytes, and of the file's footer, which says how to read them.

    Raises:
        SourceError: They cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with partition.file.open("rb") as stream:
            stream.seek(partition.start)
            _add(digest, stream, partition.end - partition.start)
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _ENDING_BYTES))
            footer = int.from_bytes(stream.read(4), "little") + _ENDING_BYTES
            stream.seek(max(0, size - footer))
            _add(digest, stream, footer)
    except OSError as error:
        raise unreadable(partition.file, error) from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, stream: BinaryIO, count: int) -> None:
    while count > 0 and (block := stream.read(min(count, _BLOCK_BYTES))):
        digest.update(block)
        count -= len(block)


def check_same(partition: Partition) -> None:
    """Refuse a file that has changed since its footer was read.

    Raises:
        SourceError: It has, or is not there any more.
    """
    check_unchanged(partition.file, partition.stamp)
