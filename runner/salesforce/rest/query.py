"""SOQL over the REST API, page by page.

Knows `query`, `queryAll` and how a page links to the next. Knows nothing of what the records are
for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from runner.errors import OrgError, UnexpectedAnswerError
from runner.parallel import one_ahead
from runner.salesforce.http.json_answers import check_whole, read_json
from runner.salesforce.http.messages import OrgRequest, OrgResponse, path_of
from runner.salesforce.session import Session

URL_LIMIT_BYTES = 16_384
"""The org's limit for the URL and headers together; above it answers 414 or 431."""
LOST_CURSOR = "INVALID_QUERY_LOCATOR"
"""The org's code for a page that is gone: its cursor has expired, or ended with its session."""
LONGEST_QUERY = 100_000
"""Characters of a query that the org accepts, with either API."""
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
        return self._parsed()

    @property
    def texts(self) -> list[dict[str, Any]]:
        """The records with their numbers as text: a double would lose digits."""
        return self._parsed(str)

    def _parsed(self, number: Callable[[str], object] | None = None) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads(
                bytes(self.raw), parse_float=number, parse_int=number
            )
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswerError("The org's answer to a query cannot be read.") from error
        return found


class ShortResultError(UnexpectedAnswerError):
    """A query's pages have fewer records, or more, than the org counted; to be read again."""


class _AnyRecord(msgspec.Struct):
    """A record, whatever its fields."""


_UNCOUNTED = re.compile(
    r"\s*SELECT\s+COUNT\(\s*\)|.*\sFROM\s+\w+__[xb]\b", re.IGNORECASE | re.DOTALL
)
"""Queries that count without records, and objects for which Salesforce does not promise a total."""


@cache
def _record_with(names: tuple[str, ...], nullable: tuple[str, ...]) -> type[msgspec.Struct]:
    """A record that has these fields, none of them null but those of the second list."""
    wanted: list[tuple[str, Any]] = [
        (name, str if name == "Id" else str | int | float | bool) for name in names
    ]
    return msgspec.defstruct("_Record", wanted + [(name, Any) for name in nullable])


def found_records(
    session: Session,
    soql: str,
    names: Sequence[str],
    *,
    nullable: Sequence[str] = (),
    deleted: bool = False,
) -> list[dict[str, Any]]:
    """Find a handful of records by their values; numbers are texts.

    A result of which pages are missing is read once more.

    Args:
        session: The org.
        soql: The query.
        names: The fields that it selects, none of which can be null.
        nullable: Other members that each record must have.
        deleted: Find deleted and archived records too.

    Raises:
        OrgError: As `pages`.
        UnexpectedAnswerError: A record lacks one of the fields.
    """
    form = _record_with(tuple(names), tuple(nullable))

    def read() -> list[dict[str, Any]]:
        found = pages(session, soql, deleted=deleted, form=form)
        return [record for page in found for record in page.texts]

    try:
        return read()
    except OrgError as error:
        if not isinstance(error, ShortResultError) and error.code != LOST_CURSOR:
            raise
        return read()


class ReadPage(Protocol):
    """A page that the caller has read itself."""

    @property
    def done(self) -> bool:
        """Whether it is the last."""

    @property
    def next_records_url(self) -> str | None:
        """The link to the page that follows."""

    @property
    def count(self) -> int:
        """How many records it has."""


_Page = TypeVar("_Page", bound=ReadPage)


def _unread(_answer: bytes) -> None:
    """Leave every page as the org sent it."""


def pages(
    session: Session,
    soql: str,
    *,
    deleted: bool = False,
    form: type[msgspec.Struct] = _AnyRecord,
    read: Callable[[bytes], _Page | None] = _unread,
) -> Iterator[QueryPage | _Page]:
    """Run a query; a query that finds nothing yields one empty page.

    Each page is requested while the one before it is in use.

    Args:
        session: The org.
        soql: The query, with its binds replaced; see `fits_url`.
        deleted: Find deleted and archived records too.
        form: What each record must be.
        read: Reads the answer of a page that follows, on whatever thread; what it returns is
            yielded instead. None where it is not whole, or not as it expects.

    Raises:
        OrgError: The org refused the query or one of its pages.
        ShortResultError: Its pages do not have as many records as the org counted.
        UnexpectedAnswerError: Its pages form a loop.
    """
    answer = session.send(query_request(soql, deleted=deleted))
    page = _page_of(answer)
    arrived = _count(page, answer, form)
    _check_filled(page, arrived)
    yield page
    if not page.done:
        for following, records in one_ahead(
            _pages_from(session, page.next_records_url or "", form, read)
        ):
            arrived += records
            yield following
    if arrived != page.total_size and not _UNCOUNTED.match(soql):
        raise ShortResultError(
            f"The org counted {page.total_size:,} records for the query, but its pages contain "
            f"{arrived:,}",
            hint="Run it again; if it stays so, use `api: bulk`, or check the proxy if there is "
            "one.",
        )


def pages_from(session: Session, url: str) -> Iterator[QueryPage]:
    """Follow a `nextRecordsUrl` to the end: the rest of a list of children.

    Raises:
        OrgError: The org refused one of its pages.
        UnexpectedAnswerError: Its pages form a loop.
    """
    for page, _ in _pages_from(session, url):
        yield page


def _pages_from(
    session: Session,
    url: str,
    form: type[msgspec.Struct] = _AnyRecord,
    read: Callable[[bytes], _Page | None] = _unread,
) -> Iterator[tuple[QueryPage | _Page, int]]:
    """The pages and how many records each has."""
    followed: set[str] = set()
    following: str | None = url
    while following is not None:
        page, count = _asked(session, _path_to(following, followed), form, read)
        _check_filled(page, count)
        following = None if page.done else page.next_records_url or ""
        yield page, count


def _asked(
    session: Session,
    path: str,
    form: type[msgspec.Struct],
    read: Callable[[bytes], _Page | None],
) -> tuple[QueryPage | _Page, int]:
    found: _Page | None = None

    def check(answer: OrgResponse) -> None:
        nonlocal found
        found = read(answer.body)
        if found is None:
            check_whole(answer)

    answer = session.send(OrgRequest("GET", path), check)
    if found is not None:
        return found, found.count
    page = _page_of(answer)
    return page, _count(page, answer, form)


def _check_filled(page: QueryPage | ReadPage, count: int) -> None:
    if not count and not page.done:
        raise ShortResultError("A page of the query has no records, but says that more follow")


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
    return read_json(answer, QueryPage)


def _count(page: QueryPage, answer: OrgResponse, form: type[msgspec.Struct]) -> int:
    """How many records a page has; checks the form of each."""
    listed: type[list[msgspec.Struct]] = list[form]  # type: ignore[valid-type]
    return len(read_json(replace(answer, body=bytes(page.raw)), listed))


def query_request(soql: str, *, deleted: bool = False) -> OrgRequest:
    """The request for a query's first page."""
    return OrgRequest("GET", "/queryAll" if deleted else "/query", params={"q": soql})


def fits_url(soql: str) -> bool:
    """Whether a query is short enough for REST; a longer one needs Bulk."""
    target = query_request(soql, deleted=True).target
    return len(target) <= URL_LIMIT_BYTES - _HEADERS_BYTES
