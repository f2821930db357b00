"""What an answer that is not a success says, whatever its form.

Reads the JSON array of the REST and Bulk 2.0 APIs, the objects of OAuth and Bulk 1.0, the list of
records of a 300, XML, and the HTML or empty bodies of a proxy. Turns them into errors with a hint.
Knows nothing of retries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct

from runner.errors import LimitError, OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgResponse, shown
from runner.salesforce.http.purposes import with_purpose

AMBIGUOUS_CODE = "DUPLICATE_EXTERNAL_ID"
"""What Collections and Bulk call the answer 300: several records have the external Id."""
TRANSIENT_STATUSES = frozenset({420, 429, 500, 502, 503, 504})
SPENT_CODES = frozenset({"EXCEEDEDQUOTA", "STORAGE_LIMIT_EXCEEDED"})
_DAILY_TEXT = "per 24 hrs"
"""How the org words the limits on query jobs, whatever their code."""

_HINTS: Mapping[str, str] = {
    "API_CURRENTLY_DISABLED": "Enable `API Enabled` for this user, or wait until the API is back.",
    "API_DISABLED_FOR_ORG": "Enable `API Enabled` in the user's profile or permission set.",
    "EXCEEDEDQUOTA": "The Bulk API's daily quota is used up; it frees up over 24 hours.",
    "FEATURENOTENABLED": "A hard delete needs the permission `Bulk API Hard Delete`.",
    "GONE": "Salesforce has retired this API version; set a newer `api_version` or leave it out.",
    "INSUFFICIENT_ACCESS": "Give the user the permission in its profile or a permission set.",
    "INVALID_QUERY_LOCATOR": "Query results expire after two days; run the query again.",
    "INVALID_TYPE": "Check the object's API name, including `__c`, and the user's access to it.",
    "QUERY_TIMEOUT": "Select fewer rows, or filter on an indexed field.",
    "STORAGE_LIMIT_EXCEEDED": "Free storage in the org (Setup > Storage Usage), then run again.",
    "TXN_SECURITY_NO_ACCESS": "A transaction security policy forbids this; ask the org's admin.",
}
_DAILY_HINT = "The limit covers the last 24 hours; run again when requests are available."
_RETRY_HINT = "Try again later; see https://status.salesforce.com for outages."
_LOCAL_RETRY_HINT = (
    "Try again; what fails in the local org itself is in `errors.log` in its folder."
)
_LOCAL_SERVER = "LocalOrg"
_SALESFORCE_SERVER = "sfdcedge"
_LACKING = frozenset({404, 405, 415, 501})
_LACKING_HINT = "If this server is not Salesforce, it may lack this part of Salesforce's API."

_CARET = re.compile(r"^[ \t]*\^[ \t]*$", re.MULTILINE)
_XML_CODE = re.compile(r"<(?:\w+:)?(?:errorCode|exceptionCode)>([^<]*)<")
_XML_MESSAGE = re.compile(r"<(?:\w+:)?(?:message|exceptionMessage)>([^<]*)<")
_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Fault(Struct, frozen=True):
    """One error in an answer."""

    code: str | None
    message: str
    fields: tuple[str, ...] = ()


def faults_of(response: OrgResponse) -> tuple[Fault, ...]:
    """The errors in an answer; empty where no API gave it."""
    text = response.text.strip()
    if text.startswith(("[", "{")):
        return _json_faults(text, response.status)
    code = _XML_CODE.search(text)
    if code:
        from html import unescape  # noqa: PLC0415 - not every start needs it

        message = _XML_MESSAGE.search(text)
        return (Fault(unescape(code[1]), unescape(message[1]) if message else ""),)
    if text and " " not in text and "<" not in text:
        return (Fault(text, text),)  # the user info endpoint answers a bare `Bad_OAuth_Token`
    return ()


def fault_of(entry: Mapping[str, object]) -> Fault:
    """One error from a JSON object, whatever its keys are called.

    Collections say `statusCode` where the rest says `errorCode`; OAuth says `error`; Bulk 1.0 says
    `exceptionCode`.
    """
    code = _first(entry, "errorCode", "statusCode", "exceptionCode", "error")
    message = _first(entry, "message", "exceptionMessage", "error_description")
    fields = entry.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return Fault(code, message or code or "no message", names)


def error_of(response: OrgResponse) -> OrgError:
    """The exception for an answer that is not a success."""
    found = faults_of(response)
    if not found or found[0].code is None:
        return _foreign_error(response)
    first = found[0]
    hint = hint_of(response.status, first)
    # What has a hint, or an excerpt of a query, says by itself what it is about.
    named = "" if hint or _CARET.search(first.message) else request_of(response)
    message = f"{first.code}:{_lead(first.message)}{named}{_tried(response)}"
    return _kind(response.status, first)(
        message,
        status=response.status,
        code=first.code,
        fields=first.fields,
        hint=_hint_by_server(response, hint or lacking_hint(response)),
    )


def request_of(response: OrgResponse) -> str:
    """The request and what was expected of it, to follow a refusal."""
    return f" ({with_purpose(response.request)})" if response.request else ""


def lacking_hint(response: OrgResponse) -> str | None:
    """What to do where a server that is not Salesforce may lack a part of its API; else None."""
    is_salesforce = response.headers.get("server") in {_SALESFORCE_SERVER, _LOCAL_SERVER}
    return _LACKING_HINT if response.status in _LACKING and not is_salesforce else None


def _lead(message: str) -> str:
    """The org's message, to follow its code.

    An excerpt of the query with a caret under it begins on a line of its own.
    """
    if not _CARET.search(message):
        return f" {message.strip()}"
    return "\n" + message.strip("\n").rstrip().replace("\t", " ")


def _hint_by_server(response: OrgResponse, hint: str | None) -> str | None:
    """Salesforce's outages do not explain what the local org answers."""
    is_local = response.headers.get("server") == _LOCAL_SERVER
    return _LOCAL_RETRY_HINT if hint == _RETRY_HINT and is_local else hint


