"""Seeds: records of CSV files that an org file loads into a new org.

Knows the `seed` section: sObjects and files, in the order of the org file, so parents come first.
A store loads each seed once. Columns are those of a Bulk upload. Knows no HTTP.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Mapping
from hashlib import file_digest
from itertools import islice
from pathlib import Path

from msgspec import Struct

from runner.local_org.bootstrap import completed_user
from runner.local_org.catalog.model import SObject, writeable
from runner.local_org.catalog.setup import SETUP_KEYS
from runner.local_org.org import Org
from runner.local_org.records import WriteCall, column_of, write
from runner.local_org.setup_records import SetupError, write_setup

_BATCH_ROWS = 10_000


class SeedError(ValueError):
    """A seed that cannot be loaded; no seed was saved."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        """Line of the file, from 1, where the row ends."""
        self.message = message


class Seeded(Struct, frozen=True):
    """What became of the declared seeds."""

    records: int = 0
    """How many were created."""
    changed: tuple[str, ...] = ()
    """Files that have changed since they were loaded, and were not loaded again."""


def seeds_of(org: Org) -> dict[str, str]:
    """The declared seeds: a file for each sObject, as the org file names them."""
    seeds = org.declared.get("seed")
    named = seeds.items() if isinstance(seeds, Mapping) else ()
    return {str(name): str(path) for name, path in named}


def load_seeds(org: Org) -> Seeded:
    """Load the declared seeds that this org has not loaded yet, after users, queues, currencies.

    Raises:
        SeedError: a file that cannot be read, or a row that the org refuses.
    """
    if any(org.declared.get(key) for key in SETUP_KEYS):
        with org.store.writing() as conn:
            try:
                write_setup(org, conn)
            except SetupError as error:
                raise SeedError(org.org_file or Path("org.yaml"), 1, str(error)) from error
    seeds = seeds_of(org)
    if not seeds:
        return Seeded()
    base = org.org_file.parent if org.org_file else Path()
    count, changed = 0, []
    with org.store.writing() as conn:
        loaded = _loaded(conn)
        for name, given in seeds.items():
            path = base / given
            if (name, given) not in loaded:
                count += _load_file(org, conn, name, path)
                _mark_loaded(conn, name, given, path)
            elif path.exists() and loaded[name, given] != _digest(path):
                changed.append(given)
    return Seeded(count, tuple(changed))


def _loaded(conn: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The digest of each seed that was loaded."""
    conn.execute(
        "CREATE TABLE IF NOT EXISTS _seeds "
        "(sobject TEXT, path TEXT, digest TEXT, PRIMARY KEY (sobject, path))"
    )
    rows = conn.execute("SELECT sobject, path, digest FROM _seeds").fetchall()
    return {(sobject, path): digest for sobject, path, digest in rows}


def _mark_loaded(conn: sqlite3.Connection, name: str, given: str, path: Path) -> None:
    conn.execute("INSERT INTO _seeds VALUES (?, ?, ?)", (name, given, _digest(path)))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _load_file(org: Org, conn: sqlite3.Connection, name: str, path: Path) -> int:
    sobject = org.catalog.sobject(name)
    if sobject is None:
        raise SeedError(path, 1, f"no sObject {name} in this org")
    if not sobject.flags.get("createable"):
        sobject = writeable(sobject)
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
