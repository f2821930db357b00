"""Whether to try again: one table, read from the top; the first line that fits decides.

Pure. Knows what the org's answers mean for a second try. Knows nothing of waiting, clocks or
sockets; `retry.py` acts on the decisions.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

GATEWAY_STATUSES = (500, 502, 503, 504)
"""Without one of the org's codes these come from a proxy, whatever the org did."""


class Phase(StrEnum):
    """How far a try got."""

    UNSENT = "unsent"
    """The org was not reached; nothing was executed."""
    LOST = "lost"
    """The request went out, and no whole answer came back."""
    REFUSED = "refused"
    """The org, or something in front of it, refused the whole request."""
    ROW = "row"
    """The request was executed and one of its rows refused."""


class Action(StrEnum):
    """What to do next."""

    RETRY = "retry"
    """Send the same again."""
    SPLIT = "split"
    """Send the same rows again in smaller requests."""
    REFRESH = "refresh"
    """Get a new access token, then send the same again, once."""
    DOUBT = "doubt"
    """Never send it again: first find out whether it was executed."""
    STOP = "stop"
    """End the run: the next request would be refused too."""
    FAIL = "fail"
    """It will be refused however often it is sent."""


class Wait(StrEnum):
    """How long to wait before the next try."""

    NONE = "none"
    BACKOFF = "backoff"
    """Growing from the first wait."""
    LONG = "long"
    """The same, starting from four times the first wait."""


class FailedTry(Struct, frozen=True):
    """What is known of a try that ended without success."""

    phase: Phase
    status: int | None = None
    """HTTP status; None where there was no answer, and for a row."""
    code: str | None = None
    """The org's error code; None where no API answered."""
    message: str = ""
    attempt: int = 1
    """Tries so far, this one included."""
    idempotent: bool = True
    """Whether executing it twice is the same as once."""
    refreshed: bool = False
    """Whether the access token has been renewed for this request."""


class Decision(Struct, frozen=True):
    """What to do about it."""

    action: Action
    wait: Wait
    reason: str


class Rule(Struct, frozen=True):
    """One line of the table; an empty condition fits anything."""

    action: Action
    reason: str
    phases: tuple[Phase, ...]
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Any of these in the message, ignoring case."""
    coded: bool | None = None
    """Whether the answer has one of the org's error codes."""
    idempotent: bool | None = None
    refreshed: bool | None = None
    tries: int | None = None
    """At most this many tries, whatever the job allows."""
    wait: Wait = Wait.NONE

    def fits(self, failed: FailedTry) -> bool:
        """Whether this line applies to the try."""
        message = failed.message.lower()
        return (
            failed.phase in self.phases
            and (not self.statuses or failed.status in self.statuses)
            and (not self.codes or failed.code in self.codes)
            and (not self.texts or any(text.lower() in message for text in self.texts))
            and self.coded in (None, failed.code is not None)
            and self.idempotent in (None, failed.idempotent)
            and self.refreshed in (None, failed.refreshed)
        )


_REFUSED = (Phase.REFUSED,)
_ROW = (Phase.ROW,)
_EITHER = (Phase.REFUSED, Phase.ROW)
_TRIGGER_CODES = ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER")


