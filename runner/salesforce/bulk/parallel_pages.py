"""A Bulk query's pages in parallel: from version 58.0 the org lists them all in advance.

Knows `resultPages`. Each page goes into its own file, which is appended to the rows in order; only
a few are on disk at once. Never looks into a row.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from runner.errors import DamagedAnswerError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.parallel import parallel_map
from runner.salesforce.bulk.csv_pages import CsvPage, Rewrite, as_it_is
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgRequest, path_of
from runner.salesforce.session import Session

THREADS = 4
"""Pages downloaded at once; the org lists five at a time."""
_CSV = {"Accept": "text/csv"}


class _Page(Struct, frozen=True):
    """A page on disk."""

    file: Path
    rows: int
    header: bytes


def save_in_parallel(  # noqa: PLR0913 - a path, and how it is called, counted and saved
    session: Session,
    path: str,
    to: Path,
    *,
    what: str,
    report: Callable[[int], None],
    rewrite: Rewrite = as_it_is,
) -> int:
    """Save every page of a result as one file, in their order, with one header.

    Args:
        session: The org, at 58.0 or above.
        path: Of the query job.
        to: The file; appears when it is complete. No page files are left beside it.
        what: Names the result in messages.
        report: Is given the rows so far, after each page.
        rewrite: Changes each page before any of it is saved.

    Returns:
        Rows, as the org counts them and as they arrived.

    Raises:
        DamagedAnswerError: However often it was asked for, a page arrived short or garbled.
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages form a loop, or one does not say how many rows it has.
    """
    with atomic_write(to) as temporary, temporary.open("wb") as out:
        return _append_pages(_Result(session, path, what, rewrite), out, to, report)


class _Result(Struct, frozen=True):
    """The result of a query job, and what it is called in messages."""

    session: Session
    path: str
    what: str
    rewrite: Rewrite


def _append_pages(result: _Result, out: BinaryIO, to: Path, report: Callable[[int], None]) -> int:
    numbers = count()
    beside = to.with_name(f".{to.name}.page")

    def fetch(url: str) -> _Page:
        return _fetched(result, url, beside.with_name(f"{beside.name}-{next(numbers)}"))

    rows = 0
    first: bytes | None = None
    try:
        for page in parallel_map(fetch, _urls(result), THREADS):
            if first not in (None, page.header):
                reason = "a page has another header than the first"
                raise DamagedAnswerError(f"The {result.what}", reason)
            _append(page.file, out, header=first is None)
            first = page.header
            rows += page.rows
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
    following = f"{result.path}/resultPages"
    while following not in asked:
        asked.add(following)
        answer = read_json(result.session.request("GET", following), _PageList)
        yield from (path_of(page.result_url) for page in answer.result_pages)
        further = answer.next_records_url or answer.next_record_url
        if answer.done or not further:
            return
        following = path_of(further)
    raise UnexpectedAnswerError(f"The pages of {result.path} form a loop")


def _fetched(result: _Result, url: str, file: Path) -> _Page:
    pages: list[CsvPage] = []
    with file.open("wb") as stream:

        def receive(headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
            stream.seek(0)
            stream.truncate()
            page = CsvPage(result.what, headers)
            pages[:] = [page]
            stream.writelines(result.rewrite(page.read(chunks)))
            page.check()

        result.session.download(OrgRequest("GET", url, headers=_CSV), receive)
    page = pages[0]
    if page.declared is None:
        raise UnexpectedAnswerError(f"The org does not say how many rows {url} contains")
    return _Page(file, page.records, page.header)


def _append(file: Path, out: BinaryIO, *, header: bool) -> None:
    """Append a page; a header of API names contains no line ends."""
    with file.open("rb") as page:
        if not header:
            page.readline()
        start = page.tell()
        out.flush()
        _copy(page, start, out)
        page.seek(0, os.SEEK_END)
        if page.tell() > start:
            page.seek(-1, os.SEEK_END)
            if page.read(1) != b"\n":
                out.write(b"\n")
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
