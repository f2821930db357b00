"""A Bulk query's pages in parallel: from version 58.0 the org lists them all in advance.

Knows `resultPages`. The first page goes straight into the file of the rows, each other into its own
file, which is appended to them in order; only a few are on disk at once. Never looks into a row.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runner.errors import DamagedAnswerError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.parallel import parallel_map
from runner.salesforce.bulk.csv_pages import (
    CsvPage,
    Grown,
    Rewrite,
    Tell,
    as_it_is,
    end_line,
    unwatched,
    write_page,
)
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgRequest, path_of
from runner.salesforce.session import Session

THREADS = 4
"""Pages downloaded at once; the org lists five at a time."""
_CSV = {"Accept": "text/csv"}


class _Page(Struct, frozen=True):
    """A page on disk."""

    file: Path | None
    """None if it is where it belongs."""
    rows: int
    header: bytes
    line_end: bytes


def save_in_parallel(  # noqa: PLR0913 - a path, and how it is called, counted and saved
    session: Session,
    path: str,
    to: Path,
    *,
    what: str,
    report: Callable[[int], None],
    rewrite: Rewrite = as_it_is,
    grown: Grown = unwatched,
) -> int:
    """Save every page of a result as one file, in their order, with one header.

    Args:
        session: The org, at 58.0 or above.
        path: Of the query job.
        to: The file; appears when it is complete. No page files are left beside it.
        what: Names the result in messages.
        report: Is given the rows so far, after each page.
        rewrite: Changes each page before any of it is saved.
        grown: Gets how much has arrived of the temporary file that becomes the file.

    Returns:
        Rows, as the org counts them and as they arrived.

    Raises:
        DamagedAnswerError: However often it was asked for, a page arrived short or garbled.
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages form a loop or are listed twice, or one does not say how
            many rows it has.
    """
    with atomic_write(to) as temporary, temporary.open("w+b") as out:

        def tell(size: int, rows: int) -> None:
            grown(temporary, size, rows)

        return _append_pages(_Result(session, path, what, rewrite), out, to, report, tell)


class _Result(Struct, frozen=True):
    """The result of a query job, and what it is called in messages."""

    session: Session
    path: str
    what: str
    rewrite: Rewrite


def _append_pages(
    result: _Result, out: BinaryIO, to: Path, report: Callable[[int], None], tell: Tell
) -> int:
    beside = to.with_name(f".{to.name}.page")

    def fetch(numbered: tuple[int, str]) -> _Page:
        number, url = numbered
        if number == 0:
            return _received(result, url, out, tell)
        file = beside.with_name(f"{beside.name}-{number}")
        with file.open("wb") as stream:
            return replace(_received(result, url, stream, _unwatched), file=file)

    rows = 0
    first: bytes | None = None
    try:
        for page in parallel_map(fetch, enumerate(_urls(result)), THREADS):
            if first not in (None, page.header):
                reason = "a page has another header than the first"
                raise DamagedAnswerError(f"The {result.what}", reason)
            if page.file is not None:
                _append(page.file, out)
            end_line(out, page.line_end)
            first = page.header
            rows += page.rows
            tell(out.tell(), rows)
            report(rows)
    finally:
        for file in beside.parent.glob(f"{beside.name}-*"):
            file.unlink(missing_ok=True)
    return rows


class _ListedPage(msgspec.Struct, rename="camel"):
    result_url: str


class _PageList(msgspec.Struct, rename="camel"):
    result_pages: list[_ListedPage]
    done: bool | None = None
    next_records_url: str | None = None
    next_record_url: str | None = None


def _urls(result: _Result) -> Iterator[str]:
    asked: set[str] = set()
    listed: set[str] = set()
    following = f"{result.path}/resultPages"
    while following not in asked:
        asked.add(following)
        answer = read_json(result.session.request("GET", following), _PageList)
        for url in (path_of(page.result_url) for page in answer.result_pages):
            if url in listed:
                raise UnexpectedAnswerError(f"The pages of {result.path} are listed more than once")
            listed.add(url)
            yield url
        further = answer.next_records_url or answer.next_record_url
        if answer.done or not further:
            return
        following = path_of(further)
    raise UnexpectedAnswerError(f"The pages of {result.path} form a loop")


def _unwatched(_size: int, _rows: int) -> None:
    """Nobody reads a page that has a file of its own."""


def _received(result: _Result, url: str, stream: BinaryIO, tell: Tell) -> _Page:
    pages: list[CsvPage] = []

    def receive(headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
        stream.seek(0)
        stream.truncate()
        page = CsvPage(result.what, headers)
        pages[:] = [page]
        write_page(result.rewrite(page.read(chunks)), stream, page, tell)
        page.check()

    result.session.download(OrgRequest("GET", url, headers=_CSV), receive)
    page = pages[0]
    if page.declared is None:
        raise UnexpectedAnswerError(f"The org does not say how many rows {url} contains")
    return _Page(None, page.records, page.header, page.line_end)


def _append(file: Path, out: BinaryIO) -> None:
    """Append a page without its header, which, of API names, contains no line ends."""
    with file.open("rb") as page:
        page.readline()
        _copy(page, page.tell(), out)
    file.unlink()


def _copy(page: BinaryIO, start: int, out: BinaryIO) -> None:
    """Copy the rest of a page inside the system where that is possible."""
    place, end = start, os.fstat(page.fileno()).st_size
    with suppress(OSError):
        while place < end:
            sent = os.sendfile(out.fileno(), page.fileno(), place, end - place)
            if not sent:
                break
            place += sent
    out.seek(0, os.SEEK_END)
    page.seek(place)
    shutil.copyfileobj(page, out)
