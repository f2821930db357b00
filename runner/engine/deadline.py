"""When a task must end, and how often a Bulk job is polled until then.

Knows a task's `timeout`, the run's, and the reserve of API calls. Knows nothing of what a task
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runner.engine.api_reserve import ApiReserve
from runner.errors import RunnerError, TransientError
from runner.job.model import AnyTask
from runner.salesforce.bulk.job import Pace, StillUnderWayError

LONGEST_JOB_SECONDS = 24 * 3600.0
"""How long a Bulk job may run when neither the task nor the run has a timeout."""
RUN_TIMED_OUT = "The run took longer than its `--timeout`."
_LONGEST_IN_FIRST_WAITS = 30.0


def run_timed_out(hint: str = "`runner resume` continues where it stopped.") -> TransientError:
    """The error that ends a run when its `--timeout` is up."""
    return TransientError(RUN_TIMED_OUT, hint=hint)


class Deadline:
    """The moment at which a task's `timeout` or the run's is up; without one it never comes."""

    def __init__(
        self,
        task: AnyTask,
        clock: Callable[[], float],
        run_ends_at: float | None = None,
        began: float | None = None,
        reserve: ApiReserve | None = None,
    ) -> None:
        self._task = task
        self._clock = clock
        began = clock() if began is None else began
        own = None if task.timeout_seconds is None else began + task.timeout_seconds
        ends = [at for at in (own, run_ends_at) if at is not None]
        self._at = min(ends, default=None)
        self._is_own = own is not None and self._at == own
        self._reserve = reserve

    @property
    def at(self) -> float | None:
        """The moment, by the clock; None when there is none."""
        return self._at

    def named(self, error: RunnerError) -> RunnerError:
        """Why a task ended: the deadline, if it cut a wait short."""
        return self.error() if self.passed and isinstance(error, TransientError) else error

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline, never below zero; None when there is none."""
        return None if self._at is None else max(0.0, self._at - self._clock())

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self.seconds_left == 0.0

    def ended_by(self) -> TransientError | None:
        """Why the task must send nothing more: its time is up, or only the reserve is left."""
        if self.passed:
            return self.error()
        return self._reserve.error() if self._reserve else None

    def check(self) -> None:
        """Raise when nothing more may be sent.

        Raises:
            TransientError: The deadline has passed, or only the reserve of API calls is left.
        """
        error = self.ended_by()
        if error is not None:
            raise error

    def error(self) -> TransientError:
        """The error that ends the task when the time is up."""
        if not self._is_own:
            return run_timed_out()
        return TransientError(
            f"Task {self._task.name!r} took longer than its timeout of "
            f"{self._task.timeout_seconds:g} s.",
            hint="`runner resume` continues where it stopped; raise `timeout` for the next run.",
        )

    def poll_pace(self, first_seconds: float) -> Pace:
        """How often to poll a Bulk job: waits grow to thirty times the first, until the deadline.

        Args:
            first_seconds: The first wait.
        """
        left = self.seconds_left
        return Pace(
            first_seconds=first_seconds,
            longest_seconds=first_seconds * _LONGEST_IN_FIRST_WAITS,
            total_seconds=LONGEST_JOB_SECONDS if left is None else left,
        )

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Name this deadline as the reason when it cuts the wait for a Bulk job short."""
        try:
            yield
        except StillUnderWayError as error:
            raise (error if self._at is None else self.error()) from error
