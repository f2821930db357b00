"""A Bulk query's pages in parallel: from version 58.0 the org lists them all in advance.

Knows `resultPages`. Each page goes into its own file, which is appended to the rows in order; only
a few are on disk at once. Never looks into a row.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from runner.errors import UnexpectedAnswerError
from runner.files import atomic_write
from runner.parallel import parallel_map
from runner.salesforce.http.messages import OrgRequest, path_of
from runner.salesforce.session import Session

THREADS = 4
"""Pages downloaded at once; the org lists five at a time."""
_CSV = {"Accept": "text/csv"}


@dataclass(frozen=True, slots=True)
class _Page:
    """A page on disk."""

    file: Path
    rows: int


def save_in_parallel(
    session: Session, path: str, to: Path, *, report: Callable[[int], None]
) -> int:
    """Save every page of a result as one file, in their order, with one header.

    Args:
        session: The org, at 58.0 or above.
        path: Of the query job.
        to: The file; appears when it is complete. No page files are left beside it.
        report: Is given the rows so far, after each page.

    Returns:
        Rows, as the org counts them.

    Raises:
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages form a loop, or one does not say how many rows it has.
    """
    with atomic_write(to) as temporary, temporary.open("wb") as out:
        return _append_pages(session, path, out, to.with_name(f".{to.name}.page"), report)


def _append_pages(
    session: Session, path: str, out: BinaryIO, beside: Path, report: Callable[[int], None]
) -> int:
    numbers = count()

    def fetch(url: str) -> _Page:
        return _fetched(session, url, beside.with_name(f"{beside.name}-{next(numbers)}"))

    rows = 0
    try:
        for page in parallel_map(fetch, _urls(session, path), THREADS):
            _append(page.file, out, header=out.tell() == 0)
            rows += page.rows
            report(rows)
    finally:
        for file in beside.parent.glob(f"{beside.name}-*"):
            file.unlink(missing_ok=True)
    return rows


def _urls(session: Session, path: str) -> Iterator[str]:
    asked: set[str] = set()
    following = f"{path}/resultPages"
    while following not in asked:
        asked.add(following)
        answer = session.request("GET", following).json_object("resultPages")
        yield from (path_of(str(page["resultUrl"])) for page in answer["resultPages"])
        further = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
        if answer.get("done", not further) or not further:
            return
        following = path_of(str(further))
    raise UnexpectedAnswerError(f"The pages of {path} form a loop")


def _fetched(session: Session, url: str, file: Path) -> _Page:
    with file.open("wb") as stream:

        def receive(chunks: Iterator[bytes]) -> None:
            stream.seek(0)
            stream.truncate()
            stream.writelines(chunks)

        answer = session.download(OrgRequest("GET", url, headers=_CSV), receive)
    counted: Any = answer.headers.get("sforce-numberofrecords")
    if counted is None:
        raise UnexpectedAnswerError(f"The org does not say how many rows {url} contains")
    return _Page(file, int(counted))


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
