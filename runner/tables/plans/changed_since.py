"""Which records have changed since a plan was made, and what follows for the rows to send.

Knows what the plan noted of each row's record, and what a lookup has found by now. Knows nothing of
how the org is asked.
"""

from __future__ import annotations

from pathlib import Path

from runner.tables.database import Database, storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.comparison import KNOWN, LAST_CHANGED
from runner.tables.staging.parts import read_header
from runner.tables.staging.problems import CHANGED_SINCE, problem
from runner.tables.staging.record_lookup import RecordLookup
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows

MOMENTS = "moments.csv"
"""Beside the kept rows: when each record was last changed."""
CHANGED_SINCE_FILE = "changed_since.csv"
"""Written only if records have changed since the plan."""
_FAILURE = "The plan's rows cannot be compared with their records"
_MOMENT = 23
"""Characters of a moment as both APIs write them: to the millisecond, without the zone, UTC."""


def leave_out_changed(
    staging: StagedRows, lookup: RecordLookup, moments: Path, sobject: str
) -> None:
    """Leave rows out of those to send whose record was created, changed or deleted since.

    Args:
        staging: The rows to send.
        lookup: Has found their records, and when each was last changed.
        moments: `row`, `id` and `changed` of each row to send, as the plan noted them.
        sobject: The object.

    Raises:
        StateError: The rows cannot be stored.
    """
    lookup.know()
    connection = staging.database.connection
    is_other = "left(k.id, 15) IS DISTINCT FROM left(m.id, 15)"
    stamp = lookup.comparison.held_cell.get(LAST_CHANGED)
    is_later = "false"
    if stamp is not None:  # a few objects have none
        now, then = f"left(k.{stamp}, {_MOMENT})", f"left(m.changed, {_MOMENT})"
        is_later = f"m.changed IS NOT NULL AND {now} IS DISTINCT FROM {then}"
    what = (
        f"CASE WHEN m.id IS NULL THEN {literal(f'{sobject}: a record with this key was created')}"
        f" WHEN k.id IS NULL THEN {literal(f'{sobject} ')} || m.id || ' was deleted'"
        f" ELSE {literal(f'{sobject} ')} || m.id || ' was changed' END"
        " || ' since the plan was made'"
    )
    query = (
        f"CREATE TABLE since AS SELECT m.row AS row, {problem('', CHANGED_SINCE, what)} AS why"
        f" FROM (SELECT CAST(row AS BIGINT) AS row, id, changed FROM {{}}) m"
        f" LEFT JOIN {KNOWN} k USING (row) WHERE {is_other} OR ({is_later})"
    )
    with storage_errors(_FAILURE):
        with_rows(moments, ("row", "id", "changed"), lambda r: connection.execute(query.format(r)))
        (changed,) = connection.execute("SELECT count(*) FROM since").fetchall()[0]
    if changed:
        rewrite_chunks(staging, {}, "k.why", known="since")


def write_changed_since(database: Database, skipped: Path) -> int:
    """Write those of the skipped rows whose record has changed beside them; give their number.

    Raises:
        StateError: The file cannot be written.
    """
    to = skipped.with_name(CHANGED_SINCE_FILE)
    to.unlink(missing_ok=True)  # of a process that knew less
    if not skipped.exists():
        return 0
    header = read_header(skipped)
    chosen = f"SELECT * FROM {{}} WHERE sf__Code = {literal(CHANGED_SINCE)}"

    def write(rows: str) -> int:
        with database.cursor() as cursor:
            found = cursor.execute(copy_csv(chosen.format(rows), to, header=True)).fetchall()
        return int(found[0][0])

    with storage_errors("Result files cannot be written"):
        number = with_rows(skipped, header, write)
    if not number:
        to.unlink()
    return number
