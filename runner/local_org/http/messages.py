"""Requests, responses and routes as plain values.

Knows their shapes. Knows no socket and no resource.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct, field

from runner.local_org import exact_numbers

if TYPE_CHECKING:
    from runner.local_org.org import Org, User

JSON_TYPE = "application/json;charset=UTF-8"
_SCHEMES = ("bearer ", "oauth ")


class Request(Struct, frozen=True):
    """One request, decoded: the body is whole and uncompressed."""

    method: str
    path: str
    """Path with `//` collapsed and any trailing slash removed, still percent-encoded."""
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    params: Mapping[str, str] = field(default_factory=dict)
    """The route's named groups, percent-decoded."""
    version: float | None = None
    """The `NN.0` of `/services/data/vNN.0`, if the path has one."""
    user: User | None = None
    """The user of the access token; None on routes without sign-in."""
    base_url: str = ""
    """Scheme and authority with which the client reached this server."""
    payload: BinaryIO | None = None
    """A body too large for memory, as an open file; only for routes that stream."""

    dispatch: Callable[[Org, Request], Response] | None = None
    """Answers a request within this one (a part of a composite); set by the router."""

    @property
    def token(self) -> str:
        """The access token, or ''; Salesforce accepts `OAuth` as well as `Bearer`."""
        header = self.headers.get("authorization", "")
        return header.partition(" ")[2].strip() if header.lower().startswith(_SCHEMES) else ""

    @property
    def session_token(self) -> str:
        """The token, also from the header of Bulk API 1.0."""
        return self.headers.get("x-sfdc-session") or self.token

    def arg(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]

    def json(self) -> object:
        """The body as JSON; ValueError if it is not."""
        try:
            return exact_numbers.loads(self.body)
        except RecursionError:
            raise json.JSONDecodeError("Too deeply nested", "", 0) from None

    def open_body(self) -> BinaryIO:
        """The body as a readable file."""
        return self.payload or io.BytesIO(self.body)


class WireFault(Struct, frozen=True):
    """How to damage the response on its way, to test against bad networks."""

    reset: bool = False
    """Send nothing; reset the connection (TCP RST)."""
    truncate_after_bytes: int | None = None
    """Announce the whole body, send only this much of it, close."""
    bytes_per_second: float | None = None
    """Send the body this slowly."""


class Response(Struct):
    """One response; the body is bytes, or an iterable of bytes that is sent chunked."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    wire: WireFault | None = None

    @classmethod
    def of_json(
        cls, value: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """A JSON response in Salesforce's media type."""
        body = exact_numbers.dumps(value).encode()
        return cls(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})


Endpoint = Callable[["Org", Request], Response]


class Route(Struct, frozen=True):
    """The endpoint for a method and a path, a regular expression that matches the whole path.

    With `versioned=True` the path omits `/services/data/vNN.0`.
    """

    method: str
    path: str
    endpoint: Endpoint
    versioned: bool = True
    min_version: float = 0.0
    signed_in: bool = True
    streams: bool = False
    """Whether the endpoint reads the body with `open_body` (uploads of any size)."""
    takes_files: bool = False
    """Whether it reads multipart bodies so, and only those."""

    def match(self, path: str) -> re.Match[str] | None:
        """Match a path without its version; case matters except in Bulk's own paths."""
        return re.fullmatch(self.path, path)
