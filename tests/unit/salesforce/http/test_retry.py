from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runner.errors import TransportError
from runner.events import Retrying
from runner.job.model import RetryPolicy
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry import Pause, Retrier, retry_after_seconds
from runner.salesforce.http.retry_table import Action, Decision, Wait

READ = OrgRequest("GET", "/x")
CREATE = OrgRequest("POST", "/x")
BUSY = OrgResponse(503, {}, b'[{"errorCode":"SERVER_UNAVAILABLE","message":"Server too busy"}]')
PAGE = OrgResponse(502, {}, b"<html>bad gateway</html>")
DONE = OrgResponse(200, {}, b"{}")
UNREACHED = TransportError("no route", may_have_arrived=False)
LOST = TransportError("cut", may_have_arrived=True)


class Tries:
    """A retrier with a clock that only its own waits move, and what it did."""

    def __init__(self, *outcomes, policy=None, die=1.0):
        self.outcomes = list(outcomes)
        self.waits = []
        self.events = []
        self.now = 0.0
        self.retrier = Retrier(
            policy or RetryPolicy(attempts=6, longest_wait_seconds=60, total_seconds=900),
            clock=lambda: self.now,
            sleep=self.sleep,
            random=lambda: die,
            sink=self.events.append,
        )

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def once(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def send(self, request=READ, **how):
        return self.retrier.send(self.once, request, **how)


def test_a_success_is_given_at_once():
    tries = Tries(DONE)
    assert tries.send() == DONE
    assert tries.waits == []


def test_waits_double_and_are_told():
    tries = Tries(BUSY, BUSY, BUSY, DONE)
    response = tries.send(CREATE)
    assert (response.status, response.tries, response.replayed) == (200, 4, False)
    assert tries.waits == [1, 2, 4]
    assert tries.events == [
        Retrying("the org is too busy", wait, at) for wait, at in [(1, 2), (2, 3), (4, 4)]
    ]


def test_a_wait_is_drawn_between_nothing_and_its_most():
    tries = Tries(BUSY, BUSY, DONE, die=0.25)
    tries.send()
    assert tries.waits == [0.25, 0.5]


def test_no_wait_is_longer_than_the_longest():
    policy = RetryPolicy(attempts=5, longest_wait_seconds=3, total_seconds=900)
    tries = Tries(BUSY, BUSY, BUSY, BUSY, DONE, policy=policy)
    tries.send()
    assert tries.waits == [1, 2, 3, 3]


def test_a_great_number_of_tries_does_not_overflow():
    policy = RetryPolicy(attempts=5000, longest_wait_seconds=9, total_seconds=900)
    assert Retrier(policy, random=lambda: 1.0).wait_seconds(4999, Wait.LONG) == 9


def test_tries_end_with_the_policy_and_the_last_answer():
    tries = Tries(*[BUSY] * 6)
    response = tries.send()
    assert (response.status, response.tries) == (503, 6)


def test_tries_end_before_a_wait_that_would_pass_the_deadline():
    policy = RetryPolicy(attempts=50, longest_wait_seconds=60, total_seconds=10)
    tries = Tries(*[BUSY] * 50, policy=policy)
    assert tries.send().tries == 4
    assert tries.waits == [1, 2, 4]


def test_retry_after_lengthens_a_wait():
    tries = Tries(OrgResponse(429, {"retry-after": "17"}, b""), DONE)
    tries.send()
    assert tries.waits == [17]


def test_retry_after_beyond_the_deadline_ends_the_tries():
    tries = Tries(OrgResponse(429, {"retry-after": "86400"}, b""), DONE)
    assert tries.send().status == 429
    assert tries.waits == []


def test_retry_after_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < retry_after_seconds(OrgResponse(503, {"retry-after": later})) <= 3600
    assert retry_after_seconds(OrgResponse(503, {"retry-after": "soon"})) is None


def test_a_create_whose_answer_was_lost_is_never_sent_again():
    tries = Tries(LOST, DONE)
    with pytest.raises(TransportError) as caught:
        tries.send(CREATE)
    assert caught.value.may_have_arrived is True
    assert tries.outcomes == [DONE]


def test_a_create_that_a_gateway_answered_for_is_in_doubt_too():
    tries = Tries(PAGE, DONE)
    with pytest.raises(TransportError) as caught:
        tries.send(CREATE)
    assert caught.value.may_have_arrived is True
    assert tries.outcomes == [DONE]


def test_a_create_that_never_left_is_sent_again():
    tries = Tries(UNREACHED, UNREACHED, DONE)
    assert tries.send(CREATE).replayed is False


@pytest.mark.parametrize("doubtful", [LOST, PAGE])
def test_a_repeatable_request_is_replayed_and_its_answer_says_so(doubtful):
    response = Tries(doubtful, DONE).send()
    assert (response.status, response.replayed) == (200, True)


def test_what_may_have_arrived_once_is_not_forgotten_over_later_failures():
    tries = Tries(LOST, UNREACHED, UNREACHED, policy=RetryPolicy(attempts=3))
    with pytest.raises(TransportError) as caught:
        tries.send()
    assert caught.value.may_have_arrived is True
    assert caught.value.message == "no route (tried 3 times)"


def test_a_plain_refusal_is_given_back_at_once():
    refused = OrgResponse(400, {}, b'[{"errorCode":"INVALID_FIELD","message":"m"}]')
    tries = Tries(refused, DONE)
    assert tries.send().status == 400
    assert tries.outcomes == [DONE]


def test_an_error_of_the_org_itself_gets_three_tries():
    broken = OrgResponse(500, {}, b'[{"errorCode":"UNKNOWN_EXCEPTION","message":"ErrorId 1"}]')
    assert Tries(*[broken] * 6).send(CREATE).tries == 3


def test_a_daily_limit_is_not_tried_again():
    limit = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]'
    assert Tries(OrgResponse(403, {}, limit), DONE).send().tries == 1


