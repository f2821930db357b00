"""What must hold of the retry table for every failed try, known or not."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runner.salesforce.http.retry_table import (
    GATEWAY_STATUSES,
    TABLE,
    Action,
    FailedTry,
    Phase,
    Wait,
    decide,
)

CODES = [*sorted({code for rule in TABLE for code in rule.codes}), "INVALID_FIELD", "WHATEVER"]
TEXTS = [
    "",
    "TotalRequests Limit exceeded.",
    "ConcurrentRequests Limit exceeded",
    "UNABLE_TO_LOCK_ROW",
]

failed_tries = st.builds(
    FailedTry,
    phase=st.sampled_from(Phase),
    status=st.none() | st.sampled_from([300, 400, 401, 403, 404, 420, 429, 500, 502, 503, 504]),
    code=st.none() | st.sampled_from(CODES) | st.text(max_size=8),
    message=st.sampled_from(TEXTS) | st.text(max_size=8),
    attempt=st.integers(1, 100),
    idempotent=st.booleans(),
    refreshed=st.booleans(),
)


@given(failed_tries)
def test_every_failed_try_has_a_decision_with_a_reason(failed):
    decision = decide(failed)
    assert decision.reason
    assert decision == decide(failed)


@given(failed_tries)
def test_who_tries_again_waits_and_who_does_not_does_not(failed):
    decision = decide(failed)
    again = decision.action in {Action.RETRY, Action.SPLIT}
    assert again == (decision.wait is not Wait.NONE)


@given(failed_tries)
def test_a_create_that_may_have_happened_is_never_sent_again(failed):
    unknown = failed.phase is Phase.LOST or (
        failed.phase is Phase.REFUSED
        and failed.code is None
        and failed.status in GATEWAY_STATUSES
        and "per 24 hrs has" not in failed.message
    )
    decision = decide(replace(failed, idempotent=False))
    if unknown:
        assert decision.action is Action.DOUBT


@given(failed_tries)
def test_only_what_is_not_idempotent_is_ever_in_doubt(failed):
    assert decide(replace(failed, idempotent=True)).action is not Action.DOUBT


@given(failed_tries)
def test_a_token_is_renewed_once_at_most(failed):
    assert decide(replace(failed, refreshed=True)).action is not Action.REFRESH


@given(failed_tries)
def test_a_used_up_day_always_stops(failed):
    spent = replace(
        failed,
        phase=Phase.ROW,
        code="REQUEST_LIMIT_EXCEEDED",
        message="TotalRequests Limit exceeded.",
    )
    assert decide(spent).action is Action.STOP


@given(failed_tries)
def test_more_tries_never_turn_an_end_into_another_try(failed):
    ended = decide(failed).action not in {Action.RETRY, Action.SPLIT}
    later = decide(replace(failed, attempt=failed.attempt + 1))
    assert not ended or later.action not in {Action.RETRY, Action.SPLIT}


def test_every_line_of_the_table_decides_something():
    """A line that another before it always overtakes would only mislead."""
    for position, rule in enumerate(TABLE):
        example = FailedTry(
            rule.phases[-1],
            status=rule.statuses[0] if rule.statuses else 400,
            code=rule.codes[0] if rule.codes else (None if rule.coded is False else "OTHER"),
            message=rule.texts[0] if rule.texts else "",
            idempotent=rule.idempotent is not False,
            refreshed=rule.refreshed is None,
        )
        assert next(i for i, other in enumerate(TABLE) if other.fits(example)) == position