def hint_of(status: int, fault: Fault) -> str | None:
    """What to do about an error; None where its own text says it."""
    if is_spent(fault):
        return _HINTS.get(fault.code or "", _DAILY_HINT)
    if _may_pass(status, fault):
        return _RETRY_HINT
    return _HINTS.get(fault.code or "")


def is_spent(fault: Fault) -> bool:
    """Whether a limit is used up that will not be back within minutes."""
    text = fault.message.lower()
    if fault.code == "REQUEST_LIMIT_EXCEEDED":
        return "concurrent" not in text
    return fault.code in SPENT_CODES or _DAILY_TEXT in text


def _json_faults(text: str, status: int) -> tuple[Fault, ...]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    entries = parsed if isinstance(parsed, list) else [parsed]
    if status == HTTPStatus.MULTIPLE_CHOICES:
        count = len(entries)
        return (Fault(AMBIGUOUS_CODE, f"{count} records have this external Id: {shown(text)}"),)
    return tuple(fault_of(entry) for entry in entries if isinstance(entry, dict))


def _first(entry: Mapping[str, object], *names: str) -> str | None:
    return next((str(entry[name]) for name in names if entry.get(name)), None)


def _kind(status: int, fault: Fault) -> type[OrgError]:
    if is_spent(fault):
        return LimitError
    return TransientError if _may_pass(status, fault) else OrgError


def _may_pass(status: int, fault: Fault) -> bool:
    """Whether it may work later. A 500 with its own code is a defect in the org's Apex."""
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return fault.code == "UNKNOWN_EXCEPTION"
    return status in TRANSIENT_STATUSES or fault.code == "REQUEST_LIMIT_EXCEEDED"


def _foreign_error(response: OrgResponse) -> OrgError:
    """An error for an answer no API gave: from a maintenance page, a proxy, a wrong host."""
    status = response.status
    answer = f"{_status_line(status)} with {_described(response)}"
    message = f"{answer}{request_of(response)}{_tried(response)}"
    if status in TRANSIENT_STATUSES:
        hint = _hint_by_server(response, _RETRY_HINT)
        return TransientError(message, status=status, hint=hint)
    if "location" in response.headers:
        return UnexpectedAnswerError(
            f"{message}; it redirects to where no token is sent",
            status=status,
            hint="The org's address may have changed: sign in again, or check `domain`.",
        )
    hint = lacking_hint(response) or "Check the host: it does not answer like an org."
    hint = _HINTS_OF_PROXIES.get(status, hint)
    return UnexpectedAnswerError(message, status=status, hint=hint)


_HINTS_OF_PROXIES: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "No API of Salesforce answers like this: a proxy or firewall forbids the "
    "request. Ask who runs it to allow this host.",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "The proxy wants a user and a password: "
    "HTTPS_PROXY=http://user:password@proxy:port.",
}


def _described(response: OrgResponse) -> str:
    title = _HTML_TITLE.search(response.text)
    if title:
        from html import unescape  # noqa: PLC0415 - not every start needs it

        return f"a web page, {shown(unescape(title[1]))!r}"
    return shown(response.text) if response.body.strip() else "an empty body"


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _tried(response: OrgResponse) -> str:
    return f" (tried {response.tries} times)" if response.tries > 1 else ""
