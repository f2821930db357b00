"""What to do next with one part of a Bulk write: one table for a new run, a resume and a retry.

Pure: from what the ledger says and what the org says to a step. Knows nothing of requests, files
or how a step is done.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from runner.salesforce.bulk.job import ENDS, JobState

INTENDED = "intended"
"""In the ledger: nothing of the part was sent, or its job was made but not recorded."""
COLLECTED = "collected"
"""In the ledger: the job has ended and its result sets are on this machine."""
GONE = "gone"
"""The org no longer knows the job: it deletes jobs and results after seven days."""


class Step(StrEnum):
    """What can be done with a part."""

    SWEEP = "sweep"
    """Abort open jobs that an earlier process made for it but did not record."""
    CREATE = "create"
    """Make a job and record its Id."""
    UPLOAD = "upload"
    """Upload the part and close the job."""
    ASK = "ask"
    """Ask the org for the job's state."""
    ABORT = "abort"
    """Abort an open job: it has processed nothing, and its contents are unknown."""
    WAIT = "wait"
    """Wait for the job's end."""
    COLLECT = "collect"
    """Download the result sets."""
    ACCOUNT = "account"
    """Nothing is left to ask: read the collected result sets."""
    RESTART = "restart"
    """Forget the job and make a new one; its rows can be sent again without harm."""
    DOUBT = "doubt"
    """The result can no longer be found out: the rows are in doubt and are not sent again."""


class PartStatus(Struct, frozen=True):
    """What is known of a part."""

    recorded: str = INTENDED
    """Its state in the ledger: INTENDED, a JobState, or COLLECTED."""
    has_job: bool = False
    """Whether the ledger has a job's Id."""
    inherited: bool = False
    """Whether an earlier process recorded that, and nothing was found out since."""
    made_here: bool = False
    """Whether this process made the job and has not uploaded anything yet."""
    org_state: str | None = None
    """A JobState or GONE, the org's last answer to this process; None when it was not asked."""
    repeatable: bool = False
    """Whether sending the rows twice is the same as once; not so for creates."""


def next_step(part: PartStatus) -> Step:
    """Decide; total, and the same each time."""
    if part.recorded == COLLECTED:
        return Step.ACCOUNT
    if not part.has_job:
        return Step.SWEEP if part.inherited else Step.CREATE
    if part.org_state is None:
        return Step.ASK
    if part.org_state == GONE:
        return Step.RESTART if part.repeatable else Step.DOUBT
    if part.org_state == JobState.OPEN:
        return Step.UPLOAD if part.made_here else Step.ABORT
    return Step.COLLECT if part.org_state in ENDS else Step.WAIT
