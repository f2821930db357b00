"""What ingest jobs and query jobs of Bulk API 2.0 share: states, the wait for their end, results.

Knows result pages, their locators and repeated headers. Knows nothing of what a job carries and
never looks into a row. Source: Bulk API 2.0 guide.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from runner.errors import OrgError, TransientError, TransportError, UnexpectedAnswerError
from runner.files import atomic_write
from runner.salesforce.http.error_bodies import Fault, hint_of, is_spent
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
        UnexpectedAnswerError: It describes no job.
    """
    answer = response.json_object("id", "state")
    return JobInfo(
        id=str(answer["id"]),
        state=str(answer["state"]),
        sobject=answer.get("object"),
        processed=int(answer.get("numberRecordsProcessed") or 0),
        failed=int(answer.get("numberRecordsFailed") or 0),
        message=answer.get("errorMessage") or None,
    )


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


def save_pages(
    session: Session,
    path: str,
    to: Path,
    *,
    report: Callable[[int], None] | None = None,
) -> int | None:
    """Save a CSV that comes in pages as one file with one header.

    A page that breaks off is fetched again from its start. The file appears when it is complete.

    Args:
        session: The org.
        path: Of the results.
        to: The file; replaced where there is one.
        report: Is given the rows so far, after each page.

    Returns:
        Rows, as the org counts them; None where it does not.

    Raises:
        OrgError: The org refused.
        StateError: The file cannot be written.
        UnexpectedAnswerError: The pages form a loop.
    """
    rows: int | None = None
    with atomic_write(to) as temporary, temporary.open("w+b") as file:
        for answer in _pages(session, path, file):
            counted = answer.headers.get("sforce-numberofrecords")
            if counted is not None:
                rows = (rows or 0) + int(counted)
            if report is not None:
                report(rows or 0)
    return rows


def _pages(session: Session, path: str, file: BinaryIO) -> Iterator[OrgResponse]:
    followed: set[str] = set()
    params: dict[str, str] = {}
    while True:
        request = OrgRequest("GET", path, headers={"Accept": "text/csv"}, params=params)
        answer = _append(session, request, file, first=not followed)
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise TransportError(
                f"A proxy answered {path} with a web page instead of the org.",
                may_have_arrived=True,
                hint="`runner resume` asks again; if it keeps happening, check the proxy.",
            )
        yield answer
        locator = answer.headers.get("sforce-locator", "")
        if locator in _LAST_PAGE:
            return
        if locator in followed:
            raise UnexpectedAnswerError(f"The pages of {path} form a loop")
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
