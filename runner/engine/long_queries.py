"""Queries that are too long for a URL: they need Bulk API 2.0, which runs less of SOQL.

Knows what to say of them. Knows nothing of how a query is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runner import events
from runner.engine.lost_results import LostResultError
from runner.errors import OrgError, TransientError, UsageError
from runner.events import Sink
from runner.job.model import Api, QueryTask
from runner.job.soql import longest_clause
from runner.salesforce.rest.query import LONGEST_QUERY


def check_long_query(task: QueryTask, soqls: Sequence[str], sink: Sink) -> None:
    """Refuse a query that is too long for REST where it may not go over Bulk, or for any API.

    Raises:
        UsageError: Says how long it may be, and which clause is the longest.
    """
    longest = max(soqls, key=len)
    clause, length = longest_clause(longest)
    query = f"The query of task {task.name!r}"
    if len(longest) > LONGEST_QUERY:
        raise UsageError(
            f"{query} has {len(longest):,} characters, and Salesforce allows "
            f"{LONGEST_QUERY:,}; its {clause} clause alone has {length:,}.",
            hint=f"Shorten the {clause} clause, or split the task.",
        )
    if task.api is Api.REST:
        raise UsageError(
            f"{query} is too long for a URL, which REST needs: its {clause} clause has "
            f"{length:,} characters.",
            hint=f"Shorten the {clause} clause, or leave `api: rest` out.",
        )
    if task.api is Api.AUTO:
        message = "The query is too long for a URL: it runs over Bulk API."
        sink(events.Noticed(message, task.name))


@contextmanager
def long_query_named(task: QueryTask, soqls: Sequence[str]) -> Iterator[None]:
    """Say why a query went over Bulk that Bulk cannot run."""
    try:
        yield
    except (TransientError, LostResultError):
        raise
    except OrgError as error:
        if task.api is Api.BULK:
            raise
        clause, length = longest_clause(max(soqls, key=len))
        raise OrgError(
            f"The query is too long for REST, whose URL has to hold it (its {clause} clause "
            f"has {length:,} characters), and Bulk API cannot run it: {error.message}",
            status=error.status,
            code=error.code,
            hint=f"Shorten the {clause} clause.",
        ) from error


def why_bulk(task: QueryTask) -> str:
    """What needs Bulk API 2.0."""
    if task.api is Api.BULK:
        return f"Task {task.name!r}, over Bulk API 2.0"
    return f"Task {task.name!r}, whose query is too long for a URL,"
