"""Spools rows of any format as plain CSV, the form that every source is read in.

Knows how rows are written and read back. Knows nothing of where they come from.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from runner.errors import SourceError
from runner.tables.disk import UNBOUNDED, Disk, Metered
from runner.tables.sources.chunks import file_blocks
from runner.tables.sources.csv import PLAIN_CSV, RESULT_PREFIX, Records
from runner.tables.sources.header import check_header


def spool_records(
    path: Path,
    records: Iterable[Mapping[str, object]],
    cell: Callable[[object], str],
    to: Path,
    disk: Disk = UNBOUNDED,
) -> Records:
    """Write records that name their columns; the columns are all names, in order of appearance.

    Raises:
        SourceError: Two names differ only in letter case, or no record has a value.
        StorageError: The run uses more disk space than it may.
    """
    places: dict[str, int] = {}
    valued: set[str] = set()
    rows = 0
    with to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(Metered(out, disk), lineterminator="\n", quoting=csv.QUOTE_ALL)
        for record in records:
            rows += 1
            for key in record:
                places.setdefault(key, len(places))
            valued.update(key for key, value in record.items() if value is not None)
            # A record without values gets a quoted blank: an empty line is not a row.
            writer.writerow([cell(record.get(key)) for key in places] or [""])
    if rows and not places:
        raise SourceError(
            f"{path}: none of its {rows:,} records has a value.",
            hint="Check `record` or the file: each record names its columns.",
        )
    columns = hide_null_parents(places, valued)
    return spooled(path, check_header(path, columns), to, ragged=True)


def hide_null_parents(names: Iterable[str], valued: Collection[str]) -> tuple[str, ...]:
    """Name the columns that are null where a record has no parent so that they are not mapped.

    In `{"Account": null}`, Account is not a column if other records have `Account.Name`.

    Args:
        names: Of all columns.
        valued: Those that have a value in any record.
    """
    return tuple(
        f"{RESULT_PREFIX}{name}"
        if name not in valued and any(each.startswith(f"{name}.") for each in valued)
        else name
        for name in names
    )


def spool_rows(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Iterable[str]],
    to: Path,
    disk: Disk = UNBOUNDED,
) -> Records:
    """Write rows that all have the same columns.

    Raises:
        SourceError: A column has no name, or the name of another.
        StorageError: The run uses more disk space than it may.
    """
    names = check_header(path, columns)
    with to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(Metered(out, disk), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(rows)
    return spooled(path, names, to)


def spooled(path: Path, columns: tuple[str, ...], file: Path, *, ragged: bool = False) -> Records:
    """Read back rows that were written without a header."""
    digest = hashlib.sha256()
    blocks = file_blocks(file, digest=digest)
    return Records(path, columns, PLAIN_CSV, blocks, digest, ragged=ragged)
