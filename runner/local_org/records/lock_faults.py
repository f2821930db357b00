"""Writes rows unless another transaction holds them: locks that were asked for as trouble.

Knows which rows are held. Leaves the writing of the others to `writing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from runner.local_org.catalog.model import SObject
from runner.local_org.fault_injection.active import Troubles
from runner.local_org.faults import ApiError
from runner.local_org.org import Org, User
from runner.local_org.records import writing
from runner.local_org.records.outcome import RowOutcome, refused, rolled_back


def write(  # noqa: PLR0913 - as `writing.write`, which says what each means
    org: Org,
    conn: sqlite3.Connection,
    operation: str,
    sobject: SObject,
    rows: Sequence[Mapping[str, object]],
    *,
    external_id: str | None = None,
    user: User,
    version: float,
    all_or_none: bool = False,
    from_text: bool = False,
    allow_duplicates: bool = False,
) -> list[RowOutcome]:
    """Write rows as `writing.write` does; rows that are held fail with UNABLE_TO_LOCK_ROW."""
    held = org.part(Troubles).locks(sobject.name, rows)
    if held and all_or_none:
        written = RowOutcome(None, success=True, created=False)
        return rolled_back([_refused(held, place) or written for place in range(len(rows))])
    free = [row for place, row in enumerate(rows) if place not in held] if held else rows
    outcomes = writing.write(
        org,
        conn,
        operation,
        sobject,
        free,
        external_id=external_id,
        user=user,
        version=version,
        all_or_none=all_or_none,
        from_text=from_text,
        allow_duplicates=allow_duplicates,
    )
    if not held:
        return outcomes
    rest = iter(outcomes)
    return [_refused(held, place) or next(rest) for place in range(len(rows))]


def _refused(held: Mapping[int, str], place: int) -> RowOutcome | None:
    if place not in held:
        return None
    words = f"unable to obtain exclusive access to this record or 1 records: {held[place][:15]}"
    return refused(ApiError("UNABLE_TO_LOCK_ROW", words))
