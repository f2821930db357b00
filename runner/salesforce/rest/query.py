"""SOQL over the REST API, page by page.

Knows `query`, `queryAll` and how a page leads to the next. Knows nothing of what is done with the
records.
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
"""The org's most for the URL and the headers together; above it answers 414 or 431."""
_HEADERS_BYTES = 4_096
"""Left for the headers: an access token may be a long JWT."""


class QueryPage(msgspec.Struct, frozen=True, rename="camel"):
    """Up to 2,000 records."""

    total_size: int
    """Records of the whole query, as the org counted them at its start."""
    done: bool
    raw: msgspec.Raw = msgspec.field(name="records")
    """The records as a JSON array, as the org gave it."""
    next_records_url: str | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records read: `attributes` first, parents and child queries nested."""
        found: list[dict[str, Any]] = json.loads(bytes(self.raw))
        return found


_PAGE = msgspec.json.Decoder(QueryPage)


def pages(session: Session, soql: str, *, deleted: bool = False) -> Iterator[QueryPage]:
    """Run a query; a query that finds nothing gives one empty page.

    Each page is asked for while the one before it is made use of.

    Args:
        session: The org.
        soql: The query, its binds replaced; see `fits_url`.
        deleted: Find deleted and archived records too.

    Raises:
        OrgError: The org refused the query or one of its pages.
        UnexpectedAnswerError: Its pages lead in a circle.
    """
    page = _page_of(session.send(query_request(soql, deleted=deleted)))
    yield page
    if not page.done:
        yield from one_ahead(pages_from(session, page.next_records_url or ""))


def pages_from(session: Session, url: str) -> Iterator[QueryPage]:
    """Follow a `nextRecordsUrl` to the end: what is left of a list of children.

    Raises:
        OrgError: The org refused one of its pages.
        UnexpectedAnswerError: Its pages lead in a circle.
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
            "The pages of the query lead nowhere",
            hint="Run the query again, or as `api: bulk`.",
        )
    followed.add(path)
    return path


def _page_of(answer: OrgResponse) -> QueryPage:
    try:
        return _PAGE.decode(answer.body)
    except msgspec.MsgspecError as error:
        answer.json_object("totalSize", "done", "records")  # says what is missing
        raise UnexpectedAnswerError(
            f"The org's answer is no page of a query: {error}", status=answer.status
        ) from error


def query_request(soql: str, *, deleted: bool = False) -> OrgRequest:
    """The request for a query's first page."""
    return OrgRequest("GET", "/queryAll" if deleted else "/query", params={"q": soql})


def fits_url(soql: str) -> bool:
    """Whether a query can be asked for over REST; a longer one takes a Bulk query."""
    target = query_request(soql, deleted=True).target
    return len(target) <= URL_LIMIT_BYTES - _HEADERS_BYTES
