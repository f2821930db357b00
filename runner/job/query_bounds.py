"""Adds the bounds of an incremental extract to a query; the queries that a comparison needs.

Pure: from text to text. Knows where a query's conditions are. Knows nothing of watermarks.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.job.soql import parsed
from runner.soql.syntax import Query

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
    return _with_condition(soql, query, bounds)


def identities(soql: str, field: str) -> str:
    """A query for Id and stamp of all records that a query finds, in any order."""
    query = parsed(soql)
    if query is None:
        return soql
    unordered = _unordered(soql, query)
    return f"SELECT Id, {field} FROM {unordered[query.source.path.at :]}"  # noqa: S608 - SOQL


def of_ids(soql: str, name: str) -> str:
    """A query for those of its records whose Ids are in the list `:name`, in any order."""
    query = parsed(soql)
    return (
        soql if query is None else _with_condition(_unordered(soql, query), query, f"Id IN :{name}")
    )


def _unordered(soql: str, query: Query) -> str:
    """A query without ORDER BY, the only clause that one of an incremental extract may have."""
    return soql[: query.clauses[0].at].rstrip() if query.clauses else soql


def _with_condition(soql: str, query: Query, condition: str) -> str:
    before, after = soql[: query.where_at].rstrip(), soql[query.where_end :].lstrip()
    own = soql[query.where_at : query.where_end].strip()[_WHERE:].strip()
    where = f"({own}) AND {condition}" if own else condition
    return f"{before} WHERE {where} {after}".rstrip()


def soql_moment(moment: datetime) -> str:
    """A moment as SOQL writes it, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
