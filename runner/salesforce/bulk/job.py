"""What ingest jobs and query jobs of Bulk API 2.0 share: states, the wait for their end, results.

Knows result pages, their locators and repeated headers. Knows nothing of what a job carries and
never looks into a row. Source: Bulk API 2.0 guide.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec

from runner.errors import DamagedAnswerError, OrgError, TransientError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.salesforce.bulk.csv_pages import CsvPage
from runner.salesforce.http.error_bodies import Fault, hint_of, is_spent
from runner.salesforce.http.json_answers import Count, read_json
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry import Pause, Retrier
from runner.salesforce.session import Session

_LARGEST_EXPONENT = 32
_LAST_PAGE = frozenset({"", "null"})
"""The locator of the last page; `null` is a text that the org writes."""


class StillUnderWayError(TransientError):
    """A job did not end within the time to wait for it; it continues in the org."""


class JobState(StrEnum):
    """The states of a job."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"


ENDS = frozenset({JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED})


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job at one moment."""

    id: str
    state: str
    """A JobState; a state this release does not know counts as not ended."""
    sobject: str | None = None
    processed: int = 0
    """Rows processed so far, failed ones included."""
    failed: int = 0
    message: str | None = None
    """Why an ingest job failed; a query job may not say."""

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDS


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask for a job's state. Each question costs an API request."""

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    factor: float = 1.5
    total_seconds: float | None = None
    """How long to wait for the job's end; None: no limit."""

    def wait_seconds(self, asked: int) -> float:
        """The wait that follows this many questions."""
        grown = self.first_seconds * self.factor ** min(asked - 1, _LARGEST_EXPONENT)
        return min(self.longest_seconds, grown)


def job_of(response: OrgResponse) -> JobInfo:
    """Read a job from an answer.

    Raises:
        UnexpectedAnswerError: It does not describe a job.
    """
    answer = read_json(response, _JobAnswer)
    return JobInfo(
        id=answer.id,
        state=answer.state,
        sobject=answer.object,
        processed=answer.processed or 0,
        failed=answer.failed or 0,
        message=answer.error_message or None,
    )


class _JobAnswer(msgspec.Struct, rename="camel"):
    id: str
    state: str
    object: str | None = None
    processed: Count | None = msgspec.field(default=None, name="numberRecordsProcessed")
    failed: Count | None = msgspec.field(default=None, name="numberRecordsFailed")
    error_message: str | None = None


def wait_for_end(
    retrier: Retrier, ask: Callable[[], JobInfo], pace: Pace, report: Callable[[JobInfo], None]
) -> JobInfo:
    """Ask for a job's state, less and less often, until it has ended.

    Args:
        retrier: Waits.
        ask: Asks once.
        pace: When to ask.
        report: Is given each answer.

    Raises:
        StillUnderWayError: The time is up; the job continues in the org.
    """

    def pause_after(info: JobInfo, asked: int) -> Pause | None:
        report(info)
        return None if info.ended else Pause(pace.wait_seconds(asked))

    began = retrier.clock()
    info = retrier.repeat(ask, pause_after, total_seconds=pace.total_seconds)
    if not info.ended:
        raise StillUnderWayError(
            f"Bulk job {info.id} is still {info.state} after {retrier.clock() - began:.0f} s",
            hint="It continues in the org: see Setup > Bulk Data Load Jobs.",
        )
    return info


def failure_of(info: JobInfo) -> OrgError | None:
    """The error of a failed or aborted job; None for any other.

    A failed job may still have committed rows: see its result sets.
    """
    if info.state not in {JobState.FAILED, JobState.ABORTED}:
        return None
    code, separator, text = (info.message or "").partition(" : ")
    fault = Fault(code if separator else None, text or info.message or "the org gives no reason")
    spent = is_spent(Fault((fault.code or "").upper(), fault.message))
    return (TransientError if spent else OrgError)(
        f"Bulk job {info.id} is {info.state}: {info.message or fault.message}",
        code=fault.code,
        hint=hint_of(0, Fault((fault.code or "").upper(), fault.message)),
    )


def save_pages(  # noqa: PLR0913 - a path, and how it is called and counted
    session: Session,
    path: str,
    to: Path,
    *,
    what: str,
    expected: int | None = None,
    report: Callable[[int], None] | None = None,
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
        for page in _pages(session, path, file, what, expected):
            rows += page.records
            is_counted |= page.declared is not None
            if report is not None:
                report(rows)
    return rows if is_counted else None


def _pages(
    session: Session, path: str, file: BinaryIO, what: str, expected: int | None
) -> Iterator[CsvPage]:
    followed: set[str] = set()
    params: dict[str, str] = {}
    header: bytes | None = None
    while True:
        request = OrgRequest("GET", path, headers={"Accept": "text/csv"}, params=params)
        answer, page = _append(session, request, file, _Expected(what, header, expected))
        yield page
        header = page.header
        expected = None if expected is None else max(0, expected - page.records)
        locator = answer.headers.get("sforce-locator", "")
        if locator in _LAST_PAGE:
            return
        if locator in followed:
            raise UnexpectedAnswerError(f"The pages of {path} form a loop")
        followed.add(locator)
        params = {"locator": locator}


@dataclass(frozen=True, slots=True)
class _Expected:
    """What is known of a page before it arrives."""

    what: str
    header: bytes | None
    """None for the first page."""
    records: int | None
    """Of this page and all that follow; None where it is not known."""


def _append(
    session: Session, request: OrgRequest, file: BinaryIO, expected: _Expected
) -> tuple[OrgResponse, CsvPage]:
    start = file.tell()
    pages: list[CsvPage] = []

    def receive(headers: Mapping[str, str], chunks: Iterator[bytes]) -> None:
        file.seek(start)
        file.truncate()
        page = CsvPage(expected.what, headers)
        pages[:] = [page]
        arriving = page.read(chunks)
        file.writelines(arriving if expected.header is None else _without_header(arriving))
        is_last = headers.get("sforce-locator", "") in _LAST_PAGE
        page.check(expected.records if is_last else None)
        if expected.header not in (None, page.header):
            reason = "a page has another header than the first"
            raise DamagedAnswerError(f"The {expected.what}", reason)

    answer = session.download(request, receive)
    _end_line(file)
    return answer, pages[0]


def _without_header(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Everything after the first line; a header of API names contains no line ends."""
    for chunk in chunks:
        _, found, rest = chunk.partition(b"\n")
        if found:
            yield rest
            break
    yield from chunks


def _end_line(file: BinaryIO) -> None:
    """End the last line, so that the next page starts a new one."""
    if file.tell() == 0:
        return
    file.seek(-1, os.SEEK_CUR)
    if file.read(1) != b"\n":
        file.write(b"\n")
