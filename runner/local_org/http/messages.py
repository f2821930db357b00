"""What goes in and out of the org over HTTP, as plain values.

Knows the shape of a request, a response and a route. Knows no socket and no resource.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from runner.local_org import exact_numbers

if TYPE_CHECKING:
    from runner.local_org.org import Org, User

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Request:
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
    """The `NN.0` of `/services/data/vNN.0`, where the path has one."""
    user: User | None = None
    """Who the access token stands for; None on routes that need no sign-in."""
    base_url: str = ""
    """Scheme and authority by which the client reached this server."""
    payload: BinaryIO | None = None
    """A body too big to hold, as an open file; only routes that stream see one."""

    dispatch: Callable[[Org, Request], Response] | None = None
    """Answers a request within this one (a part of a composite); set by the router."""

    def arg(self, name: str, default: str = "") -> str:
        """First value of a query parameter."""
        return self.query.get(name, [default])[0]

    def json(self) -> object:
        """The body as JSON; ValueError when it is not."""
        return exact_numbers.loads(self.body)

    def open_body(self) -> BinaryIO:
        """The body as a readable file, whichever way it is held."""
        return self.payload or io.BytesIO(self.body)


@dataclass(frozen=True, slots=True)
class WireFault:
    """How the answer is to be spoilt on its way, for those who test against bad networks."""

    reset: bool = False
    """Send nothing and reset the connection (TCP RST)."""
    truncate_after_bytes: int | None = None
    """Announce the whole body, send this much of it, close."""
    bytes_per_second: float | None = None
    """Drip the body."""


@dataclass(slots=True)
class Response:
    """One response; the body is bytes, or an iterable of bytes sent chunked."""

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


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes: the path is a regular expression over the whole path.

    Paths below a version are written without `/services/data/vNN.0` and have `versioned=True`.
    """

    method: str
    path: str
    endpoint: Endpoint
    versioned: bool = True
    min_version: float = 0.0
    signed_in: bool = True
    streams: bool = False
    """Whether the endpoint takes the body by `open_body` (uploads of any size)."""

    def match(self, path: str) -> re.Match[str] | None:
        """Match the (version-stripped) path; case matters but for Bulk's own paths."""
        return re.fullmatch(self.path, path)
