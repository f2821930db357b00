"""One fault rule, as written in JSON or in the org file.

Shared members: `kind`; `times` (at most this often), `after` (let this many pass first), `nth`
(only the nth, from 1), `probability` (drawn from the org's seed, so it repeats).

Kinds for requests, selected by `method` and `path` (a regular expression searched in the path):

    status             answers `status` (503) and does nothing else; the body is Salesforce's error
                       with `code` and `message`, `body` as it is, a proxy's page with `html: true`,
                       or empty; `headers` are added
    reset_before       resets the connection without doing the work
    reset_after        does the work, then resets the connection
    answer_lost        does the work, then answers `status` (504) without a body
    truncated          truncates the body after `bytes` (half of it)
    slow               sends the body at `bytes_per_second` (1000)
    stale_session      ends the caller's session and answers 401; the server's own session is
                       refused but not ended
    concurrency_limit  403 REQUEST_LIMIT_EXCEEDED, too many at once
    daily_limit        403 REQUEST_LIMIT_EXCEEDED, none left today

Kind for rows, selected by `object`, `values` (Ids or external Ids in the row, its parents' too) or
`probability`:

    lock_rows          UNABLE_TO_LOCK_ROW for these rows

Kind for queries, selected by `object` and `values` (Ids):

    late_records       the next `times` queries on the object do not find these records, as if their
                       transaction ended later

Kinds for Bulk jobs, selected by `object` and `operation`, once `rows` (0) are done:

    job_stalls         the job stays InProgress until the rule is removed
    job_fails          the job ends Failed with `message`
    job_aborts         the job ends Aborted

Knows the members of a rule. Knows neither requests nor jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import asdict

from runner.local_org.catalog.section import Problem


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    ANSWER_LOST = "answer_lost"
    TRUNCATED = "truncated"
    SLOW = "slow"
    STALE_SESSION = "stale_session"
    CONCURRENCY_LIMIT = "concurrency_limit"
    DAILY_LIMIT = "daily_limit"
    LOCK_ROWS = "lock_rows"
    LATE_RECORDS = "late_records"
    JOB_STALLS = "job_stalls"
    JOB_FAILS = "job_fails"
    JOB_ABORTS = "job_aborts"


JOB_FAULTS = frozenset({FaultKind.JOB_STALLS, FaultKind.JOB_FAILS, FaultKind.JOB_ABORTS})
REQUEST_FAULTS = frozenset(FaultKind) - JOB_FAULTS - {FaultKind.LOCK_ROWS, FaultKind.LATE_RECORDS}


class FaultRuleError(ValueError):
    """A rule is invalid; the message says which member and why."""


class FaultRule(Struct, frozen=True):
    """One rule; the module's docstring explains its members."""

    kind: FaultKind
    method: str = ""
    path: str = ""
    sobject: str = ""
    operation: str = ""
    values: tuple[str, ...] = ()
    times: int | None = None
    after: int = 0
    nth: int | None = None
    probability: float | None = None
    status: int | None = None
    code: str = ""
    message: str = ""
    body: str = ""
    html: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body_bytes: int | None = None
    bytes_per_second: float = 1000.0
    rows: int = 0

    @classmethod
    def of(cls, value: object) -> FaultRule:
        """Read a rule.

        Raises:
            FaultRuleError: a member is unknown, of the wrong type or out of range.
        """
        if not isinstance(value, Mapping):
            raise FaultRuleError("a fault must be an object with a kind")
        values = {str(name): _checked(str(name), member) for name, member in value.items()}
        if "kind" not in values:
            raise FaultRuleError(f"kind is missing; it is one of: {', '.join(FaultKind)}")
        # The key is `object`, as in jobs; the field avoids Python's builtin.
        return cls(**{_FIELDS_OF_KEYS.get(name, name): value for name, value in values.items()})  # type: ignore[arg-type]

    def as_declared(self) -> dict[str, object]:
        """The rule as it was declared, without members that were left out."""
        members = {_KEYS_OF_FIELDS.get(name, name): value for name, value in asdict(self).items()}
        return {name: value for name, value in members.items() if value not in _NOTHING}


def declared_rules(declared: Mapping[str, object], problems: list[Problem]) -> list[FaultRule]:
    """The rules of an org file; mistakes are added to `problems`."""
    entries = declared.get("faults") or []
    if not isinstance(entries, list):
        problems.append(Problem(("faults",), "must be a list"))
        return []
    rules = []
    for place, each in enumerate(entries):
        try:
            rules.append(FaultRule.of(each))
        except FaultRuleError as error:
            problems.append(Problem(("faults", place), str(error)))
    return rules


_WHOLE = frozenset({"times", "after", "nth", "status", "bytes", "rows"})
_NOTHING: tuple[object, ...] = (None, "", (), {}, False)
_LISTS = frozenset({"values"})
_FIELDS_OF_KEYS = {"object": "sobject", "bytes": "body_bytes"}
_KEYS_OF_FIELDS = {field: key for key, field in _FIELDS_OF_KEYS.items()}


def _checked(name: str, value: object) -> object:
    known = [_KEYS_OF_FIELDS.get(each, each) for each in FaultRule.__struct_fields__]
    if name not in known:
        raise FaultRuleError(f"unknown key {name}; a fault has: {', '.join(known)}")
    if name == "kind":
        if value not in list(FaultKind):
            raise FaultRuleError(f"kind is one of: {', '.join(FaultKind)}")
        return FaultKind(str(value))
    if name in _WHOLE:
        return _number(name, value, whole=True)
    if name in {"probability", "bytes_per_second"}:
        return _number(name, value, whole=False)
    return _other(name, value)


def _other(name: str, value: object) -> object:
    if name == "html":
        if not isinstance(value, bool):
            raise FaultRuleError("html is true or false")
        return value
    if name == "headers":
        if not isinstance(value, Mapping):
            raise FaultRuleError("headers is an object of texts")
        return {str(key): str(each) for key, each in value.items()}
    if name in _LISTS:
        if not isinstance(value, list | tuple):
            raise FaultRuleError(f"{name} is a list of texts")
        return tuple(str(each) for each in value)
    if not isinstance(value, str):
        raise FaultRuleError(f"{name} is a text")
    if name == "path":
        try:
            re.compile(value)
        except re.error as error:
            raise FaultRuleError(f"path is not a regular expression: {error}") from None
    return value.upper() if name == "method" else value


def _number(name: str, value: object, *, whole: bool) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise FaultRuleError(f"{name} is a {'whole ' if whole else ''}number")
    if value < 0 or (name == "probability" and value > 1):
        raise FaultRuleError(f"{name} is out of range")
    return value
