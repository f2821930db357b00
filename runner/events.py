"""What happens during a run, told as values to whoever listens.

Knows the events. Knows nothing of who listens or how an event is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.outcome import RunOutcome, TaskOutcome


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began."""

    run_id: str
    job: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Connected:
    """The org answered and the API version is settled."""

    instance_url: str
    org_id: str | None
    username: str | None
    api_version: str
    lifted_from: str | None
    """The default that the org no longer serves, where one was lifted."""


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task began."""

    task: str
    verb: str
    sobject: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is."""

    task: str
    rows_done: int
    rows_total: int | None = None
    parts_done: int = 0
    parts_total: int | None = None
    note: str = ""
    """State of a Bulk job, for one."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """A request is about to be sent again."""

    reason: str
    wait_seconds: float
    attempt: int
    """Number of the attempt that follows, the first try being 1: 2 at the first retry."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know that stops nothing."""

    message: str
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something about a source that a person did not say and should hear."""

    message: str
    task: str


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task ended."""

    outcome: TaskOutcome


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run ended."""

    outcome: RunOutcome


Event = (
    RunStarted
    | Connected
    | TaskStarted
    | Progress
    | Retrying
    | Warned
    | Noticed
    | TaskFinished
    | RunFinished
)
Sink = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listen to nothing."""
