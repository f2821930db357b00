"""The recycle bin: what lies in it, for how long, and how it comes out again.

Knows the tables of deletes and of the lookups that they emptied. Knows no cascades.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import SObject
from runner.local_org.records.lookups import Lookups, batches, marks
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.uniqueness import check_unique
from runner.local_org.records.values import stamp
from runner.local_org.store import quoted

RETENTION = timedelta(days=15)
_BATCH = 500


def note_deleted(
    conn: sqlite3.Connection, name: str, roots: Mapping[str, str], moment: str, *, purged: bool
) -> None:
    """Remember deletes of one sObject: by Id, the record whose delete took it along."""
    conn.executemany(
        "INSERT INTO _deleted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "purged = excluded.purged",
        [(name, record_id, moment, root, purged) for record_id, root in roots.items()],
    )


def clear_references(
    conn: sqlite3.Connection, child: str, field: str, parent_ids: Sequence[str], moment: str
) -> None:
    """Empty a lookup that leads to records that go, remembering where it led."""
    table, column = quoted(child), quoted(field)
    for batch in batches(parent_ids, _BATCH):
        leading = f"{column} IN ({marks(len(batch))}) AND IsDeleted = 0"
        conn.execute(
            f"INSERT INTO _cleared SELECT {column}, ?, ?, Id FROM {table} WHERE {leading}",  # noqa: S608
            [child, field, *batch],
        )
        conn.execute(
            f"UPDATE {table} SET {column} = NULL, SystemModstamp = ? WHERE {leading}",  # noqa: S608
            [moment, *batch],
        )


def undelete(
    conn: sqlite3.Connection, sobject: SObject, ids: Sequence[str], now: datetime
) -> dict[str, ApiError]:
    """Bring back records with all that went along, and the lookups that led to them.

    Gives those that cannot come back because another record took their unique value.
    """
    stored = Lookups(conn).records(sobject, ids)
    drafts = [RowDraft(0, values=stored[record_id], id=record_id) for record_id in ids]
    check_unique(sobject, drafts, Lookups(conn))
    refused = {str(draft.id): draft.errors[0] for draft in drafts if draft.errors}
    back: dict[str, list[str]] = defaultdict(list)
    for name, record_id in _went_with(conn, [each for each in ids if each not in refused]):
        back[name].append(record_id)
    moment = stamp(now)
    for name, record_ids in back.items():
        conn.executemany(
            f"UPDATE {quoted(name)} SET IsDeleted = 0, SystemModstamp = ? WHERE Id = ?",  # noqa: S608
            [(moment, record_id) for record_id in record_ids],
        )
        conn.executemany(
            "DELETE FROM _deleted WHERE sobject = ? AND id = ?",
            [(name, record_id) for record_id in record_ids],
        )
        _lead_back(conn, record_ids, moment)
    return refused


def _went_with(conn: sqlite3.Connection, roots: Sequence[str]) -> Iterator[tuple[str, str]]:
    for batch in batches(roots, _BATCH):
        yield from conn.execute(
            "SELECT sobject, id FROM _deleted WHERE purged = 0 "  # noqa: S608 - marks
            f"AND root_id IN ({marks(len(batch))})",
            batch,
        ).fetchall()


def _lead_back(conn: sqlite3.Connection, parent_ids: Sequence[str], moment: str) -> None:
    """Fill the lookups that a delete emptied, unless they lead elsewhere by now."""
    for batch in batches(parent_ids, _BATCH):
        chosen = f"parent_id IN ({marks(len(batch))})"
        rows = conn.execute(
            f"SELECT sobject, field, parent_id, child_id FROM _cleared WHERE {chosen}",  # noqa: S608
            batch,
        ).fetchall()
        for name, field, parent_id, child_id in rows:
            column = quoted(field)
            conn.execute(
                f"UPDATE {quoted(name)} SET {column} = ?, SystemModstamp = ? "  # noqa: S608
                f"WHERE Id = ? AND {column} IS NULL",
                (parent_id, moment, child_id),
            )
        conn.execute(f"DELETE FROM _cleared WHERE {chosen}", batch)  # noqa: S608 - marks


def empty_what_is_old(conn: sqlite3.Connection, now: datetime) -> None:
    """Purge what has been in the bin for longer than it is kept."""
    rows = conn.execute(
        "SELECT sobject, id FROM _deleted WHERE purged = 0 AND deleted_date < ?",
        (stamp(now - RETENTION),),
    ).fetchall()
    for name, record_id in rows:
        conn.execute(f"DELETE FROM {quoted(name)} WHERE Id = ?", (record_id,))  # noqa: S608
    conn.executemany(
        "UPDATE _deleted SET purged = 1 WHERE sobject = ? AND id = ?",
        [(name, record_id) for name, record_id in rows],
    )