TABLE: tuple[Rule, ...] = (
    Rule(Action.RETRY, "the org could not be reached", (Phase.UNSENT,), wait=Wait.BACKOFF),
    Rule(
        Action.DOUBT,
        "the answer to a create was lost; the create may have happened",
        (Phase.LOST,),
        idempotent=False,
    ),
    Rule(
        Action.RETRY,
        "the answer was lost; sending it again is safe",
        (Phase.LOST,),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.FAIL,
        "the org does not accept this session for this API",
        _REFUSED,
        statuses=(401,),
        texts=(
            "Connected app is not attached to Agent",
            "This session is not valid for use with the REST API",
        ),
    ),
    Rule(
        Action.REFRESH,
        "the access token has expired",
        _REFUSED,
        statuses=(401,),
        refreshed=False,
    ),
    Rule(Action.FAIL, "the new access token was rejected too", _REFUSED, statuses=(401,)),
    Rule(
        Action.RETRY,
        "too many long requests at once",
        _EITHER,
        codes=("REQUEST_LIMIT_EXCEEDED",),
        texts=("concurrent",),
        wait=Wait.LONG,
    ),
    Rule(
        Action.STOP,
        "the 24-hour limit on API requests is used up",
        _EITHER,
        codes=("REQUEST_LIMIT_EXCEEDED",),
    ),
    Rule(
        Action.STOP, "a daily limit of the Bulk API is used up", _EITHER, codes=("EXCEEDEDQUOTA",)
    ),
    Rule(
        Action.STOP, "a daily limit of the Bulk API is used up", _EITHER, texts=("per 24 hrs has",)
    ),
    Rule(Action.STOP, "the org's storage is full", _EITHER, codes=("STORAGE_LIMIT_EXCEEDED",)),
    Rule(
        Action.STOP,
        "API access is disabled for this user or org",
        _EITHER,
        codes=("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"),
    ),
    Rule(
        Action.SPLIT,
        "another transaction has locked a record",
        _EITHER,
        codes=("UNABLE_TO_LOCK_ROW",),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.SPLIT,
        "a trigger or flow needs a record that another transaction has locked",
        _EITHER,
        codes=_TRIGGER_CODES,
        texts=("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.SPLIT,
        "too much for one transaction",
        _EITHER,
        codes=("TOO_MANY_APEX_REQUESTS", "LIMIT_EXCEEDED", "REQUEST_RUNNING_TOO_LONG"),
        tries=4,
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "rolled back because of another row",
        _ROW,
        codes=("ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "internal error in the org",
        _EITHER,
        codes=("UNKNOWN_EXCEPTION",),
        tries=3,
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "the org is too busy",
        _EITHER,
        codes=("SERVER_UNAVAILABLE",),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "Salesforce could not route the request to the org",
        _REFUSED,
        statuses=(420,),
        tries=2,
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "too many requests; Salesforce asked to slow down",
        _REFUSED,
        statuses=(429,),
        wait=Wait.LONG,
    ),
    Rule(
        Action.DOUBT,
        "a proxy answered instead of the org; the create may have happened",
        _REFUSED,
        statuses=GATEWAY_STATUSES,
        coded=False,
        idempotent=False,
    ),
    Rule(
        Action.RETRY,
        "a proxy answered instead of the org; sending it again is safe",
        _REFUSED,
        statuses=GATEWAY_STATUSES,
        coded=False,
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "the org asked to try again later",
        _REFUSED,
        statuses=(502, 503, 504),
        wait=Wait.BACKOFF,
    ),
    Rule(Action.FAIL, "refused", (Phase.UNSENT, Phase.LOST, Phase.REFUSED, Phase.ROW)),
)


RETRIED = frozenset({Action.RETRY, Action.SPLIT})


def decide(failed: FailedTry) -> Decision:
    """Decide what to do about a failed try; total, and the same each time."""
    rule = next(rule for rule in TABLE if rule.fits(failed))
    if rule.tries is not None and failed.attempt >= rule.tries:
        return Decision(Action.FAIL, Wait.NONE, f"{rule.reason}, {rule.tries} times")
    return Decision(rule.action, rule.wait, rule.reason)


def temporary_refusals() -> tuple[Rule, ...]:
    """The lines for refused rows that are worth sending again."""
    return tuple(rule for rule in TABLE if Phase.ROW in rule.phases and rule.action in RETRIED)


def row_decision(
    code: str | None,
    message: str,
    attempt: int = 1,
    *,
    add: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Decision:
    """Decide what to do about one row that the org refused in a request it executed.

    Args:
        code: The org's.
        message: The org's.
        attempt: Tries so far, this one included.
        add: Codes that the job also retries.
        ignore: Codes that it does not retry; what ends the run still does.
    """
    decision = decide(FailedTry(Phase.ROW, code=code, message=message, attempt=attempt))
    if code in ignore and decision.action in RETRIED:
        return Decision(Action.FAIL, Wait.NONE, "`retry.ignore` of the job lists it")
    if code in add and decision.action is Action.FAIL:
        return Decision(Action.SPLIT, Wait.BACKOFF, "`retry.add` of the job lists it")
    return decision
