"""A request as HTTP/1.1 sends it.

Knows how a URL and headers are written, and refuses what would be read as something else. Knows
nothing of connections.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from runner.salesforce.http.failures import CutOffError, ExchangeError, UnsentError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method, or the name of a header."""
_HEADER = re.compile(_TOKEN.pattern + r": [\t\x20-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_IN_TARGETS = "/:?@!$&'()*+,;=~%[]|"
"""What is sent as it is, besides letters and digits."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Origin(Struct, frozen=True):
    """A server, by its URL."""

    tls: bool
    host: str
    port: int

    @property
    def text(self) -> str:
        """As the header `Host` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Outgoing(Struct, frozen=True):
    """A request as it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Iterable[bytes] = ()
    length: int | None = None
    """Of the body, in bytes; None: no body."""

    def origin(self) -> Origin:
        """Where it goes.

        Raises:
            UnsentError: Its URL names no server.
        """
        if _CONTROL.search(self.url):  # urlsplit leaves line breaks out
            raise UnsentError("its URL has a character that it cannot have")
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
            if not host.isascii():
                host = _ascii_name(host)
        except ValueError as error:
            raise UnsentError(str(error)) from error
        if parts.scheme not in {"http", "https"} or not host:
            raise UnsentError(f"{self.url!r} is not the URL of a server")
        tls = parts.scheme == "https"
        return Origin(tls, host, (443 if tls else 80) if port is None else port)

    def head(self) -> bytes:
        """Its lines before the body.

        Raises:
            UnsentError: It has a line break or another character that it cannot have.
        """
        parts = urlsplit(self.url)
        try:
            target = quote(parts.path or "/", safe=_IN_TARGETS)
            if parts.query:
                target += f"?{quote(parts.query, safe=_IN_TARGETS)}"
        except UnicodeEncodeError as error:  # half of a surrogate pair
            raise UnsentError("its URL has a character that it cannot have") from error
        headers = {"Host": self.origin().text, "Connection": "keep-alive", **self.headers}
        if parts.username is not None and "Authorization" not in headers:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        if self.length is not None or self.method in _WITH_BODY:
            headers["Content-Length"] = str(self.length or 0)
        fields = [*map(": ".join, headers.items())]
        for each in fields:
            if not _HEADER.fullmatch(each):  # whose value may be secret
                name = each.partition(":")[0]
                raise UnsentError(f"the header {name!r} has a character that it cannot have")
        if not _TOKEN.fullmatch(self.method):
            raise UnsentError(f"{self.method!r} is not a method")
        lines = [f"{self.method} {target} HTTP/1.1", *fields, "", ""]
        return "\r\n".join(lines).encode("ascii")

    def pieces(self) -> Iterator[bytes]:
        """The body, of the length that it must have.

        Raises:
            CutOffError: It has another; the server lacks the end of the body.
            ExchangeError: It goes on after its length; the server may have taken what it has got.
        """
        left = self.length or 0
        for piece in self.body:
            if len(piece) > left:
                kind = CutOffError if left else ExchangeError
                raise kind(f"the body is longer than {self.length} bytes")
            left -= len(piece)
            yield piece
        if left:
            raise CutOffError(f"the body is shorter than {self.length} bytes")


def _ascii_name(host: str) -> str:
    """A host's name as DNS and TLS have it.

    Raises:
        UnsentError: It has none, or that of another text: `straße` would be read as `strasse`.
        UnicodeError: As above.
    """
    name = host.encode("idna")
    if name.decode("idna") != host:
        raise UnsentError(f"{host!r} is not a valid host name")
    return name.decode("ascii")
