"""SOQL over the REST API, page by page.

Knows `query`, `queryAll` and how a page links to the next. Knows nothing of what the records are
for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from runner.errors import UnexpectedAnswerError
from runner.parallel import one_ahead
from runner.salesforce.http.messages import OrgRequest, OrgResponse, path_of
from runner.salesforce.session import Session

URL_LIMIT_BYTES = 16_384
"""The org's limit for the URL and headers together; above it answers 414 or 431."""
_HEADERS_BYTES = 4_096
"""Reserved for the headers: an access token may be a long JWT."""


class QueryPage(msgspec.Struct, frozen=True, rename="camel"):
    """Up to 2,000 records."""

    total_size: int
    """Records of the whole query, as the org counted them at the start."""
    done: bool
    raw: msgspec.Raw = msgspec.field(name="records")
    """The records as a JSON array, as the org sent it."""
    next_records_url: str | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records, parsed: `attributes` first, parents and child queries nested."""
        found: list[dict[str, Any]] = json.loads(bytes(self.raw))
        return found


_PAGE = msgspec.json.Decoder(QueryPage)


def pages(session: Session, soql: str, *, deleted: bool = False) -> Iterator[QueryPage]:
    """Run a query; a query that finds nothing yields one empty page.

    Each page is requested while the one before it is in use.

    Args:
        session: The org.
        soql: The query, with its binds replaced; see `fits_url`.
        deleted: Find deleted and archived records too.

    Raises:
        OrgError: The org refused the query or one of its pages.
        UnexpectedAnswerError: Its pages form a loop.
    """
    page = _page_of(session.send(query_request(soql, deleted=deleted)))
    yield page
    if not page.done:
        yield from one_ahead(pages_from(session, page.next_records_url or ""))


def pages_from(session: Session, url: str) -> Iterator[QueryPage]:
    """Follow a `nextRecordsUrl` to the end: the rest of a list of children.

    Raises:
        OrgError: The org refused one of its pages.
        UnexpectedAnswerError: Its pages form a loop.
    """
    followed: set[str] = set()
    following: str | None = url
    while following is not None:
        page = _page_of(session.request("GET", _path_to(following, followed)))
        following = None if page.done else page.next_records_url or ""
        yield page


def _path_to(url: str, followed: set[str]) -> str:
    path = path_of(url)
    if path == "/" or path in followed:
        raise UnexpectedAnswerError(
            "The link to the query's next page is missing or repeats",
            hint="Run the query again, or with `api: bulk`.",
        )
    followed.add(path)
    return path


def _page_of(answer: OrgResponse) -> QueryPage:
    try:
        return _PAGE.decode(answer.body)
    except msgspec.MsgspecError as error:
        answer.json_object("totalSize", "done", "records")  # says what is missing
        raise UnexpectedAnswerError(
            f"The org's answer is not a page of a query: {error}", status=answer.status
        ) from error


def query_request(soql: str, *, deleted: bool = False) -> OrgRequest:
    """The request for a query's first page."""
    return OrgRequest("GET", "/queryAll" if deleted else "/query", params={"q": soql})


def fits_url(soql: str) -> bool:
    """Whether a query is short enough for REST; a longer one needs Bulk."""
    target = query_request(soql, deleted=True).target
    return len(target) <= URL_LIMIT_BYTES - _HEADERS_BYTES
