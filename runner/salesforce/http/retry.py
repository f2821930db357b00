"""Carries out what the retry table decides: waits, tries again, gives up in time.

The one place that uses tenacity. Knows waits and deadlines. Knows nothing of tokens: a refresh
is the session's business, as is what becomes of a refusal that stays one.
"""

from __future__ import annotations

import random as chance
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import tenacity

from runner.errors import TransportError
from runner.events import Retrying, Sink, ignore
from runner.job.model import RetryPolicy
from runner.salesforce.http.error_bodies import error_of, faults_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry_table import (
    GATEWAY_STATUSES,
    Action,
    Decision,
    Phase,
    Situation,
    Wait,
    decide,
)

FIRST_WAIT_SECONDS = 1.0
_LONG_FACTOR = 4
_LARGEST_EXPONENT = 32


class Retrier:
    """Sends until it works, or until more of it makes no sense. Threads may share it.

    Waits grow by doubling up to the policy's longest, each drawn at random between nothing and
    that (full jitter), so that many who were refused together do not come back together.
    """

    def __init__(  # noqa: PLR0913 - the clock, the sleep and the die are passed in
        self,
        policy: RetryPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = chance.random,
        sink: Sink = ignore,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.sleep = sleep
        self.random = random
        self.sink = sink
        self.first_wait_seconds = first_wait_seconds

    def with_policy(self, policy: RetryPolicy) -> Retrier:
        """The same, with another patience."""
        other = copy(self)
        other.policy = policy
        return other

    def send(
        self,
        attempt: Callable[[], OrgResponse],
        request: OrgRequest,
        *,
        refreshed: bool = False,
        retry: bool = True,
    ) -> OrgResponse:
        """Try until the answer is a success, or a refusal that a further try will not change.

        Args:
            attempt: Sends the request once.
            request: What is sent; says whether it may be repeated or divided.
            refreshed: Whether the access token has been renewed for this request already.
            retry: False for one try only.

        Returns:
            The last answer, whatever its status, with the number of tries.

        Raises:
            TransportError: No answer came, or it is not known whether the request was carried out.
        """
        tries = self.policy.attempts if retry else 1
        return _Course(self, request, refreshed=refreshed, tries=tries).run(attempt)

    def wait_seconds(self, attempt: int, wait: Wait) -> float:
        """Draw a wait before the try after this one."""
        if wait is Wait.NONE:
            return 0.0
        first = self.first_wait_seconds * (_LONG_FACTOR if wait is Wait.LONG else 1)
        ceiling = first * 2.0 ** min(attempt - 1, _LARGEST_EXPONENT)
        return self.random() * min(self.policy.longest_wait_seconds, ceiling)

    def pause(self, attempt: int, decision: Decision) -> None:
        """Wait as a decision says, and tell."""
        seconds = self.wait_seconds(attempt, decision.wait)
        self.sink(Retrying(decision.reason, seconds, attempt + 1))
        self.sleep(seconds)


class _Course:
    """The tries of one request."""

    def __init__(
        self, retrier: Retrier, request: OrgRequest, *, refreshed: bool, tries: int
    ) -> None:
        self._retrier = retrier
        self._request = request
        self._refreshed = refreshed
        self._most_tries = tries
        self._deadline = retrier.clock() + retrier.policy.total_seconds
        self._tries = 0
        self._may_have_arrived = False
        self._decision = Decision(Action.FAIL, Wait.NONE, "")
        self._outcome: OrgResponse | TransportError

    def run(self, attempt: Callable[[], OrgResponse]) -> OrgResponse:
        loop = tenacity.Retrying(
            retry=tenacity.retry_if_result(self._again),
            wait=self._wait_seconds,
            stop=self._enough,
            sleep=self._retrier.sleep,
            before_sleep=self._tell,
            retry_error_callback=lambda _state: self._outcome,
        )
        return self._settled(loop(self._tried, attempt))

    def _tried(self, attempt: Callable[[], OrgResponse]) -> OrgResponse | TransportError:
        self._tries += 1
        try:
            self._outcome = attempt()
        except TransportError as error:
            self._outcome = error
        return self._outcome

    def _again(self, outcome: OrgResponse | TransportError) -> bool:
        situation = self._situation(outcome)
        if situation is None:
            return False
        self._may_have_arrived |= _leaves_doubt(situation)
        self._decision = decide(situation)
        action = self._decision.action
        return action is Action.RETRY or (action is Action.SPLIT and not self._request.divisible)

    def _situation(self, outcome: OrgResponse | TransportError) -> Situation | None:
        if isinstance(outcome, OrgResponse):
            return refusal(outcome, self._request, self._tries, refreshed=self._refreshed)
        return Situation(
            Phase.LOST if outcome.may_have_arrived else Phase.UNSENT,
            message=outcome.message,
            attempt=self._tries,
            idempotent=self._request.repeatable,
        )

    def _wait_seconds(self, _state: tenacity.RetryCallState) -> float:
        drawn = self._retrier.wait_seconds(self._tries, self._decision.wait)
        return max(drawn, retry_after_seconds(self._outcome) or 0.0)

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        late = self._retrier.clock() + state.upcoming_sleep > self._deadline
        return late or self._tries >= self._most_tries

    def _tell(self, state: tenacity.RetryCallState) -> None:
        event = Retrying(self._decision.reason, state.upcoming_sleep, self._tries + 1)
        self._retrier.sink(event)

    def _settled(self, outcome: OrgResponse | TransportError) -> OrgResponse:
        times = f" (tried {self._tries} times)" if self._tries > 1 else ""
        if isinstance(outcome, TransportError):
            raise TransportError(
                f"{outcome.message}{times}",
                may_have_arrived=self._may_have_arrived,
                hint=outcome.hint,
            ) from outcome
        if not outcome.ok and self._decision.action is Action.DOUBT:
            raise TransportError(
                f"{error_of(outcome).message}{times}: {self._decision.reason}",
                may_have_arrived=True,
                hint="Find out whether the records are in the org before you send them again.",
            )
        return replace(outcome, tries=self._tries, replayed=self._may_have_arrived)


def refusal(
    response: OrgResponse, request: OrgRequest, attempt: int = 1, *, refreshed: bool = False
) -> Situation | None:
    """The situation that an answer makes; None for a success."""
    if response.ok:
        return None
    found = faults_of(response)
    return Situation(
        Phase.REFUSED,
        status=response.status,
        code=found[0].code if found else None,
        message=found[0].message if found else "",
        attempt=attempt,
        idempotent=request.repeatable,
        refreshed=refreshed,
    )


def retry_after_seconds(outcome: OrgResponse | TransportError) -> float | None:
    """What `Retry-After` asks for, as seconds or as a date; None where nothing does."""
    if isinstance(outcome, TransportError):
        return None
    asked = outcome.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _leaves_doubt(situation: Situation) -> bool:
    """Whether the request may have been carried out although no success was told."""
    if situation.phase is Phase.LOST:
        return True
    return (
        situation.phase is Phase.REFUSED
        and situation.status in GATEWAY_STATUSES
        and (situation.code is None)
    )
