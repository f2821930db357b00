"""References to records of other files of one exported tree: `"AccountId": "@AccountRef1"`.

An export of the Salesforce CLI names records in `attributes.referenceId`; the tasks that created
them left their Ids in succeeded.csv. Knows result files. Knows nothing of JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runner.errors import SourceError
from runner.tables.database import Database
from runner.tables.sources.csv import REFERENCE_COLUMN
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal, name
from runner.tables.staging.parts import read_header

_ID = "sf__Id"


def create_references(database: Database, files: Iterable[Path]) -> bool:
    """Create the macro `referenced`, from `@AccountRef1` to the Id of that record.

    Args:
        database: Of the rows that have references.
        files: Rows that other tasks have written.

    Returns:
        Whether any row has a name.

    Raises:
        SourceError: Two rows have the same name.
        StateError: A file cannot be read.
    """

    def named(rows: str) -> list[tuple[str | None, str]]:
        asked = f"SELECT {name(REFERENCE_COLUMN)}, {name(_ID)} FROM {rows}"
        return database.connection.execute(asked).fetchall()

    found: dict[str, str] = {}
    for file in files:
        columns = read_header(file)
        if not {REFERENCE_COLUMN, _ID} <= set(columns):
            continue
        for reference, record_id in with_rows(file, columns, named):
            if reference and found.setdefault(reference, record_id) != record_id:
                raise SourceError(
                    f"Two records of this run are called {reference!r}.",
                    hint="Give each `referenceId` in the files once.",
                )
    if not found:
        return False
    pairs = ", ".join(f"{literal(each)}: {literal(record)}" for each, record in found.items())
    database.connection.execute(f"CREATE MACRO referenced(t) AS MAP {{{pairs}}}[substr(t, 2)]")
    return True
