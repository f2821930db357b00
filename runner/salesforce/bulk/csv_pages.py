"""Results in pages of CSV: saved as one file, and counted, so that a short page is noticed.

Bulk API says how many records a page has; a proxy, or a stream cut off in the wrong place, may
deliver fewer without any error of HTTP. Counts records, not lines: quoted values may contain line
ends. Knows locators, repeated headers, quotes and line ends, and never looks into a value.
Source: Bulk API 2.0 guide.
"""

from __future__ import annotations

import codecs
import io
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from runner.content_encoding import is_delimited
from runner.csv_rows import csv_reader
from runner.errors import DamagedAnswerError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.salesforce.bulk.line_ends import LineEnds
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.session import Session

_NOT_CSV = ("text/html", "application/json", "application/xml")
_BOM = codecs.BOM_UTF8
_LAST_PAGE = frozenset({"", "null"})
"""The locator of the last page; `null` is a text that the org writes."""


Rewrite = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Changes values of a page as it arrives; its header stays."""


def as_it_is(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Change nothing."""
    return chunks


Grown = Callable[[Path, int, int], None]
"""Gets, while a page is arriving, a file, how many bytes of it are there, and about how many rows.
Nobody has checked them; fewer bytes than before mean that a page comes again from its start."""


def unwatched(_file: Path, _size: int, _rows: int) -> None:
    """Nobody wants to know."""


class CsvPage:
    """One page; read it to its end, then check it."""

    def __init__(self, what: str, headers: Mapping[str, str]) -> None:
        """Expect a page.

        Args:
            what: Names it in messages: `result set failedResults of ingest job 750…`.
            headers: Those of its answer.

        Raises:
            DamagedAnswerError: They are not those of a CSV.
        """
        self._what = what
        kind = headers.get("content-type", "").lower()
        if kind.startswith(_NOT_CSV):
            raise self._damaged(f"it is {kind.partition(';')[0]} instead of CSV")
        self.declared = self._count_in(headers.get("sforce-numberofrecords"))
        """Records that the org says the page has; None where it does not."""
        self.header = b""
        """Its first line, without the line end."""
        self.line_end = b"\n"
        """Of its first line."""
        self._ends_with_connection = not is_delimited(headers)
        self._ends = LineEnds()
        self._tail = _Tail()

    @property
    def records(self) -> int:
        """How many have arrived, without the header."""
        return max(0, self._ends.count + self._tail.is_unended - 1)

    def read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass the page on as it arrives.

        Raises:
            DamagedAnswerError: It is cut off, corrupt or not UTF-8.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in chunks:
                if not self._ends.count:
                    self.header += chunk.partition(b"\n")[0]
                if b"\0" in chunk:
                    raise self._damaged("it has the character U+0000, which no org stores")
                decoder.decode(chunk)
                self._count(chunk)
                yield chunk
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise self._damaged("it is not UTF-8") from error
        except DamagedAnswerError as error:
            raise self._damaged(error.reason) from error
        if self.header.endswith(b"\r"):
            self.line_end = b"\r\n"
        self.header = self.header.removeprefix(_BOM).rstrip(b"\r")

    def check(self, expected: int | None = None) -> None:
        """Check that all of it has arrived, and nothing else.

        Args:
            expected: Its records, where they are known from elsewhere.

        Raises:
            DamagedAnswerError: It has another number of records or values, or is no CSV.
        """
        if self.header.lstrip()[:1] in {b"<", b"{", b"["}:
            raise self._damaged("it is not CSV")
        if self._ends.in_quotes:
            raise self._damaged("it ends within a quoted value")
        if self._ends_with_connection and not self._tail.is_ended:
            raise self._damaged("it ends without a line end, where its connection was closed")
        if self._tail.is_unended and self._ends.count and not self._tail.is_whole(self.header):
            raise self._damaged("its last record lacks values")
        for wanted in (self.declared, expected):
            if wanted is not None and self.records != wanted:
                raise self._damaged(f"{self.records:,} of {wanted:,} records arrived")
        if self.header and self._ends.commas != (self.records + 1) * (_cells(self.header) - 1):
            raise self._damaged("a record has more values or fewer than the header")

    def _count(self, chunk: bytes) -> None:
        began_in_quotes = self._ends.in_quotes
        has_line_end = self._ends.add(chunk) > 0
        self._tail.add(chunk, in_quotes=began_in_quotes, has_line_end=has_line_end)

    def _count_in(self, header: str | None) -> int | None:
        if header is None:
            return None
        if not header.isdecimal() or len(header) > _LONGEST_COUNT:
            raise self._damaged(f"its Sforce-NumberOfRecords is {header[:_LONGEST_COUNT]!r}")
        return int(header)

    def _damaged(self, why: str) -> DamagedAnswerError:
        return DamagedAnswerError(f"The {self._what}", why)


_LONGEST_COUNT = 20
"""Digits."""


