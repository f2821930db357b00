"""What ingest jobs and query jobs of Bulk API 2.0 share: states and the wait for their end.

Knows nothing of what a job carries. Source: Bulk API 2.0 guide.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec import Struct

from runner.errors import OrgError, TransientError
from runner.lanes import idle
from runner.salesforce.http.error_bodies import Fault, hint_of, is_spent
from runner.salesforce.http.json_answers import Count, read_json
from runner.salesforce.http.messages import OrgResponse
from runner.salesforce.http.retry import Pause, Retrier

_LARGEST_EXPONENT = 32


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


class JobInfo(Struct, frozen=True):
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


class Pace(Struct, frozen=True):
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
    with idle():
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
