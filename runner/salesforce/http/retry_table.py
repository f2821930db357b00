"""Whether to try again: one table, read from the top, the first line that fits decides.

Pure. Knows what the org's answers mean for a second try. Knows nothing of waiting, clocks or
sockets; `retry.py` carries the decisions out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

GATEWAY_STATUSES = (500, 502, 503, 504)
"""Without one of the org's codes these come from what stands before it, whatever it did."""


class Phase(StrEnum):
    """How far a try came."""

    UNSENT = "unsent"
    """The org was not reached; nothing was carried out."""
    LOST = "lost"
    """The request went out, and no whole answer came back."""
    REFUSED = "refused"
    """The org, or something in front of it, refused the whole request."""
    ROW = "row"
    """The request was carried out and one of its rows refused."""


class Action(StrEnum):
    """What to do next."""

    RETRY = "retry"
    """Send the same again."""
    SPLIT = "split"
    """Send the same rows again in smaller requests."""
    REFRESH = "refresh"
    """Get a new access token, then send the same again, once."""
    DOUBT = "doubt"
    """Never send it again: find out first whether it was carried out."""
    STOP = "stop"
    """End the run: whatever is sent next will be refused as well."""
    FAIL = "fail"
    """It stays refused, however often it is sent."""


class Wait(StrEnum):
    """How long to wait before."""

    NONE = "none"
    BACKOFF = "backoff"
    """Growing from the first wait on."""
    LONG = "long"
    """The same, from four times the first wait on."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a try has ended without success."""

    phase: Phase
    status: int | None = None
    """HTTP status; None where there was no answer, and for a row."""
    code: str | None = None
    """The org's error code; None where the answer is no API's."""
    message: str = ""
    attempt: int = 1
    """Tries so far, this one included."""
    idempotent: bool = True
    """Whether carrying it out twice is the same as once."""
    refreshed: bool = False
    """Whether the access token has been renewed for this request."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about it."""

    action: Action
    wait: Wait
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table; an empty condition fits everything."""

    action: Action
    reason: str
    phases: tuple[Phase, ...]
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Any of these in the message, letter case aside."""
    coded: bool | None = None
    """Whether the answer carries an error code of the org."""
    idempotent: bool | None = None
    refreshed: bool | None = None
    tries: int | None = None
    """No more tries than these, whatever the job allows."""
    wait: Wait = Wait.NONE

    def fits(self, situation: Situation) -> bool:
        """Whether this line speaks of the situation."""
        message = situation.message.lower()
        return (
            situation.phase in self.phases
            and (not self.statuses or situation.status in self.statuses)
            and (not self.codes or situation.code in self.codes)
            and (not self.texts or any(text.lower() in message for text in self.texts))
            and self.coded in (None, situation.code is not None)
            and self.idempotent in (None, situation.idempotent)
            and self.refreshed in (None, situation.refreshed)
        )


_REFUSED = (Phase.REFUSED,)
_ROW = (Phase.ROW,)
_EITHER = (Phase.REFUSED, Phase.ROW)
_TRIGGER_CODES = ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER")


TABLE: tuple[Rule, ...] = (
    Rule(Action.RETRY, "the org was not reached", (Phase.UNSENT,), wait=Wait.BACKOFF),
    Rule(
        Action.DOUBT,
        "the answer to a create was lost; it may have been carried out",
        (Phase.LOST,),
        idempotent=False,
    ),
    Rule(Action.RETRY, "the answer was lost; a replay is safe", (Phase.LOST,), wait=Wait.BACKOFF),
    Rule(
        Action.FAIL,
        "the org does not take this session for this API",
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
    Rule(Action.FAIL, "a new access token was refused too", _REFUSED, statuses=(401,)),
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
        "the API requests of the last 24 hours are used up",
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
        "the API is switched off for this user or org",
        _EITHER,
        codes=("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"),
    ),
    Rule(
        Action.SPLIT,
        "another transaction holds a record",
        _EITHER,
        codes=("UNABLE_TO_LOCK_ROW",),
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.SPLIT,
        "a trigger or flow met a record that another transaction holds",
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
        "the org met an error of its own",
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
        "the edge does not know the way to the org",
        _REFUSED,
        statuses=(420,),
        tries=2,
        wait=Wait.BACKOFF,
    ),
    Rule(Action.RETRY, "the edge asks to slow down", _REFUSED, statuses=(429,), wait=Wait.LONG),
    Rule(
        Action.DOUBT,
        "something before the org answered for it; a create may have been carried out",
        _REFUSED,
        statuses=GATEWAY_STATUSES,
        coded=False,
        idempotent=False,
    ),
    Rule(
        Action.RETRY,
        "something before the org answered for it; a replay is safe",
        _REFUSED,
        statuses=GATEWAY_STATUSES,
        coded=False,
        wait=Wait.BACKOFF,
    ),
    Rule(
        Action.RETRY,
        "the org asks to come back later",
        _REFUSED,
        statuses=(502, 503, 504),
        wait=Wait.BACKOFF,
    ),
    Rule(Action.FAIL, "refused", (Phase.UNSENT, Phase.LOST, Phase.REFUSED, Phase.ROW)),
)


_AGAIN = frozenset({Action.RETRY, Action.SPLIT})


def decide(situation: Situation) -> Decision:
    """Say what to do about a try that ended without success; total, and the same each time."""
    rule = next(rule for rule in TABLE if rule.fits(situation))
    if rule.tries is not None and situation.attempt >= rule.tries:
        return Decision(Action.FAIL, Wait.NONE, f"{rule.reason}, {rule.tries} times")
    return Decision(rule.action, rule.wait, rule.reason)


def temporary_refusals() -> tuple[Rule, ...]:
    """The lines of rows that are worth sending once more."""
    return tuple(rule for rule in TABLE if Phase.ROW in rule.phases and rule.action in _AGAIN)


def row_decision(
    code: str | None,
    message: str,
    attempt: int = 1,
    *,
    add: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Decision:
    """Say what to do about one row that the org refused inside a request it carried out.

    Args:
        code: The org's.
        message: The org's.
        attempt: Tries so far, this one included.
        add: Codes that the job wants tried again.
        ignore: Codes that it does not; what ends the run still does.
    """
    decision = decide(Situation(Phase.ROW, code=code, message=message, attempt=attempt))
    if code in ignore and decision.action in _AGAIN:
        return Decision(Action.FAIL, Wait.NONE, "the job does not want it tried again")
    if code in add and decision.action is Action.FAIL:
        return Decision(Action.SPLIT, Wait.BACKOFF, "the job wants it tried again")
    return decision
