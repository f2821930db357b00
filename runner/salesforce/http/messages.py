"""Requests and answers as plain values.

Knows how a request is spelled: query strings, forms, path segments. Knows nothing of sockets,
sessions or retries. A secret travels inside as `Secret`, so that no repr shows one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from runner.credentials import Secret
from runner.errors import UnexpectedAnswerError

_REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_SHOWN_CHARACTERS = 200
_Shape = TypeVar("_Shape")


@dataclass(frozen=True, slots=True)
class OrgRequest:
    """One request; as often as it is sent, it is the same."""

    method: str
    url: str
    """Absolute, or a path that a session makes absolute."""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str | Secret] | None = None
    """Sent as `application/x-www-form-urlencoded`."""
    body: bytes | Path | None = field(default=None, repr=False)
    """Bytes, or a file that is read from its start each time the request is sent."""
    idempotent: bool | None = None
    """Whether carrying it out twice is the same as once; None: as the method says."""
    divisible: bool = False
    """Whether its rows can be sent in smaller requests, where that may help."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows what became of it."""
        if self.idempotent is not None:
            return self.idempotent
        return self.method in _REPEATABLE_METHODS

    @property
    def target(self) -> str:
        """The URL with its query string; `+`, `#` and `&` in a value stay what they are."""
        if not self.params:
            return self.url
        return f"{self.url}?{urlencode(self.params, quote_via=quote)}"

    def encoded_form(self) -> bytes:
        """The form as it goes on the wire, secrets included."""
        fields = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in (self.form or {}).items()
        }
        return urlencode(fields).encode("ascii")


@dataclass(frozen=True, slots=True)
class OrgResponse:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    tries: int = 1
    """How often the request was sent."""
    replayed: bool = False
    """Whether an earlier try may have been carried out, its answer lost."""

    @property
    def ok(self) -> bool:
        """Whether the org did as it was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        """The body as text, undecodable bytes replaced."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:  # noqa: ANN401 - whatever the org answered
        """The body, parsed.

        Raises:
            UnexpectedAnswerError: It is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswerError(
                f"The org answered {self.status} with something that is not JSON: "
                f"{shown(self.text)}",
                status=self.status,
                hint="A proxy or a login page may stand between; check the host and HTTPS_PROXY.",
            ) from error

    def json_object(self, *required: str) -> dict[str, Any]:
        """The body, parsed, where only a JSON object makes sense, one that has these keys."""
        parsed = self._json_of(dict, "a JSON object")
        missing = [key for key in required if key not in parsed]
        if missing:
            raise UnexpectedAnswerError(
                f"The org's answer lacks {', '.join(missing)}: {shown(self.text)}",
                status=self.status,
            )
        return parsed

    def json_list(self) -> list[Any]:
        """The body, parsed, where only a JSON array makes sense."""
        return self._json_of(list, "a JSON array")

    def _json_of(self, shape: type[_Shape], wanted: str) -> _Shape:
        parsed = self.json()
        if not isinstance(parsed, shape):
            raise UnexpectedAnswerError(
                f"The org answered {self.status} with {shown(self.text)}, not with {wanted}.",
                status=self.status,
            )
        return parsed


def json_body(value: object) -> bytes:
    """JSON for a request body, on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def segment(value: str) -> str:
    """A value as one segment of a path: everything but unreserved characters is encoded.

    A lone `.` or `..` is encoded too, or the path would be shortened on its way.
    """
    if value in {".", ".."}:
        return value.replace(".", "%2E")
    return quote(value, safe="")


def path_of(url: str) -> str:
    """The path and query of a URL that the org gave, its host left behind.

    What the org sends to be followed (`nextRecordsUrl`, `contentUrl`) never decides where the
    token goes.
    """
    parts = urlsplit(url)
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path


def shown(text: str) -> str:
    """The beginning of a text on one line, for an error message."""
    line = " ".join(text.split())
    if not line:
        return "nothing"
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"
