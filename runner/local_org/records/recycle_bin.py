"""The recycle bin: what is in it, for how long, and undelete.

Knows the tables of deleted records and of the lookups that they cleared. Knows no cascades.
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
from runner.local_org.records.time_values import stamp
from runner.local_org.records.uniqueness import check_unique
from runner.local_org.store import Store, quoted

RETENTION = timedelta(days=15)
_MERGED = frozenset({"Account", "Contact", "Lead"})
"""Objects whose records name the one that they were merged into, until they come back."""
_BATCH = 500


def note_deleted(
    conn: sqlite3.Connection, name: str, roots: Mapping[str, str], moment: str, *, purged: bool
) -> None:
    """Record deletes of one sObject. `roots` has, by Id, the record whose delete caused it."""
    conn.executemany(
        "INSERT INTO _deleted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "purged = excluded.purged",
        [(name, record_id, moment, root, purged) for record_id, root in roots.items()],
    )


def clear_references(
    conn: sqlite3.Connection, child: str, field: str, parent_ids: Sequence[str], moment: str
) -> None:
    """Clear a lookup that points to deleted records, and record where it pointed."""
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
    """Undelete records with everything deleted by cascade, and restore lookups to them.

    Returns the records that cannot come back, because another record has their unique value.
    """
    stored = Lookups(conn).records(sobject, ids)
    drafts = [RowDraft(0, values=stored[record_id], id=record_id) for record_id in ids]
    check_unique(sobject, drafts, Lookups(conn))
    refused = {str(draft.id): draft.errors[0] for draft in drafts if draft.errors}
    back: dict[str, list[str]] = defaultdict(list)
    for name, record_id in _deleted_with(conn, [each for each in ids if each not in refused]):
        back[name].append(record_id)
    moment = stamp(now)
    for name, record_ids in back.items():
        unmerged = ", MasterRecordId = NULL" if name in _MERGED else ""
        conn.executemany(
            f"UPDATE {quoted(name)} SET IsDeleted = 0, SystemModstamp = ?{unmerged} WHERE Id = ?",  # noqa: S608
            [(moment, record_id) for record_id in record_ids],
        )
        conn.executemany(
            "DELETE FROM _deleted WHERE sobject = ? AND id = ?",
            [(name, record_id) for record_id in record_ids],
        )
        _restore_lookups(conn, record_ids, moment)
    return refused


def _deleted_with(conn: sqlite3.Connection, roots: Sequence[str]) -> Iterator[tuple[str, str]]:
    for batch in batches(roots, _BATCH):
        yield from conn.execute(
            "SELECT sobject, id FROM _deleted WHERE purged = 0 "  # noqa: S608 - marks
            f"AND root_id IN ({marks(len(batch))})",
            batch,
        ).fetchall()


def _restore_lookups(conn: sqlite3.Connection, parent_ids: Sequence[str], moment: str) -> None:
    """Restore the lookups that a delete cleared, unless they have another value by now."""
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


def purge_due(store: Store, now: datetime) -> None:
    """Purge before records in the bin are looked at; takes no write transaction for nothing."""
    with store.reading() as conn:
        is_due = conn.execute(
            "SELECT 1 FROM _deleted WHERE purged = 0 AND deleted_date < ? LIMIT 1",
            (stamp(now - RETENTION),),
        ).fetchone()
    if is_due:
        with store.writing() as conn:
            purge_expired(conn, now)


def purge_expired(conn: sqlite3.Connection, now: datetime) -> None:
    """Purge records whose retention has ended."""
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
