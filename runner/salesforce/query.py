"""SOQL over the REST API, page by page.

Knows `query`, `queryAll` and how a page leads to the next. Knows nothing of what is done with the
records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runner.errors import UnexpectedAnswerError
from runner.salesforce.session import Session
from runner.salesforce.wire import OrgRequest, OrgResponse, path_of

URL_LIMIT_BYTES = 16_384
"""The org's most for the URL and the headers together; above it answers 414 or 431."""
_PARTS = ("totalSize", "done", "records")
_HEADERS_BYTES = 4_096
"""Left for the headers: an access token may be a long JWT."""


@dataclass(frozen=True, slots=True)
class QueryPage:
    """Up to 2,000 records."""

    total_size: int
    """Records of the whole query, as the org counted them at its start."""
    records: list[dict[str, Any]]
    """As the org gave them: `attributes` first, parents nested, child queries as they came."""


def pages(session: Session, soql: str, *, deleted: bool = False) -> Iterator[QueryPage]:
    """Run a query; a query that finds nothing gives one empty page.

    Args:
        session: The org.
        soql: The query, its binds replaced; see `fits_url`.
        deleted: Find deleted and archived records too.

    Raises:
        OrgError: The org refused the query or one of its pages.
        UnexpectedAnswerError: Its pages lead in a circle.
    """
    answer = session.send(query_request(soql, deleted=deleted)).json_object(*_PARTS)
    followed: set[str] = set()
    while True:
        yield QueryPage(int(answer["totalSize"]), answer["records"])
        if answer["done"]:
            return
        following = path_of(str(answer.get("nextRecordsUrl") or ""))
        if following == "/" or following in followed:
            raise UnexpectedAnswerError(
                "The pages of the query lead nowhere",
                hint="Run the query again, or as `api: bulk`.",
            )
        followed.add(following)
        answer = session.request("GET", following).json_object(*_PARTS)


def _page(response: OrgResponse) -> dict[str, Any]:
    """A page with its fractional numbers as the org spelled them: a float would lose digits."""
    response.json_object()
    page: dict[str, Any] = json.loads(response.body, parse_float=str)
    return page


def query_request(soql: str, *, deleted: bool = False) -> OrgRequest:
    """The request for a query's first page."""
    return OrgRequest("GET", "/queryAll" if deleted else "/query", params={"q": soql})


def fits_url(soql: str) -> bool:
    """Whether a query can be asked for over REST; a longer one takes a Bulk query."""
    target = query_request(soql, deleted=True).target
    return len(target) <= URL_LIMIT_BYTES - _HEADERS_BYTES
