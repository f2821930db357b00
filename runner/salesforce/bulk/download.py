"""Bulk results from the org to a file: page by page, bytes untouched, whole or not at all.

Knows locators and headers that repeat. Never looks into a row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from runner.errors import TransportError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.session import Session

_LAST = frozenset({"", "null"})
"""The org writes the word where there is no further page."""


def save_pages(
    session: Session,
    path: str,
    to: Path,
    *,
    told: Callable[[int], None] | None = None,
) -> int | None:
    """Save a CSV that comes in pages as one file with one header.

    A page that breaks off is fetched again from its start. The file appears when it is whole.

    Args:
        session: The org.
        path: Of the results.
        to: The file; replaced where there is one.
        told: Is given the rows so far, after each page.

    Returns:
        Rows, as the org counts them; None where it does not.

    Raises:
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages lead in a circle.
    """
    rows: int | None = None
    with atomic_write(to) as temporary, temporary.open("w+b") as file:
        for answer in _pages(session, path, file):
            counted = answer.headers.get("sforce-numberofrecords")
            if counted is not None:
                rows = (rows or 0) + int(counted)
            if told is not None:
                told(rows or 0)
    return rows


def _pages(session: Session, path: str, file: BinaryIO) -> Iterator[OrgResponse]:
    followed: set[str] = set()
    params: dict[str, str] = {}
    while True:
        request = OrgRequest("GET", path, headers={"Accept": "text/csv"}, params=params)
        answer = _append(session, request, file, first=not followed)
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise TransportError(
                f"{path} was answered with a web page, by something in front of the org.",
                may_have_arrived=True,
                hint="`runner resume` asks again; check the proxy where it stays so.",
            )
        yield answer
        locator = answer.headers.get("sforce-locator", "")
        if locator in _LAST:
            return
        if locator in followed:
            raise UnexpectedAnswerError(f"The pages of {path} lead in a circle")
        followed.add(locator)
        params = {"locator": locator}


def _append(session: Session, request: OrgRequest, file: BinaryIO, *, first: bool) -> OrgResponse:
    start = file.tell()

    def receive(chunks: Iterator[bytes]) -> None:
        file.seek(start)
        file.truncate()
        file.writelines(chunks if first else _without_header(chunks))

    answer = session.download(request, receive)
    _end_line(file)
    return answer


def _without_header(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Everything after the first line; a header of API names holds no line end of its own."""
    for chunk in chunks:
        _, found, rest = chunk.partition(b"\n")
        if found:
            yield rest
            break
    yield from chunks


def _end_line(file: BinaryIO) -> None:
    """End the last line, so that the next page's first row does not join it."""
    if file.tell() == 0:
        return
    file.seek(-1, os.SEEK_CUR)
    if file.read(1) != b"\n":
        file.write(b"\n")
