"""Compares the rows of a target with the records of the org, by Id and stamp.

Knows rows that are on their way to the target. Knows nothing of queries or of how it is repaired.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from runner.job.endpoints import Target
from runner.tables.database import Database, storage_errors
from runner.tables.sql import copy_csv, literal, name, utc_text
from runner.tables.targets.column_types import column_names, with_query_rows
from runner.tables.targets.held_rows import HELD, load_held
from runner.tables.targets.merging import IS_DELETED

_FAILURE = "The target cannot be compared with the org"
MISSING, SURPLUS, OUTDATED = "missing", "surplus", "outdated"


class Compared(Struct, frozen=True):
    """What is compared."""

    target: Target
    stamp: str
    """The column that moves with every change."""
    rows: Path
    """Of the query, on their way to the target: they do not count as differences."""
    org: Path
    """Id and stamp of every record that the query finds, with a header."""
    until: str
    """Records that changed from this moment on come with the next extract."""
    keeps_deleted: bool = False
    """Whether rows of deleted records stay, with `IsDeleted` true."""


class Differences(Struct, frozen=True):
    """What differs."""

    in_org: int
    in_target: int
    missing: int
    surplus: int
    outdated: int
    unnamed: int
    """Rows of the target without an Id, which are left alone."""
    days: tuple[tuple[str, int, int], ...]
    """Days whose numbers of records differ, the latest first: day, in the org, in the target."""
    listed: Path
    """All of them, with a header: Id, Difference, InOrg, InTarget."""
    wanted: Path
    """Ids of records to read again, with a header."""
    gone: Path
    """Ids of rows that the target has too many, without a header; a blank beside each if deleted
    rows stay."""

    @property
    def repaired(self) -> int:
        """How many rows differ."""
        return self.missing + self.surplus + self.outdated


def compare(compared: Compared, folder: Path) -> Differences:
    """Compare; the lists are left in `folder`, that of all differences beside the rows.

    Raises:
        StateError: The target cannot be read, or has no Id or stamp.
        StorageError: The disk is full.
    """
    wanted, gone = folder / "wanted.csv", folder / "gone.csv"
    listed = compared.rows.with_name("differences.csv")
    database = Database(folder)
    run = database.connection.execute
    try:
        with storage_errors(_FAILURE):
            load_held(database, compared.target, compared.stamp, folder)
            _load(database, compared)
            run(f"CREATE OR REPLACE TABLE differing AS {_differing(compared)}")
            cells = f"id AS Id, what AS Difference, {utc_text('there')} AS InOrg"
            listing = (
                f"SELECT {cells}, {utc_text('here')} AS InTarget FROM differing ORDER BY what, id"
            )
            run(copy_csv(listing, listed, header=True))
            run(
                copy_csv(
                    f"SELECT id AS Id FROM differing WHERE what <> '{SURPLUS}'", wanted, header=True
                )
            )
            cells = "id, NULL AS moment" if compared.keeps_deleted else "id"
            surplus = f"SELECT {cells} FROM differing WHERE what = '{SURPLUS}'"
            run(copy_csv(surplus, gone, header=False))
            counts = dict(run("SELECT what, count(*) FROM differing GROUP BY what").fetchall())
            totals = run(
                f"SELECT (SELECT count(*) FROM org), count(id), count(*) - count(id) FROM {HELD}"
            ).fetchall()[0]
            days = run(_DAYS).fetchall() if counts else []
    finally:
        database.close()
    return Differences(
        totals[0],
        totals[1],
        counts.get(MISSING, 0),
        counts.get(SURPLUS, 0),
        counts.get(OUTDATED, 0),
        totals[2],
        tuple(days),
        listed,
        wanted,
        gone,
    )


def _load(database: Database, compared: Compared) -> None:
    """Tables of typed stamps: `org`, `coming` and `kept`."""
    run = database.connection.execute
    flagged = "coalesce(lower(flag) IN ('true', '1'), false)" if compared.keeps_deleted else "false"
    cells = f"id, {_moment('stamp')} AS moment, {flagged} AS flagged"
    run(f"CREATE OR REPLACE TABLE kept AS SELECT {cells} FROM {HELD} WHERE id IS NOT NULL")
    for table, file in (("org", compared.org), ("coming", compared.rows)):
        known = {each.lower(): name(each) for each in column_names(file)}
        own, stamp = known["id"], known[compared.stamp.lower()]
        flag = known.get(IS_DELETED.lower())
        is_gone = f"coalesce({flag} = 'true', false)" if flag else "false"
        made = (
            f"CREATE OR REPLACE TABLE {table} AS SELECT {own} AS id, {_moment(stamp)} AS moment,"
            f" {is_gone} AS is_gone FROM"
        )
        with_query_rows(file, lambda read, made=made: run(f"{made} {read}"))  # type: ignore[misc]
    is_due = f"moment IS NULL OR moment < {_until(compared)}"
    run(f"CREATE OR REPLACE TABLE comparable AS FROM org WHERE {is_due}")


def _differing(compared: Compared) -> str:
    return (
        f"SELECT coalesce(o.id, k.id) AS id, CASE WHEN k.id IS NULL THEN '{MISSING}'"
        f" WHEN o.id IS NULL THEN '{SURPLUS}' ELSE '{OUTDATED}' END AS what,"
        " o.moment AS there, k.moment AS here FROM org o FULL JOIN kept k ON o.id = k.id"
        " WHERE NOT EXISTS (SELECT 1 FROM coming c WHERE c.id = coalesce(o.id, k.id))"
        " AND CASE WHEN o.id IS NULL THEN NOT k.flagged"
        f" WHEN o.moment >= {_until(compared)} THEN false"
        " ELSE k.id IS NULL OR k.flagged OR k.moment IS DISTINCT FROM o.moment END"
    )


_DAYS = """
    WITH target AS (
        SELECT moment FROM kept WHERE NOT flagged AND id NOT IN (SELECT id FROM coming)
        UNION ALL SELECT moment FROM coming WHERE NOT is_gone
    ), counted AS (
        SELECT strftime(timezone('UTC', moment), '%Y-%m-%d') AS day, true AS is_org FROM comparable
        UNION ALL SELECT strftime(timezone('UTC', moment), '%Y-%m-%d'), false FROM target
    )
    SELECT coalesce(day, 'without a stamp'), count(*) FILTER (is_org) AS there,
        count(*) FILTER (NOT is_org) AS here
    FROM counted GROUP BY day HAVING there <> here ORDER BY day DESC
"""


def _moment(cell: str) -> str:
    return f"TRY_CAST({cell} AS TIMESTAMP WITH TIME ZONE)"


def _until(compared: Compared) -> str:
    return f"CAST({literal(compared.until)} AS TIMESTAMP WITH TIME ZONE)"
