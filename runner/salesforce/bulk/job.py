"""A Bulk API 2.0 job as the org tells it, and the waiting for its end.

Knows the states that ingest jobs and query jobs share. Knows nothing of what a job carries.
Source: Bulk API 2.0 guide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runner.errors import OrgError, TransientError
from runner.salesforce.http.error_bodies import Fault, hint_of, is_spent
from runner.salesforce.http.messages import OrgResponse
from runner.salesforce.http.retry import Pause, Retrier

_LARGEST_EXPONENT = 32


class StillUnderWayError(TransientError):
    """A job had not ended when the time to wait for it was up; it goes on in the org."""


class JobState(StrEnum):
    """Where a job is on its way."""

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
    """A JobState; a text that this release does not know is one that has not ended."""
    sobject: str | None = None
    processed: int = 0
    """Rows done so far, failed ones included."""
    failed: int = 0
    message: str | None = None
    """Why an ingest job failed; a query job may not say."""

    @property
    def ended(self) -> bool:
        """Whether it will change no more."""
        return self.state in ENDS


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask for a job's state. Each time costs an API request."""

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    factor: float = 1.5
    total_seconds: float | None = None
    """How long to wait for the job's end; None: as long as it takes."""

    def wait_seconds(self, asked: int) -> float:
        """The wait that follows this many questions."""
        grown = self.first_seconds * self.factor ** min(asked - 1, _LARGEST_EXPONENT)
        return min(self.longest_seconds, grown)


def job_of(response: OrgResponse) -> JobInfo:
    """Read a job; what an answer leaves out is not known.

    Raises:
        UnexpectedAnswerError: It tells of no job.
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
    """The error that a job's end stands for; None for a job that is complete.

    A failed job may have committed rows all the same: its result sets tell.
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