class _Tail:
    """What has come since the last chunk began in which a record ended."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._began_in_quotes = False

    def add(self, chunk: bytes, *, in_quotes: bool, has_line_end: bool) -> None:
        """Take the next chunk; `in_quotes` says where it begins."""
        if has_line_end or not self._chunks:
            self._chunks, self._began_in_quotes = [], in_quotes
        if chunk:
            self._chunks.append(chunk)

    @property
    def is_ended(self) -> bool:
        return bool(self._chunks) and self._chunks[-1].endswith(b"\n")

    @property
    def is_unended(self) -> bool:
        return bool(self._chunks) and not self.is_ended

    def is_whole(self, header: bytes) -> bool:
        """Whether the last record has as many values as the header, quoted like it."""
        text = b'"' * self._began_in_quotes + b"".join(self._chunks)
        is_quoted = text.endswith(b'"') or not header.endswith(b'"')
        return is_quoted and _cells(text) == _cells(header)


def _cells(text: bytes) -> int:
    """How many values the last record of a CSV has."""
    records = csv_reader(io.StringIO(text.decode("utf-8", "replace"), newline=""))
    last = deque(records, maxlen=1)
    return len(last[0]) if last else 0


def save_pages(  # noqa: PLR0913 - a path, and how it is called and counted
    session: Session,
    path: str,
    to: Path,
    *,
    what: str,
    expected: int | None = None,
    report: Callable[[int], None] | None = None,
    rewrite: Rewrite = as_it_is,
    grown: Grown = unwatched,
) -> int | None:
    """Save a CSV that comes in pages as one file with one header.

    A page that breaks off or arrives damaged is fetched again from its start. The file appears
    when it is complete.

    Args:
        session: The org.
        path: Of the results.
        to: The file; replaced where there is one.
        what: Names the results in messages.
        expected: Records of all pages together, where they are known.
        report: Is given the rows so far, after each page.
        rewrite: Changes each page before any of it is saved.
        grown: Gets how much has arrived of the temporary file that becomes the file.

    Returns:
        Rows, as the org counts them and as they arrived; None where the org does not count them.

    Raises:
        DamagedAnswerError: However often they were asked for, they arrived short or garbled.
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages form a loop.
    """
    rows, is_counted = 0, False
    with atomic_write(to) as temporary, temporary.open("w+b") as file:

        def tell(size: int, more_rows: int) -> None:
            grown(temporary, size, rows + more_rows)

        for page in _pages(session, path, file, _Expected(what, None, expected, rewrite), tell):
            rows += page.records
            is_counted |= page.declared is not None
            if report is not None:
                report(rows)
    return rows if is_counted else None


def _pages(
    session: Session, path: str, file: BinaryIO, expected: _Expected, tell: Tell
) -> Iterator[CsvPage]:
    followed: set[str] = set()
    params: dict[str, str] = {}
    while True:
        request = OrgRequest("GET", path, headers={"Accept": "text/csv"}, params=params)
        answer, page = _append(session, request, file, expected, tell)
        yield page
        left = None if expected.records is None else max(0, expected.records - page.records)
        expected = replace(expected, header=page.header, records=left)
        locator = answer.headers.get("sforce-locator", "")
        if locator in _LAST_PAGE:
            return
        if locator in followed:
            raise UnexpectedAnswerError(f"The pages of {path} form a loop")
        followed.add(locator)
        params = {"locator": locator}


class _Expected(Struct, frozen=True):
    """What is known of a page before it arrives."""

    what: str
    header: bytes | None
    """None for the first page."""
    records: int | None
    """Of this page and all that follow; None where it is not known."""
    rewrite: Rewrite


def _append(
    session: Session, request: OrgRequest, file: BinaryIO, expected: _Expected, tell: Tell
) -> tuple[OrgResponse, CsvPage]:
    start = file.tell()
    pages: list[CsvPage] = []

    def receive(headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
        file.seek(start)
        file.truncate()
        page = CsvPage(expected.what, headers)
        pages[:] = [page]
        arriving = expected.rewrite(page.read(chunks))
        wanted = arriving if expected.header is None else _without_header(arriving)
        write_page(wanted, file, page, tell)
        is_last = headers.get("sforce-locator", "") in _LAST_PAGE
        page.check(expected.records if is_last else None)
        if expected.header not in (None, page.header):
            reason = "a page has another header than the first"
            raise DamagedAnswerError(f"The {expected.what}", reason)

    answer = session.download(request, receive)
    end_line(file, pages[0].line_end)
    tell(file.tell(), pages[0].records)
    return answer, pages[0]


Tell = Callable[[int, int], None]
"""Gets the size of a file, and how many rows of the page at its end are there."""


def write_page(chunks: Iterator[bytes], file: BinaryIO, page: CsvPage, tell: Tell) -> None:
    """Write a page to the end of a file as it arrives, and say so now and then."""
    size = told = file.tell()
    tell(told, 0)
    for chunk in chunks:
        size += file.write(chunk)
        if size - told >= _TOLD_BYTES:
            file.flush()
            tell(size, page.records)
            told = size


_TOLD_BYTES = 1 << 20


def _without_header(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Everything after the first line; a header of API names contains no line ends."""
    for chunk in chunks:
        _, found, rest = chunk.partition(b"\n")
        if found:
            yield rest
            break
    yield from chunks


def end_line(file: BinaryIO, line_end: bytes) -> None:
    """End the last line of a file as its others end, so that the next page starts a new one.

    Args:
        file: At its end; it can be read, too.
        line_end: Of its other lines.
    """
    if file.tell() > 0:
        file.seek(-1, os.SEEK_CUR)
        if file.read(1) != b"\n":
            file.write(line_end)
    file.flush()
