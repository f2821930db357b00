"""How often a Bulk job is asked for its state, and for how long.

Pure. Knows deadlines. Knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.engine.context import Context, Deadline
from runner.salesforce.bulk.job import Pace, StillUnderWayError

PATIENCE_SECONDS = 24 * 3600.0
"""How long a job may take where the task has no timeout."""
LONGEST_IN_FIRST_WAITS = 30.0


def poll_pace(context: Context, deadline: Deadline) -> Pace:
    """Growing waits from the run's first to thirty times that, up to the task's deadline."""
    first = context.first_poll_seconds
    left = deadline.seconds_left
    return Pace(
        first_seconds=first,
        longest_seconds=first * LONGEST_IN_FIRST_WAITS,
        total_seconds=PATIENCE_SECONDS if left is None else left,
    )


@contextmanager
def deadline_errors(deadline: Deadline) -> Iterator[None]:
    """Let the deadline say whose time is up, where it is one that cut a wait short."""
    try:
        yield
    except StillUnderWayError as error:
        raise (error if deadline.seconds_left is None else deadline.error()) from error
