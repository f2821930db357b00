"""Requests and answers as plain values.

Knows how a request is encoded: query strings, forms, path segments. Knows nothing of sockets,
sessions or retries. Secrets are held as `Secret`, so that no repr shows one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct, field

from runner.credentials import Secret
from runner.wording import shortened

_REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_SHOWN_CHARACTERS = 200


class Content(Protocol):
    """A body that is read again each time it is sent."""

    @property
    def length(self) -> int:
        """In bytes."""

    def pieces(self) -> Iterator[bytes]:
        """All of it."""


class FileBody(Struct, frozen=True):
    """A body with a file in it, which is sent in pieces and never held in memory."""

    before: bytes
    file: Path
    size: int
    """Of the file, in bytes."""
    md5: str
    """Of the file, in hexadecimal: another content is not sent."""
    after: bytes

    @property
    def length(self) -> int:
        """Of the whole body, in bytes."""
        return len(self.before) + self.size + len(self.after)


class OrgRequest(Struct, frozen=True):
    """One request, the same however often it is sent."""

    method: str
    url: str
    """Absolute, or a path that a session makes absolute."""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str | Secret] | None = None
    """Sent as `application/x-www-form-urlencoded`."""
    body: bytes | Content | FileBody | None = None
    """Where it is not bytes, it is read from its start on each try."""
    idempotent: bool | None = None
    """Whether executing it twice is the same as once; None: by the method."""
    divisible: bool = False
    """Whether the caller can send its rows in smaller requests."""

    def __repr__(self) -> str:
        """Without its body, which is long and the user's own."""
        return f"OrgRequest({self.method} {self.url}, {self.headers!r}, {self.form!r})"

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when its fate is unknown."""
        if self.idempotent is not None:
            return self.idempotent
        return self.method in _REPEATABLE_METHODS

    @property
    def target(self) -> str:
        """The URL with its query string; `+`, `#` and `&` in a value are escaped."""
        if not self.params:
            return self.url
        return f"{self.url}?{urlencode(self.params, quote_via=quote)}"

    def encoded_form(self) -> bytes:
        """The form as it is sent, secrets included."""
        fields = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in (self.form or {}).items()
        }
        return urlencode(fields).encode("ascii")


class OrgResponse(Struct, frozen=True):
    """One answer, read completely."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    tries: int = 1
    """How often the request was sent."""
    request: str = ""
    """What it answers, for messages: `GET /services/data/v66.0/limits`."""
    replayed: bool = False
    """Whether an earlier try may have been executed, its answer lost."""

    def __repr__(self) -> str:
        """Without headers and body, which are long and the org's own."""
        return f"OrgResponse({self.request!r}, {self.status})"

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        """The body as text, undecodable bytes replaced."""
        return self.body.decode("utf-8", errors="replace")


def json_body(value: object) -> bytes:
    """JSON for a request body, on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def segment(value: str) -> str:
    """A value as one segment of a path, everything but unreserved characters encoded.

    A lone `.` or `..` is encoded too, or clients would shorten the path.
    """
    if value in {".", ".."}:
        return value.replace(".", "%2E")
    return quote(value, safe="")


def path_of(url: str) -> str:
    """The path and query of a URL that the org sent, without its host.

    Links in an answer (`nextRecordsUrl`, `contentUrl`) never decide where the token is sent.
    """
    parts = urlsplit(url)
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path


def shown(text: str) -> str:
    """The start of a text on one line, for an error message."""
    line = " ".join(text.split())
    if not line:
        return "nothing"
    return shortened(line, _SHOWN_CHARACTERS)
