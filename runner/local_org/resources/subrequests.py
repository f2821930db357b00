"""Requests within a request: how composite, batch and graph run their parts.

Knows how a part becomes a request, and one transaction for several of them. The router answers each
part like a separate request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiRefusal
from runner.local_org.http.messages import Request, Response
from runner.local_org.org import Org
from runner.local_org.resources.part_checks import bad_reference_id, is_strict, refused_part
from runner.local_org.resources.references import InvalidReferenceError, resolved
from runner.local_org.resources.request_parsing import version_of

_GOOD = range(200, 300)
_NOT_INHERITED = frozenset({"content-length", "content-type", "content-encoding"})
_JSON = "application/json"
_SHOWN = ("ETag", "Last-Modified", "Location")
"""The headers of a part that its composite passes on, as recorded."""


class Part(Struct, frozen=True):
    """One subrequest as sent."""

    method: str
    url: str
    body: object = None
    reference_id: str = ""
    headers: Mapping[str, str] | None = None


class Answer(Struct, frozen=True):
    """The response to one subrequest."""

    status: int
    body: object
    headers: Mapping[str, str]

    @property
    def good(self) -> bool:
        """Whether the subrequest succeeded."""
        return self.status in _GOOD

    @property
    def complete(self) -> bool:
        """Whether it succeeded as a whole: a collection does not if one of its records failed."""
        records = self.body if isinstance(self.body, list) else []
        failed = (isinstance(each, dict) and each.get("success") is False for each in records)
        return self.good and not any(failed)

    def as_composite(self, reference_id: str) -> dict[str, object]:
        """Shape of an element of `compositeResponse`."""
        shown = {name: self.headers[name] for name in _SHOWN if name in self.headers}
        return {
            "body": self.body,
            "httpHeaders": shown,
            "httpStatusCode": self.status,
            "referenceId": reference_id,
        }


class RolledBackError(Exception):
    """Rolls back a transaction in which a subrequest failed."""


def halted(message: str) -> Answer:
    """The answer of a subrequest that was skipped or rolled back because of another."""
    return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": message}], {})


@contextmanager
def rolled_back_on_failure(org: Org) -> Iterator[None]:
    """One transaction; RolledBackError rolls it back and is not raised further."""
    try:
        with org.store.writing():
            yield
    except RolledBackError:
        return


def run_part(org: Org, outer: Request, part: Part) -> Answer:
    """Send one part through the router, in the session of the outer request."""
    if outer.dispatch is None:
        raise TypeError("a request with parts comes from the router")
    split = urlsplit(part.url)
    headers = {name: value for name, value in outer.headers.items() if name not in _NOT_INHERITED}
    headers.update({name.lower(): value for name, value in (part.headers or {}).items()})
    response = outer.dispatch(
        org,
        replace(
            outer,
            method=part.method,
            path=split.path.rstrip("/"),
            query=parse_qs(split.query, keep_blank_values=True),
            headers={**headers, "content-type": "application/json"},
            body=b"" if part.body is None else exact_numbers.dumps(part.body).encode(),
            params={},
            payload=None,
        ),
    )
    if response.body and not response.headers.get("Content-Type", "").startswith(_JSON):
        return halted(f"Binary data is not supported in this request: {part.url}")
    return Answer(response.status, _body_of(response), response.headers)


def _no_value(path: str) -> str:
    """As recorded: Salesforce also takes the whole path for a referenceId."""
    name = re.split(r"[.\[]", path)[0]
    return (
        f"Invalid reference specified. No value for {path} found in {name}. "
        f"{bad_reference_id(path)}"
    )


def _body_of(response: Response) -> object:
    raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    if not raw:
        return None
    return exact_numbers.loads(raw)


def run_part_with_references(
    org: Org,
    outer: Request,
    part: Part,
    answers: Mapping[str, object],
    allowed: re.Pattern[str],
) -> Answer:
    """Run a part whose URL, body and headers may refer to earlier answers.

    `allowed` matches the methods and paths that it may have. Before 52.0 null is no value.
    """
    nulls = is_strict(outer.version)
    try:
        url = str(resolved(part.url, answers, nulls=nulls))
        body = resolved(part.body, answers, nulls=nulls)
        headers = resolved(dict(part.headers or {}), answers, nulls=nulls)
    except InvalidReferenceError as error:
        return halted(_no_value(str(error)))
    reason = refused_part(part.method, url, allowed, (0.0, version_of(org, outer)))
    if reason is not None:
        return halted(reason)
    as_texts = (
        {str(key): str(each) for key, each in headers.items()} if isinstance(headers, dict) else {}
    )
    return run_part(org, outer, replace(part, url=url, body=body, headers=as_texts))


def mappings_of(body: Mapping[str, object], key: str, most: int) -> list[dict[str, object]]:
    """A member that must be a list of at most `most` objects.

    Raises:
        ApiRefusal: 400, it is not, or has too many.
    """
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ApiRefusal(400, "JSON_PARSER_ERROR", f"A list of objects is required: {key}")
    if len(value) > most:
        raise ApiRefusal(
            400, "LIMIT_EXCEEDED", f"Limit exceeded: at most {most} {key} in a request"
        )
    return value
