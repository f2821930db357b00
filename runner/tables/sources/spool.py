"""Rows of any format as plain CSV on this machine, which is what the rest reads.

Knows how rows are put down and read again. Knows nothing of where they come from.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from runner.errors import SourceError
from runner.tables.disk import UNBOUNDED, Disk, Metered
from runner.tables.sources.chunks import utf8_blocks
from runner.tables.sources.csv import PLAIN_CSV, Records, check_header


def spool_records(
    path: Path,
    records: Iterable[Mapping[str, object]],
    cell: Callable[[object], str],
    to: Path,
    disk: Disk = UNBOUNDED,
) -> Records:
    """Put down records that name their columns: all names, in the order they are first met.

    Raises:
        SourceError: Two names that differ in nothing but letter case, or no name at all.
        StorageError: The rows take more of the disk than they may.
    """
    places: dict[str, int] = {}
    rows = 0
    with to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(Metered(out, disk), lineterminator="\n", quoting=csv.QUOTE_ALL)
        for record in records:
            rows += 1
            for key in record:
                places.setdefault(key, len(places))
            # A line of its own even for a record without values: an empty line is no row.
            writer.writerow([cell(record.get(key)) for key in places] or [""])
    if rows and not places:
        raise SourceError(
            f"{path}: none of its {rows:,} records has a value.",
            hint="Check `record` or the file: each record names its columns.",
        )
    check_header(path, tuple(places))
    return spooled(path, tuple(places), to, ragged=True)


def spool_rows(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Iterable[str]],
    to: Path,
    disk: Disk = UNBOUNDED,
) -> Records:
    """Put down rows that all have the same columns.

    Raises:
        SourceError: A column without a name, or of the same name as another.
        StorageError: The rows take more of the disk than they may.
    """
    check_header(path, tuple(columns))
    with to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(Metered(out, disk), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(rows)
    return spooled(path, tuple(columns), to)


def spooled(path: Path, columns: tuple[str, ...], file: Path, *, ragged: bool = False) -> Records:
    """Read again what has been put down without a header."""
    digest = hashlib.sha256()
    blocks = utf8_blocks(file, "utf-8", digest)
    return Records(path, columns, PLAIN_CSV, blocks, digest, ragged=ragged)
