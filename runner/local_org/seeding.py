"""Seeds: records of CSV files that an org file loads into a new org.

Knows the `seed` section: sObjects and files, in the order of the org file, so parents come first.
A store is seeded only once. Columns are those of a Bulk upload. Knows no HTTP.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from runner.local_org.bootstrap import completed_user
from runner.local_org.catalog.model import SObject
from runner.local_org.org import Org
from runner.local_org.records import WriteCall, column_of, write

_BATCH_ROWS = 10_000
_MOST_CHARACTERS = 131_072


class SeedError(ValueError):
    """A seed that cannot be loaded; no seed was saved."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        """Line of the file, from 1, where the row ends."""
        self.message = message


def load_seeds(org: Org, base: Path) -> int:
    """Load the declared seeds into an org that was never seeded; returns the number of records.

    `base` is the folder of the org file; paths are relative to it.

    Raises:
        SeedError: a file that cannot be read, or a row that the org refuses.
    """
    seeds = org.declared.get("seed")
    if not isinstance(seeds, Mapping):
        return 0
    with org.store.writing() as conn:
        if not _first_time(conn):
            return 0
        return sum(
            _load_file(org, conn, str(name), base / str(path)) for name, path in seeds.items()
        )


def _first_time(conn: sqlite3.Connection) -> bool:
    conn.execute("CREATE TABLE IF NOT EXISTS _sown (once INTEGER PRIMARY KEY)")
    return conn.execute("INSERT INTO _sown VALUES (1) ON CONFLICT DO NOTHING").rowcount == 1


def _load_file(org: Org, conn: sqlite3.Connection, name: str, path: Path) -> int:
    sobject = org.catalog.sobject(name)
    if sobject is None:
        raise SeedError(path, 1, f"no sObject {name} in this org")
    count = 0
    rows = _rows(org, sobject, path)
    while batch := list(islice(rows, _BATCH_ROWS)):
        call = WriteCall(
            "insert",
            sobject,
            [row for _, row in batch],
            org.user,
            from_text=True,
            allow_duplicates=True,
        )
        outcomes = write(org, conn, call)
        for (line, _), outcome in zip(batch, outcomes, strict=True):
            if not outcome.success:
                error = outcome.errors[0]
                raise SeedError(path, line, f"{error.code}: {error.message}")
        count += len(batch)
    return count


def _rows(org: Org, sobject: SObject, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the line where each ends."""
    csv.field_size_limit(_MOST_CHARACTERS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, [])
            _check_header(org, sobject, path, header)
            for cells in reader:
                if len(cells) != len(header):
                    message = f"expected {len(header)} cells, found {len(cells)}"
                    raise SeedError(path, reader.line_num, message)
                row = dict(zip(header, cells, strict=True))
                yield reader.line_num, completed_user(row) if sobject.name == "User" else row
    except OSError as error:
        raise SeedError(path, 1, error.strerror or "cannot be read") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise SeedError(path, 1, f"not a CSV file in UTF-8: {error}") from None


def _check_header(org: Org, sobject: SObject, path: Path, header: list[str]) -> None:
    for name in header:
        if column_of(org.catalog, sobject, name) is None:
            raise SeedError(path, 1, f"{sobject.name} has no field {name!r}")
        if header.count(name) > 1:
            raise SeedError(path, 1, f"{name!r} appears twice in the header")
