"""What to do next about one part of a Bulk write: one table for a fresh run, a resume and a retry.

Pure: from what the ledger says and what the org says to a step. Knows nothing of requests, files
or how a step is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.salesforce.bulk.job import ENDS, JobState

INTENDED = "intended"
"""In the ledger: nothing of the part was sent, or its job was made and not noted."""
COLLECTED = "collected"
"""In the ledger: the job has ended and its result sets are on this machine."""
GONE = "gone"
"""What the org says of a job that it no longer knows; results are kept for seven days."""


class Step(StrEnum):
    """What can be done about a part."""

    SWEEP = "sweep"
    """Abort open jobs that an earlier process made for it and had no time to note."""
    CREATE = "create"
    """Make a job and note its Id."""
    UPLOAD = "upload"
    """Hand the part over and close the job."""
    ASK = "ask"
    """Ask the org how the job stands."""
    ABORT = "abort"
    """Give an open job up: it has processed nothing, and nobody knows what it holds."""
    WAIT = "wait"
    """Wait for the job's end."""
    COLLECT = "collect"
    """Download the result sets."""
    ACCOUNT = "account"
    """Nothing is left to ask: take in what was collected."""
    RESTART = "restart"
    """Forget the job; its rows can be sent again without harm."""
    DOUBT = "doubt"
    """Nobody can tell any more: the rows are in doubt, and are not sent again."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """What is known of a part."""

    noted: str = INTENDED
    """Its state in the ledger: INTENDED, a JobState, or COLLECTED."""
    has_job: bool = False
    """Whether the ledger has a job's Id."""
    inherited: bool = False
    """Whether an earlier process wrote that down, and nothing was found out since."""
    made_here: bool = False
    """Whether this process made the job and has not handed anything over yet."""
    told: str | None = None
    """A JobState or GONE, as the org told this process last; None when it was not asked."""
    repeatable: bool = False
    """Whether sending the rows twice is the same as once; not so for creates."""


def next_step(part: PartStatus) -> Step:
    """Decide; total, and the same each time."""
    if part.noted == COLLECTED:
        return Step.ACCOUNT
    if not part.has_job:
        return Step.SWEEP if part.inherited else Step.CREATE
    if part.told is None:
        return Step.ASK
    if part.told == GONE:
        return Step.RESTART if part.repeatable else Step.DOUBT
    if part.told == JobState.OPEN:
        return Step.UPLOAD if part.made_here else Step.ABORT
    return Step.COLLECT if part.told in ENDS else Step.WAIT