def test_a_request_that_can_be_divided_comes_back_to_who_can_divide_it():
    locked = OrgResponse(400, {}, b'[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"m"}]')
    divisible = OrgRequest("PATCH", "/x", divisible=True)
    assert Tries(locked, DONE).send(divisible).status == 400
    assert Tries(locked, DONE).send(READ).status == 200


EXPIRED = OrgResponse(401, {}, b'[{"errorCode":"INVALID_SESSION_ID","message":"expired"}]')


def test_an_expired_token_is_renewed_and_the_tries_start_again():
    renewals = []
    tries = Tries(BUSY, EXPIRED, BUSY, BUSY, BUSY, DONE, policy=RetryPolicy(attempts=4))
    answer = tries.send(renew=lambda: renewals.append(tries.now) or True)
    assert (answer.status, answer.tries) == (200, 4)
    assert renewals == [1]
    assert tries.waits == [1, 1, 2, 4]
    assert [event.attempt for event in tries.events] == [2, 2, 3, 4]


@pytest.mark.parametrize(("was_asked", "renewals"), [(True, 1), (False, 2)])
def test_a_token_is_renewed_once_or_twice_where_another_process_was_first(was_asked, renewals):
    count = []
    tries = Tries(*[EXPIRED] * 5)
    assert tries.send(renew=lambda: count.append(1) or was_asked).status == 401
    assert len(count) == renewals
    assert tries.waits == []


def test_without_a_token_to_renew_a_401_is_final():
    assert Tries(EXPIRED, DONE).send().status == 401


def test_what_may_have_arrived_before_a_renewal_is_not_forgotten_after_it():
    tries = Tries(LOST, EXPIRED, UNREACHED, policy=RetryPolicy(attempts=2))
    tries.outcomes.append(UNREACHED)
    with pytest.raises(TransportError) as caught:
        tries.send(renew=lambda: True)
    assert caught.value.may_have_arrived is True


def test_anything_is_repeated_until_no_pause_is_called_for():
    tries = Tries(3, 2, 1, 0)
    asked = []

    def pause_after(left, number):
        asked.append(number)
        return Pause(left) if left else None

    assert tries.retrier.repeat(tries.once, pause_after) == 0
    assert (tries.waits, asked, tries.events) == ([3, 2, 1], [1, 2, 3, 4], [])


def test_repeating_ends_with_the_tries_or_before_a_pause_that_would_end_too_late():
    def pause_after(_left, _number):
        return Pause(2, "again")

    tries = Tries(*range(9))
    assert tries.retrier.repeat(tries.once, pause_after, most_tries=3) == 2
    tries = Tries(*range(9))
    assert tries.retrier.repeat(tries.once, pause_after, total_seconds=5) == 2
    assert tries.events == [Retrying("again", 2, 2), Retrying("again", 2, 3)]


def test_a_wait_of_the_callers_own_is_reported_like_any_other():
    tries = Tries()
    tries.retrier.pause(2, Decision(Action.RETRY, Wait.BACKOFF, "the upload broke off"))
    assert tries.events == [Retrying("the upload broke off", 2, 3)]
    assert tries.waits == [2]


def test_what_interrupts_a_wait_ends_the_tries():
    tries = Tries(BUSY, DONE)

    def interrupt(_seconds):
        raise KeyboardInterrupt

    tries.retrier.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        tries.send()
    assert tries.outcomes == [DONE]


def test_what_is_no_transport_error_is_not_tried_again():
    with pytest.raises(ZeroDivisionError):
        Tries(ZeroDivisionError(), DONE).send()
