"""Requests within a request: how composite, batch and graph run their parts.

Knows how a part becomes a request, and one transaction for several of them. The router answers each
part like a separate request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiRefusal
from runner.local_org.http.messages import Request, Response
from runner.local_org.org import Org
from runner.local_org.resources.references import InvalidReferenceError, resolved

_GOOD = range(200, 300)
_NOT_INHERITED = frozenset({"content-length", "content-type", "content-encoding"})
_LISTS_OF_URLS = 300
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
            method=part.method.upper(),
            path=split.path.rstrip("/"),
            query=parse_qs(split.query, keep_blank_values=True),
            headers={**headers, "content-type": "application/json"},
            body=b"" if part.body is None else exact_numbers.dumps(part.body).encode(),
            params={},
            payload=None,
        ),
    )
    return Answer(response.status, _body_of(response), response.headers)


def _body_of(response: Response) -> object:
    raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    if not raw:
        return None
    return (
        exact_numbers.loads(raw)
        if raw[:1] in b'[{"' or response.status == _LISTS_OF_URLS
        else raw.decode()
    )


def run_part_with_references(
    org: Org, outer: Request, part: Part, answers: Mapping[str, object]
) -> Answer:
    """Run a part whose URL, body and headers may refer to earlier answers."""
    try:
        url = str(resolved(part.url, answers))
        body = resolved(part.body, answers)
        headers = resolved(dict(part.headers or {}), answers)
    except InvalidReferenceError as error:
        return halted(f"Invalid reference specified. No value for {error} found.")
    as_texts = (
        {str(key): str(each) for key, each in headers.items()} if isinstance(headers, dict) else {}
    )
    return run_part(org, outer, replace(part, url=url, body=body, headers=as_texts))


def text_of(mapping: Mapping[str, object], key: str) -> str:
    """A member that must be a text.

    Raises:
        ApiRefusal: 400, it is missing or of another kind.
    """
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise ApiRefusal(400, "INVALID_INPUT", f"Required field is missing or not a string: {key}")
    return value


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
