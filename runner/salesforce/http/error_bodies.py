"""What an answer that is not a success says, whatever its form.

Reads the JSON array of the REST and Bulk 2.0 APIs, the objects of OAuth and Bulk 1.0, the list of
records of a 300, XML, and the HTML and empty bodies of what stands before an org. Turns them into
errors with a hint. Knows nothing of retries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus

from runner.errors import LimitError, OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgResponse, shown

AMBIGUOUS_CODE = "DUPLICATE_EXTERNAL_ID"
"""What Collections and Bulk call the answer 300: several records carry the external Id."""
TRANSIENT_STATUSES = frozenset({420, 429, 500, 502, 503, 504})
SPENT_CODES = frozenset({"EXCEEDEDQUOTA", "STORAGE_LIMIT_EXCEEDED"})
_DAILY_TEXT = "per 24 hrs"
"""How the org words the limits on query jobs, whatever their code."""

_HINTS: Mapping[str, str] = {
    "API_CURRENTLY_DISABLED": "Switch on `API Enabled` for this user, or wait until it is back.",
    "API_DISABLED_FOR_ORG": "Switch on `API Enabled` in the user's profile or permission set.",
    "EXCEEDEDQUOTA": "The daily quota of the Bulk API is used up; it frees over 24 hours.",
    "FEATURENOTENABLED": "A hard delete needs the permission `Bulk API Hard Delete`.",
    "GONE": "Salesforce has retired this API version; write a newer `api_version` or leave it out.",
    "INSUFFICIENT_ACCESS": "Give the user the permission in its profile or a permission set.",
    "INVALID_QUERY_LOCATOR": "A query's pages live two days; run the query again.",
    "INVALID_TYPE": "Check the object's API name, `__c` included, and the user's access to it.",
    "QUERY_TIMEOUT": "Select fewer rows at once, or filter on an indexed field.",
    "STORAGE_LIMIT_EXCEEDED": "Free storage in the org (Setup > Storage Usage), then run again.",
    "TXN_SECURITY_NO_ACCESS": "A transaction security policy forbids this; ask the admin.",
}
_DAILY_HINT = "The limit counts the last 24 hours; run again when calls are free."
_RETRY_HINT = "Try again later; https://status.salesforce.com shows outages."

_XML_CODE = re.compile(r"<(?:\w+:)?(?:errorCode|exceptionCode)>([^<]*)<")
_XML_MESSAGE = re.compile(r"<(?:\w+:)?(?:message|exceptionMessage)>([^<]*)<")
_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing an answer complains of."""

    code: str | None
    message: str
    fields: tuple[str, ...] = ()


def faults_of(response: OrgResponse) -> tuple[Fault, ...]:
    """What the answer complains of; empty where its body is no API's answer."""
    text = response.text.strip()
    if text.startswith(("[", "{")):
        return _json_faults(text, response.status)
    code = _XML_CODE.search(text)
    if code:
        message = _XML_MESSAGE.search(text)
        return (Fault(unescape(code[1]), unescape(message[1]) if message else ""),)
    if text and " " not in text and "<" not in text:
        return (Fault(text, text),)  # the user info endpoint answers a bare `Bad_OAuth_Token`
    return ()


def fault_of(entry: Mapping[str, object]) -> Fault:
    """One complaint from a JSON object, under whichever names it goes.

    Collections say `statusCode` where the rest says `errorCode`; OAuth says `error`; Bulk 1.0 says
    `exceptionCode`.
    """
    code = _first(entry, "errorCode", "statusCode", "exceptionCode", "error")
    message = _first(entry, "message", "exceptionMessage", "error_description")
    fields = entry.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return Fault(code, message or code or "no message", names)


def error_of(response: OrgResponse) -> OrgError:
    """The error that an answer without success stands for."""
    found = faults_of(response)
    if not found or found[0].code is None:
        return _foreign_error(response)
    first = found[0]
    message = f"{first.code}: {first.message.strip()}{_tried(response)}"
    return _kind(response.status, first)(
        message,
        status=response.status,
        code=first.code,
        fields=first.fields,
        hint=hint_of(response.status, first),
    )


def hint_of(status: int, fault: Fault) -> str | None:
    """What to do about a complaint; None where its own text says it."""
    if is_spent(fault):
        return _HINTS.get(fault.code or "", _DAILY_HINT)
    if _may_pass(status, fault):
        return _RETRY_HINT
    return _HINTS.get(fault.code or "")


def is_spent(fault: Fault) -> bool:
    """Whether a limit is used up that no wait of minutes brings back."""
    text = fault.message.lower()
    if fault.code == "REQUEST_LIMIT_EXCEEDED":
        return "concurrent" not in text
    return fault.code in SPENT_CODES or _DAILY_TEXT in text


def _json_faults(text: str, status: int) -> tuple[Fault, ...]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return ()
    entries = parsed if isinstance(parsed, list) else [parsed]
    if status == HTTPStatus.MULTIPLE_CHOICES:
        count = len(entries)
        return (Fault(AMBIGUOUS_CODE, f"{count} records carry this external Id: {shown(text)}"),)
    return tuple(fault_of(entry) for entry in entries if isinstance(entry, dict))


def _first(entry: Mapping[str, object], *names: str) -> str | None:
    return next((str(entry[name]) for name in names if entry.get(name)), None)


def _kind(status: int, fault: Fault) -> type[OrgError]:
    if is_spent(fault):
        return LimitError
    return TransientError if _may_pass(status, fault) else OrgError


def _may_pass(status: int, fault: Fault) -> bool:
    """Whether time may mend it. A 500 with a code of its own is a defect in the org's Apex."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return fault.code == "UNKNOWN_EXCEPTION"
    return status in TRANSIENT_STATUSES or fault.code == "REQUEST_LIMIT_EXCEEDED"


def _foreign_error(response: OrgResponse) -> OrgError:
    """An error for an answer that no API gave: a maintenance page, a proxy, a wrong host."""
    status = response.status
    message = f"{_status_line(status)} came with {_described(response)}{_tried(response)}"
    if status in TRANSIENT_STATUSES:
        return TransientError(message, status=status, hint=_RETRY_HINT)
    if "location" in response.headers:
        return UnexpectedAnswerError(
            f"{message}; it leads elsewhere, where no token is taken",
            status=status,
            hint="The org's address may have changed: sign in again, or check `domain`.",
        )
    return UnexpectedAnswerError(
        message, status=status, hint="Check the host: it does not answer as an org does."
    )


def _described(response: OrgResponse) -> str:
    title = _HTML_TITLE.search(response.text)
    if title:
        return f"a web page, {shown(unescape(title[1]))!r}"
    return shown(response.text) if response.body.strip() else "an empty body"


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _tried(response: OrgResponse) -> str:
    return f" (tried {response.tries} times)" if response.tries > 1 else ""
