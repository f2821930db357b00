"""What happens during a run, as values that a sink receives.

Knows the events. Knows nothing of the sinks or of how an event is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec import Struct

from runner.outcome import RunOutcome, TaskOutcome


class RunStarted(Struct, frozen=True):
    """A run started."""

    run_id: str
    job: str
    tasks: int
    """How many are to run: not those that were not asked for, or are disabled."""


class Connected(Struct, frozen=True):
    """The org answered, and the API version is chosen."""

    instance_url: str
    org_id: str | None
    username: str | None
    api_version: str


class ApiCallsCounted(Struct, frozen=True):
    """The org's count and limit of API calls, before and after the tasks."""

    used: int
    """By all users and apps, in the last 24 hours."""
    maximum: int


class TaskStarted(Struct, frozen=True):
    """A task started."""

    task: str
    verb: str
    sobject: str


class Progress(Struct, frozen=True):
    """Progress of a task."""

    task: str
    rows_done: int
    rows_total: int | None = None
    parts_done: int = 0
    parts_total: int | None = None
    note: str = ""
    """For example the state of a Bulk job."""


class Retrying(Struct, frozen=True):
    """A request is about to be sent again."""

    reason: str
    wait_seconds: float
    attempt: int
    """Number of the attempt that follows, the first try being 1: 2 at the first retry."""


class Warned(Struct, frozen=True):
    """A problem that stops nothing."""

    message: str
    task: str | None = None


class Noticed(Struct, frozen=True):
    """An assumption or a choice that the job does not state."""

    message: str
    task: str


class TaskFinished(Struct, frozen=True):
    """A task finished."""

    outcome: TaskOutcome


class RunFinished(Struct, frozen=True):
    """A run finished."""

    outcome: RunOutcome


Event = (
    RunStarted
    | Connected
    | ApiCallsCounted
    | TaskStarted
    | Progress
    | Retrying
    | Warned
    | Noticed
    | TaskFinished
    | RunFinished
)
Sink = Callable[[Event], None]


class Requested(Struct, frozen=True):
    """A request to the org ended; too many of them for a log."""

    method: str
    url: str
    """Absolute, without its query string."""
    began: float
    """Seconds since 1970."""
    seconds: float
    status: int | None
    """None: no answer came."""
    error: str | None = None
    """The kind of error, if no complete answer came."""
    resends: int = 0
    """How often it was sent before."""
    task: str | None = None


class Observer:
    """A sink that also sees each request, and the part that a thread is at."""

    def __call__(self, event: Event) -> None:
        """Receive an event."""
        raise NotImplementedError

    def part(self, task: str, name: str) -> AbstractContextManager[None]:
        """Note that this thread sends a part of a task while the block runs."""
        raise NotImplementedError

    def requested(self, request: Requested) -> None:
        """Receive a request that has ended."""
        raise NotImplementedError


def ignore(_event: Event) -> None:
    """Do nothing with an event."""
