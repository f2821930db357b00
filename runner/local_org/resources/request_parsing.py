"""What requests about records share: the sObject of the path, JSON bodies, conditions, errors.

Knows how requests name things. Knows nothing of what they do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from msgspec.structs import replace

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiError, ApiRefusal
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.http.messages import Request
from runner.local_org.org import Org, User
from runner.local_org.records import RowOutcome, WriteCall
from runner.local_org.records.refusals import POSITION

_STATUS = {
    "INSUFFICIENT_ACCESS": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "STORAGE_LIMIT_EXCEEDED": 403,
    "UNKNOWN_EXCEPTION": 500,
}
_MOST_JSON_BYTES = 52_428_800
_ALLOW_SAVE = re.compile(r"allowsave\s*=\s*true", re.IGNORECASE)


def not_found(message: str = "The requested resource does not exist") -> ApiRefusal:
    """404 with Salesforce's message."""
    return ApiRefusal(404, "NOT_FOUND", message)


def named_sobject(org: Org, request: Request) -> SObject:
    """The sObject of the path.

    Raises:
        ApiRefusal: 404, there is no such sObject.
    """
    sobject = org.catalog.sobject(request.params["sobject"])
    if sobject is None:
        raise not_found()
    return sobject


def caller(org: Org, request: Request) -> User:
    """The caller's user; the administrator on routes without sign-in."""
    return request.user or org.user


def version_of(org: Org, request: Request) -> float:
    """The version of the path."""
    return request.version or org.settings.max_version


def json_object(request: Request) -> dict[str, object]:
    """The body as a JSON object.

    Raises:
        ApiRefusal: 400, it is JSON of another kind.
        json.JSONDecodeError: it is not JSON.
    """
    if len(request.body) > _MOST_JSON_BYTES:
        words = f"Maximum size of request reached. Maximum size of request is {_MOST_JSON_BYTES}"
        raise ApiRefusal(400, "JSON_PARSER_ERROR", f"{words} bytes.")
    body = request.json()
    if not isinstance(body, dict):
        raise ApiRefusal(
            400,
            "JSON_PARSER_ERROR",
            "The HTTP entity body is required, but this request has no entity body."
            if not request.body
            else f"Unexpected parameter encountered during deserialization at {POSITION}",
        )
    return _in_unicode(body) if rb"\ud" in request.body.lower() else body


def _in_unicode(body: dict[str, object]) -> dict[str, object]:
    """JSON can escape half a surrogate pair, which is not a character; it becomes a `?`."""
    text = exact_numbers.dumps(body).encode(errors="replace")
    return cast("dict[str, object]", exact_numbers.loads(text))


def wanted_fields(sobject: SObject, names: str | list[str]) -> list[Field] | None:
    """Fields by name, from `a,b` or a list; None if there are none.

    Raises:
        ApiRefusal: 400 INVALID_FIELD, one of them does not exist.
    """
    listed = names.split(",") if isinstance(names, str) else names
    fields = []
    for name in (each.strip() for each in listed):
        if not name:
            continue
        field = sobject.field(name)
        if field is None:
            raise ApiRefusal(
                400,
                "INVALID_FIELD",
                f"No such column '{name}' on entity '{sobject.name}'. If you are attempting to"
                " use a custom field, be sure to append the '__c' after the custom field name."
                " Please reference your WSDL or the describe call for the appropriate names.",
            )
        fields.append(field)
    return fields or None


def write_call(  # noqa: PLR0913 - a request, and the write that it asks for
    org: Org,
    request: Request,
    operation: str,
    sobject: SObject,
    rows: Sequence[Mapping[str, object]],
    *,
    external_id: str | None = None,
) -> WriteCall:
    """A write in the name of the caller, with the options that its headers set.

    `Sforce-Duplicate-Rule-Header: allowSave=true` (from 52.0) saves in spite of duplicate rules
    that only alert.
    """
    duplicates = request.headers.get("sforce-duplicate-rule-header", "")
    return WriteCall(
        operation,
        sobject,
        rows,
        caller(org, request),
        external_id=external_id,
        allow_duplicates=_ALLOW_SAVE.search(duplicates) is not None,
    )


def refusal(outcome: RowOutcome, request: Request) -> ApiRefusal:
    """The error for a single record that failed."""
    errors = tuple(_positioned(error, request.body) for error in outcome.errors)
    return ApiRefusal.of(_STATUS.get(errors[0].code, 400), *errors)


def _positioned(error: ApiError, body: bytes) -> ApiError:
    """Put the position of the value into a parser error, as far as it can be found."""
    if POSITION not in error.message or not error.fields:
        return error
    text = body.decode(errors="replace")
    found = re.search(rf'"{re.escape(error.fields[0])}"\s*:\s*', text, re.IGNORECASE)
    end = found.end() if found else 0
    line = text.count("\n", 0, end) + 1
    column = end - (text.rfind("\n", 0, end) + 1) + 1
    message = error.message.replace(POSITION, f"[line:{line}, column:{column}]")
    return replace(error, message=message, fields=())


def check_unmodified_since(request: Request, modified: datetime) -> None:
    """The condition `If-Unmodified-Since` of a request on what was last modified then.

    Raises:
        ApiRefusal: 412, it was modified later; 400, a change has a date that is none.
    """
    since = header_moment(request, "if-unmodified-since")
    if since is None and "if-unmodified-since" in request.headers:
        refuse_condition(request, "If-Unmodified-Since")
    if since is not None and modified > since:
        raise ApiRefusal(412, "PRECONDITION_FAILED", "The record was modified after the given date")


def refuse_condition(request: Request, name: str) -> None:
    """An invalid condition refuses changes; other requests are answered without it.

    Raises:
        ApiRefusal: 400, the request is a change.
    """
    if request.method in {"PATCH", "POST"}:
        raise ApiRefusal(400, "INVALID_INPUT", f"Invalid value of the header {name}")


def header_moment(request: Request, name: str) -> datetime | None:
    """The date of a header such as `If-Modified-Since` (RFC 1123); None if absent or invalid."""
    text = request.headers.get(name)
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
