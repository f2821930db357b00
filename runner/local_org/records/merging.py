"""Merges records: the losers' children move to the master, the losers go to the recycle bin.

Knows the order of a merge: reparent, delete, then update the master. Knows nothing of HTTP. Source:
SOAP API developer guide, `merge()`; Apex developer guide, "Triggers and Merge Statements".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import SObject
from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.ids import normalise
from runner.local_org.org import Org, User
from runner.local_org.records import refusals
from runner.local_org.records.lookups import Existence, Lookups, marks
from runner.local_org.records.outcome import refused
from runner.local_org.records.recycle_bin import note_deleted
from runner.local_org.records.time_values import stamp
from runner.local_org.records.writing import WriteCall, write
from runner.local_org.store import quoted

MOST_LOSERS = 2
_MASTER = "MasterRecordId"


class MergeCall(Struct, frozen=True):
    """One merge, and in whose name."""

    sobject: SObject
    master: Mapping[str, str]
    """Its Id, and the fields that it gets, as CSV texts: `#N/A` is null."""
    losers: Sequence[str]
    user: User


class MergeOutcome(Struct, frozen=True):
    """The outcome of one merge."""

    id: str | None
    """The master."""
    success: bool
    merged: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    """Records that have the master as their parent now."""
    errors: tuple[ApiError, ...] = ()


def merge(org: Org, conn: sqlite3.Connection, call: MergeCall) -> MergeOutcome:
    """Merge, or change nothing. `conn` is in a write transaction."""
    master = normalise(call.master.get("Id"))
    losers = [normalise(each) for each in call.losers]
    error = _refusal(org, conn, call, master, losers)
    if error is not None:
        return MergeOutcome(None, success=False, errors=(error,))
    merged = tuple(each for each in losers if each is not None)
    conn.execute("SAVEPOINT merge")
    moment = stamp(org.clock())
    moved = tuple(dict.fromkeys(_moved(org, conn, call, merged)))
    conn.executemany(
        f"UPDATE {quoted(call.sobject.name)} SET IsDeleted = 1, {_MASTER} = ?,"  # noqa: S608 - a table's name
        " LastModifiedDate = ?, LastModifiedById = ?, SystemModstamp = ? WHERE Id = ?",
        [(master, moment, call.user.id, moment, each) for each in merged],
    )
    roots = {each: each for each in merged}
    note_deleted(conn, call.sobject.name, roots, moment, purged=False)
    update = WriteCall("update", call.sobject, [call.master], call.user, from_text=True)
    outcome = refused(_circle()) if master in moved else write(org, conn, update)[0]
    if not outcome.success:
        conn.execute("ROLLBACK TO merge")
    conn.execute("RELEASE merge")
    if not outcome.success:
        return MergeOutcome(None, success=False, errors=outcome.errors)
    return MergeOutcome(master, success=True, merged=merged, moved=moved)


def _refusal(
    org: Org,
    conn: sqlite3.Connection,
    call: MergeCall,
    master: str | None,
    losers: Sequence[str | None],
) -> ApiError | None:
    """Why a merge is refused before anything of it is done."""
    if not call.master.get("Id"):
        return refusals.id_missing("merge")
    if not 1 <= len(losers) <= MOST_LOSERS:
        return refusals.losers_miscounted(len(losers))
    ids = [master, *losers]
    for text, each in zip([call.master["Id"], *call.losers], ids, strict=True):
        if each is None:
            return refusals.malformed_id(text)
        if ids.count(each) > 1:
            return refusals.duplicate_id(each)
    found = Lookups(conn).existence(call.sobject, {each for each in ids if each}).values()
    if any(each is not Existence.ALIVE for each in found):
        is_gone = Existence.MISSING not in found
        return refusals.entity_is_deleted() if is_gone else refusals.invalid_cross_reference()
    locked = org.part(FaultRules).locks(call.sobject.name, [{"Id": each} for each in losers])
    return next((refusals.row_locked(holder) for holder in locked.values()), None)


def _moved(
    org: Org, conn: sqlite3.Connection, call: MergeCall, losers: Sequence[str]
) -> Iterator[str]:
    """Give the losers' children to the master; their Ids."""
    master, moment = normalise(call.master["Id"]), stamp(org.clock())
    for each in call.sobject.children:
        child = org.catalog.sobject(each.child_sobject)
        field = child.field(each.field) if child else None
        if child is None or field is None or not field.stored or field.name == _MASTER:
            continue
        column = quoted(field.name)
        found = conn.execute(
            f"SELECT Id FROM {quoted(child.name)} WHERE {column} IN ({marks(len(losers))})"  # noqa: S608 - names
            " AND IsDeleted = 0",
            list(losers),
        ).fetchall()
        conn.executemany(
            f"UPDATE {quoted(child.name)} SET {column} = ?, SystemModstamp = ? WHERE Id = ?",  # noqa: S608 - names
            [(master, moment, child_id) for (child_id,) in found],
        )
        yield from (str(child_id) for (child_id,) in found)


def _circle() -> ApiError:
    """The master is below one of the losers: it would be its own parent."""
    return ApiError(
        "CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints: a record below itself"
    )
