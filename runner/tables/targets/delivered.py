"""Drops rows that an earlier extract delivered, and notes which this one delivers near its end.

Knows rows by their Id and stamp. Knows nothing of watermarks or of where rows go.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import UsageError
from runner.files import atomic_write
from runner.tables.database import Database, storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal, name
from runner.tables.targets.column_types import column_names, with_query_rows

_FAILURE = "Rows cannot be compared with those of the last extract"
_AS_BULK = "(FORMAT csv, HEADER true, DELIMITER ',', QUOTE '\"', ESCAPE '\"', FORCE_QUOTE *)"


def drop_delivered(
    rows: Path, stamp: str, earlier: Path | None, *, note_from: str, note: Path
) -> int:
    """Drop rows whose Id and stamp an earlier extract delivered.

    Args:
        rows: A query's rows (`rest_rows`); rewritten only if some are dropped.
        stamp: The column that moves with every change.
        earlier: Id and stamp of rows that were delivered, as CSV without a header.
        note_from: The first stamp to note, as the rows have it.
        note: Gets Id and stamp of the rows from there on, dropped ones included.

    Returns:
        How many were dropped.

    Raises:
        UsageError: The rows have no Id or no stamp.
        StorageError: The disk is full.
    """
    header = column_names(rows)
    identity, moment = (name(_column(header, each)) for each in ("Id", stamp))
    database = Database(rows.parent)
    connection = database.connection
    try:
        with storage_errors(_FAILURE):
            noted = f"SELECT {identity}, {moment} FROM {{}} WHERE {moment} >= {literal(note_from)}"
            with_query_rows(
                rows,
                lambda read: connection.execute(copy_csv(noted.format(read), note, header=False)),
            )
            if earlier is None or not earlier.stat().st_size:
                return 0
            with_rows(
                earlier,
                ("id", "stamp"),
                lambda read: connection.execute(f"CREATE OR REPLACE TABLE seen AS FROM {read}"),
                header=False,
            )
            is_seen = f"({identity}, {moment}) IN (SELECT (id, stamp) FROM seen)"
            found = with_query_rows(
                rows,
                lambda read: connection.execute(
                    f"SELECT count(*) FROM {read} WHERE {is_seen}"
                ).fetchall(),
            )
            dropped: int = found[0][0]
            if dropped:
                with atomic_write(rows) as beside:
                    with_query_rows(
                        rows,
                        lambda read: connection.execute(
                            f"COPY (FROM {read} WHERE NOT {is_seen})"
                            f" TO {literal(str(beside))} {_AS_BULK}"
                        ),
                    )
            return dropped
    finally:
        database.close()


def _column(header: list[str], wanted: str) -> str:
    found = next((each for each in header if each.lower() == wanted.lower()), None)
    if found is None:
        raise UsageError(
            f"The query's rows have no column {wanted}, by which an incremental query knows them.",
            hint=f"Add {wanted} to its SELECT.",
        )
    return found
