"""Runs one query job, and splits its result into pages.

The result is one CSV file with an index of where each row starts (8 bytes per row), so a page can
start at any row without reading the rows before it.

Knows jobs, their files and `soql.prepare`. Knows no HTTP and no threads.
"""

from __future__ import annotations

import base64
import binascii
import csv
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from msgspec import Struct

from runner.local_org import soql
from runner.local_org.bulk.jobs import DELIMITERS, LINE_ENDINGS, Job, Jobs
from runner.local_org.oauth.users import user_of_id
from runner.local_org.org import Org, User

RESULT = "result.csv"
INDEX = "result.index"
_PLACE_BYTES = 8
_BLOCK = 256 * 1024
_ROWS_BETWEEN_CHECKS = 5_000


def prepared(org: Org, job: Job, user: User) -> soql.Prepared:
    """The query of a job, ready to run.

    Raises:
        ApiRefusal: the SOQL is invalid.
    """
    return soql.prepare(
        org, job.query, user=user, version=job.api_version, all_rows=job.operation == "queryAll"
    )


def run_query(org: Org, job: Job, should_continue: Callable[[Job], bool]) -> Job | None:
    """Write the result of a job; returns the finished job, or None if it was stopped."""
    started = monotonic()
    jobs = org.part(Jobs)
    folder = jobs.folder(job)
    query = prepared(org, job, user_of_id(org, job.user_id) or org.user)
    with (
        org.store.reading() as conn,
        (folder / RESULT).open("wb") as result,
        (folder / INDEX).open("wb") as index,
    ):
        sink = _Sink(result, index)
        writer = csv.writer(
            sink,
            delimiter=DELIMITERS[job.delimiter],
            lineterminator=LINE_ENDINGS[job.line_ending],
            quoting=csv.QUOTE_ALL,
        )
        writer.writerow(query.columns)
        rows = 0
        for values in query.flat(conn):
            if rows % _ROWS_BETWEEN_CHECKS == 0 and not should_continue(job):
                return None
            writer.writerow(values)
            rows += 1
        sink.close()
    elapsed_ms = int((monotonic() - started) * 1000)
    return jobs.change(job, rows_done=rows, total_ms=elapsed_ms, active_ms=elapsed_ms)


class _Sink:
    """Receives lines from the csv writer and records where each starts."""

    def __init__(self, result: BinaryIO, index: BinaryIO) -> None:
        self._result = result
        self._index = index
        self._places = array("Q")
        self._at = 0

    def write(self, line: str) -> None:
        self._places.append(self._at)
        self._at += self._result.write(line.encode())
        if len(self._places) >= _BLOCK // _PLACE_BYTES:
            self._flush()

    def close(self) -> None:
        # The end of the last row is where the next would start.
        self._places.append(self._at)
        self._flush()

    def _flush(self) -> None:
        self._index.write(self._places.tobytes())
        self._places = array("Q")


class ResultPage(Struct, frozen=True):
    """Some rows of a result, with its header."""

    folder: Path
    start: int
    """First row, from 0."""
    rows: int
    total: int

    @property
    def next_locator(self) -> str | None:
        """Locator of the next page; None after the last."""
        end = self.start + self.rows
        return locator_of(end) if end < self.total else None

    def blocks(self) -> Iterator[bytes]:
        """The page's CSV."""
        with (self.folder / INDEX).open("rb") as index, (self.folder / RESULT).open("rb") as result:
            yield result.read(_place(index, 1))
            at, end = _place(index, 1 + self.start), _place(index, 1 + self.start + self.rows)
            result.seek(at)
            while at < end:
                block = result.read(min(_BLOCK, end - at))
                at += len(block)
                yield block


def page_of(folder: Path, start: int, most: int) -> ResultPage | None:
    """Up to `most` rows from `start` on; None if the result has fewer rows."""
    total = (folder / INDEX).stat().st_size // _PLACE_BYTES - 2
    if start > total or (start == total and start > 0):
        return None
    return ResultPage(folder, start, min(most, total - start), total)


def locator_of(row: int) -> str:
    """An opaque locator, as short as Salesforce's."""
    return base64.b64encode(str(row).encode()).decode().rstrip("=")


def row_of(locator: str) -> int | None:
    """The row of a locator; None if the locator is not one of ours."""
    try:
        text = base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def _place(index: BinaryIO, line: int) -> int:
    """Where a line starts; line 0 is the header."""
    index.seek(line * _PLACE_BYTES)
    places = array("Q")
    places.frombytes(index.read(_PLACE_BYTES))
    return places[0]
