"""Adds the bounds of an incremental extract to a query.

Pure: from text to text. Knows where a query's conditions are. Knows nothing of watermarks.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.job.soql import parsed

_WHERE = len("WHERE")


def bounded(
    soql: str, field: str, since: datetime | None, until: datetime, *, with_blank: bool = False
) -> str:
    """Let a query find only records whose field is within bounds, besides its own conditions.

    Args:
        soql: The query. One that cannot be read stays as it is.
        field: A datetime of its object.
        since: The first moment that counts; None: all earlier ones.
        until: The first moment that no longer counts.
        with_blank: Whether records without a value count too.
    """
    query = parsed(soql)
    if query is None:
        return soql
    bounds = f"{field} < {soql_moment(until)}"
    if since is not None:
        bounds = f"{field} >= {soql_moment(since)} AND {bounds}"
    elif with_blank:
        bounds = f"({bounds} OR {field} = null)"
    before, after = soql[: query.where_at].rstrip(), soql[query.where_end :].lstrip()
    own = soql[query.where_at : query.where_end].strip()[_WHERE:].strip()
    where = f"({own}) AND {bounds}" if own else bounds
    return f"{before} WHERE {where} {after}".rstrip()


def soql_moment(moment: datetime) -> str:
    """A moment as SOQL writes it, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
