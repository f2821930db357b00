"""The loop that waits: requests, row retries and polls are all repeated here.

The one place that uses tenacity. Knows waits and deadlines, and runs what the retry table decides.
Knows nothing of tokens: who sends a request says how its token is renewed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from runner import lanes
from runner.errors import DamagedAnswerError, TransportError
from runner.events import Retrying, Sink, ignore
from runner.job.model import RetryPolicy
from runner.salesforce.http.error_bodies import error_of, faults_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry_table import (
    GATEWAY_STATUSES,
    Action,
    Decision,
    FailedTry,
    Phase,
    Wait,
    decide,
)
from runner.salesforce.http.waits import time_limit

FIRST_WAIT_SECONDS = 1.0
_LONG_FACTOR = 4
_LARGEST_EXPONENT = 32
_LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0
"""What a `Retry-After` may ask for; the org's own limits are counted over a day."""
_MOST_RENEWALS = 2
"""A token that another process has renewed may be stale too: then once more."""
_Outcome = TypeVar("_Outcome")


class Pause(Struct, frozen=True):
    """What comes between two tries."""

    seconds: float = 0.0
    reason: str = ""
    """Why there is another try; empty where that is not worth reporting."""


class Retrier:
    """Repeats until it works, or until more tries make no sense. Threads may share it.

    Waits double up to the policy's longest, each drawn at random between zero and that (full
    jitter), so that requests refused together do not come back together.
    """

    def __init__(  # noqa: PLR0913 - the clock, the sleep and the die are passed in
        self,
        policy: RetryPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = lanes.sleep,
        random: Callable[[], float] | None = None,
        sink: Sink = ignore,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        ends_at: float | None = None,
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.sleep = sleep
        self.random = random or _drawn
        self.sink = sink
        self.first_wait_seconds = first_wait_seconds
        self.ends_at = ends_at
        """When every try and every wait must have ended, by `clock`; None: never."""

    def with_policy(self, policy: RetryPolicy, ends_at: float | None = None) -> Retrier:
        """The same with another policy, and with an earlier end if there is one."""
        other = copy(self)
        other.policy = policy
        other.ends_at = _earliest(self.ends_at, ends_at)
        return other

    @property
    def seconds_left(self) -> float | None:
        """Seconds until every try must have ended; None: no limit."""
        return None if self.ends_at is None else max(0.0, self.ends_at - self.clock())

    def repeat(
        self,
        attempt: Callable[[], _Outcome],
        pause_after: Callable[[_Outcome, int], Pause | None],
        *,
        most_tries: int | None = None,
        total_seconds: float | None = None,
    ) -> _Outcome:
        """Try until an outcome needs no further try.

        Args:
            attempt: One try. What it raises ends the tries.
            pause_after: The pause that an outcome calls for, given the number of tries so far;
                None where it needs no further try.
            most_tries: None: no limit.
            total_seconds: No pause begins that would end later than this; None: no limit.

        Returns:
            The last outcome.
        """
        last = None if total_seconds is None else self.clock() + total_seconds
        deadline = _earliest(last, self.ends_at)
        outcome = attempt()
        first_pause = pause_after(outcome, 1)
        if first_pause is None:
            return outcome
        import tenacity  # noqa: PLC0415 - imports asyncio, and most requests need one try

        first, pauses = [outcome], [first_pause]

        def is_unfinished(state: tenacity.RetryCallState) -> bool:
            if state.outcome is None or state.outcome.failed:
                return False
            if state.attempt_number > 1:
                pause = pause_after(state.outcome.result(), state.attempt_number)
                pauses[:] = [] if pause is None else [pause]
            return bool(pauses)

        def is_enough(state: tenacity.RetryCallState) -> bool:
            is_late = deadline is not None and self.clock() + state.upcoming_sleep > deadline
            return is_late or (most_tries is not None and state.attempt_number >= most_tries)

        loop = tenacity.Retrying(
            retry=is_unfinished,
            wait=lambda _state: pauses[0].seconds,
            stop=is_enough,
            sleep=self._sleep,
            before_sleep=lambda state: self._report(pauses[0], state.attempt_number),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        return loop(lambda: first.pop() if first else attempt())

    def send(
        self,
        attempt: Callable[[], OrgResponse],
        request: OrgRequest,
        *,
        renew: Callable[[], bool] | None = None,
    ) -> OrgResponse:
        """Send until the answer is a success, or a refusal that a further try will not change.

        Args:
            attempt: Sends the request once.
            request: What is sent; says whether it may be repeated or divided.
            renew: Replaces an expired access token; says whether the org was asked for the new
                one. None where the request has no token.

        Returns:
            The last answer, whatever its status, with the number of tries.

        Raises:
            TransportError: No answer came, or it is not known whether the request was executed.
        """
        return _RequestTries(self, request, attempt, renew).run()

    def backoff(self, decision: Decision, tries: int, *, at_least: float = 0.0) -> Pause:
        """Draw the pause that follows this many tries."""
        return Pause(max(self.wait_seconds(tries, decision.wait), at_least), decision.reason)

    def wait_seconds(self, tries: int, wait: Wait) -> float:
        """Draw a wait that follows this many tries."""
        if wait is Wait.NONE:
            return 0.0
        first = self.first_wait_seconds * (_LONG_FACTOR if wait is Wait.LONG else 1)
        ceiling = first * 2.0 ** min(tries - 1, _LARGEST_EXPONENT)
        return self.random() * min(self.policy.longest_wait_seconds, ceiling)

    def pause(self, tries: int, decision: Decision) -> None:
        """Report and wait, where the caller repeats something itself after this many tries."""
        pause = self.backoff(decision, tries)
        self._report(pause, tries)
        left = self.seconds_left
        self._sleep(pause.seconds if left is None else min(pause.seconds, left))

    def _report(self, pause: Pause, tries: int) -> None:
        if pause.reason:
            self.sink(Retrying(pause.reason, pause.seconds, tries + 1))

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.sleep(seconds)


class _RequestTries:
    """The tries of one request."""

    def __init__(
        self,
        retrier: Retrier,
        request: OrgRequest,
        attempt: Callable[[], OrgResponse],
        renew: Callable[[], bool] | None,
    ) -> None:
        self._retrier = retrier
        self._request = request
        self._attempt = attempt
        self._renew = renew
        self._tries = 1
        self._may_have_arrived = False
        self._refreshed = False
        self._decision: Decision | None = None
        """What to do about the last outcome; None for a success."""

    def run(self) -> OrgResponse:
        return self._judged(self._retrier.repeat(self._tried, self._after_renewal))

    def _after_renewal(self, _outcome: OrgResponse | TransportError, tokens: int) -> Pause | None:
        if self._renew is None or not self._is(Action.REFRESH):
            return None
        self._refreshed = self._renew() or tokens >= _MOST_RENEWALS
        return Pause()

    def _tried(self) -> OrgResponse | TransportError:
        """The outcome that stays with the token there is."""
        return self._retrier.repeat(
            self._tried_once,
            self._pause_after,
            most_tries=self._retrier.policy.attempts,
            total_seconds=self._retrier.policy.total_seconds,
        )

    def _tried_once(self) -> OrgResponse | TransportError:
        left = self._retrier.seconds_left
        try:
            if left is None:
                return self._attempt()
            with time_limit(left):
                return self._attempt()
        except TransportError as error:
            return error

    def _pause_after(self, outcome: OrgResponse | TransportError, tries: int) -> Pause | None:
        self._tries = tries
        failed = self._failed_try(outcome)
        if failed is None:
            self._decision = None
            return None
        self._may_have_arrived |= _leaves_doubt(failed)
        self._decision = decide(failed)
        if self._is(Action.RETRY) or (self._is(Action.SPLIT) and not self._request.divisible):
            at_least = retry_after_seconds(outcome) or 0.0
            return self._retrier.backoff(self._decision, tries, at_least=at_least)
        return None

    def _is(self, action: Action) -> bool:
        return self._decision is not None and self._decision.action is action

    def _failed_try(self, outcome: OrgResponse | TransportError) -> FailedTry | None:
        if isinstance(outcome, OrgResponse):
            return failed_try(outcome, self._request, self._tries, refreshed=self._refreshed)
        return FailedTry(
            Phase.LOST if outcome.may_have_arrived else Phase.UNSENT,
            message=outcome.message,
            attempt=self._tries,
            idempotent=self._request.repeatable,
        )

    def _judged(self, outcome: OrgResponse | TransportError) -> OrgResponse:
        """The answer with its tries, or the error of a request whose fate is unknown."""
        times = f" (tried {self._tries} times)" if self._tries > 1 else ""
        if isinstance(outcome, DamagedAnswerError):
            raise DamagedAnswerError(
                outcome.what, outcome.reason, tried=times, hint=outcome.hint
            ) from outcome
        if isinstance(outcome, TransportError):
            raise TransportError(
                f"{outcome.message}{times}",
                may_have_arrived=self._may_have_arrived,
                hint=outcome.hint,
            ) from outcome
        if self._decision is not None and self._decision.action is Action.DOUBT:
            cause = error_of(outcome)
            raise TransportError(
                f"{cause.message}{times}: {self._decision.reason}",
                may_have_arrived=True,
                hint="Check whether the records are in the org before you send them again.",
            ) from cause
        if self._tries == 1 and not self._may_have_arrived:
            return outcome
        return replace(outcome, tries=self._tries, replayed=self._may_have_arrived)


def failed_try(
    response: OrgResponse, request: OrgRequest, attempt: int = 1, *, refreshed: bool = False
) -> FailedTry | None:
    """What is known of a try, by its answer; None for a success."""
    if response.ok:
        return None
    found = faults_of(response)
    return FailedTry(
        Phase.REFUSED,
        status=response.status,
        code=found[0].code if found else None,
        message=found[0].message if found else "",
        attempt=attempt,
        idempotent=request.repeatable,
        refreshed=refreshed,
    )


def retry_after_seconds(outcome: OrgResponse | TransportError) -> float | None:
    """What `Retry-After` asks for, as seconds or as a date; None where it is absent."""
    if isinstance(outcome, TransportError):
        return None
    asked = outcome.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return min(float(asked), _LONGEST_RETRY_AFTER_SECONDS)
    until = moment_of(asked)
    if until is None:
        return None
    left = (until - datetime.now(UTC)).total_seconds()
    return min(max(0.0, left), _LONGEST_RETRY_AFTER_SECONDS)


def moment_of(header: str) -> datetime | None:
    """The moment in a header such as `Date`; None where it is not one."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - imports a lot, for few answers

    try:
        moment = parsedate_to_datetime(header)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _earliest(*moments: float | None) -> float | None:
    return min((each for each in moments if each is not None), default=None)


def _leaves_doubt(failed: FailedTry) -> bool:
    """Whether the request may have been executed although no success was reported."""
    if failed.phase is Phase.LOST:
        return True
    return (
        failed.phase is Phase.REFUSED
        and failed.status in GATEWAY_STATUSES
        and (failed.code is None)
    )


def _drawn() -> float:
    """A random number from 0 to 1."""
    import random  # noqa: PLC0415 - not every start needs it

    return random.random()  # noqa: S311 - spreads waits
