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
from runner.tables.targets.bulk_header import join_rows
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
    database.make_room(len(header))
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


def add_deleted(rows: Path, stamp: str, deleted: Path) -> int:
    """Add a row for each deleted record that the rows do not have: its Id, its stamp, `IsDeleted`.

    Args:
        rows: A query's rows (`rest_rows`).
        stamp: The column for the moment of the deletion.
        deleted: Id and moment of deleted records, as CSV without a header.

    Returns:
        How many rows were added.

    Raises:
        UsageError: The rows have no Id or no stamp.
        StorageError: The disk is full.
    """
    header = column_names(rows)
    identity = _column(header, "Id")
    places = {
        identity: "id",
        _column(header, stamp): "moment",
        _column(header, "IsDeleted"): "gone",
    }
    cells = ", ".join(f"{places.get(each, 'NULL')} AS {name(each)}" for each in header)
    if not deleted.stat().st_size:
        return 0
    database, more = Database(rows.parent), rows.with_name("deleted-rows.csv")
    database.make_room(len(header))
    connection = database.connection
    try:
        with storage_errors(_FAILURE):
            with_rows(
                deleted,
                ("id", "moment"),
                lambda read: connection.execute(
                    f"CREATE OR REPLACE TABLE gone AS SELECT id, max(moment) AS moment,"
                    f" 'true' AS gone FROM {read} GROUP BY id"
                ),
                header=False,
            )
            with_query_rows(
                rows,
                lambda read: connection.execute(
                    f"DELETE FROM gone WHERE id IN (SELECT {name(identity)} FROM {read})"
                ),
            )
            added: int = connection.execute("SELECT count(*) FROM gone").fetchall()[0][0]
            if added:
                connection.execute(
                    f"COPY (SELECT {cells} FROM gone ORDER BY moment, id)"
                    f" TO {literal(str(more))} {_AS_BULK}"
                )
                join_rows([_moved(rows), more], rows)
            return added
    finally:
        database.close()


def add_rows(rows: Path, more: Path, *, only: Path) -> int:
    """Add rows of the same query.

    Args:
        rows: A query's rows (`rest_rows`).
        more: Others of it; deleted.
        only: The Ids of those that are added, as CSV with a header.

    Returns:
        How many were added.

    Raises:
        StorageError: The disk is full.
    """
    header, own = column_names(rows), column_names(more)
    identity = name(_column(own, "Id"))
    cells = ", ".join(name(each) if each in own else f"NULL AS {name(each)}" for each in header)
    database, wanted = Database(rows.parent), rows.with_name("more-rows.csv")
    database.make_room(len(header))
    run = database.connection.execute
    try:
        with storage_errors(_FAILURE):
            with_rows(
                only,
                ("id",),
                lambda read: run(f"CREATE OR REPLACE TABLE wanted AS FROM {read}"),
            )
            added = with_query_rows(
                more,
                lambda read: run(
                    f"COPY (SELECT {cells} FROM {read} WHERE {identity} IN (SELECT id FROM wanted))"
                    f" TO {literal(str(wanted))} {_AS_BULK}"
                ).fetchall(),
            )[0][0]
    finally:
        database.close()
    more.unlink()
    join_rows([_moved(rows), wanted], rows)
    return int(added)


def _moved(rows: Path) -> Path:
    aside = rows.with_name("found-rows.csv")
    return rows.replace(aside)


def _column(header: list[str], wanted: str) -> str:
    found = next((each for each in header if each.lower() == wanted.lower()), None)
    if found is None:
        raise UsageError(
            f"The query's rows have no column {wanted}, by which an incremental query knows them.",
            hint=f"Add {wanted} to its SELECT.",
        )
    return found
