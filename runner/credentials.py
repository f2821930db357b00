"""Secrets and tokens as values that are never shown by accident, and references to secrets.

Knows what a token is and how a new one is obtained. Every secret of this process is registered
here, so that `redacted` can remove it from any text. Knows nothing of files, of the wire or of who
prints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "***"
LEAST_CHARACTERS = 8
"""Shorter texts are not registered: masking them would make every message unreadable."""

_SHAPES = re.compile(
    r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{8,}"  # access token
    r"|5Aep861[A-Za-z0-9._=-]{8,}"  # refresh token
    r"|force://\S+"  # the Salesforce CLI's sign-in URL
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"  # JSON Web Token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|(?<=Bearer )\S+"
    r"|(?<=://)[^/\s:@'\"]+:[^/\s@'\"]+(?=@)"  # user and password of a proxy
    r"|(?<=[?&]code=)[^&\s]+"
    r"|(?<=token=)[^&\s]+|(?<=assertion=)[^&\s]+|(?<=client_secret=)[^&\s]+",
    re.DOTALL,
)


class _Registry:
    """Every secret text that this process has seen."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._compiled: tuple[set[str], re.Pattern[str]] | None = None
        self._listeners: list[Callable[[str], None]] = []
        self._lock = Lock()

    def add(self, text: str) -> None:
        """Register a text, and the forms in which it may appear."""
        if len(text) < LEAST_CHARACTERS or text in self._texts:
            return
        with self._lock:
            new = text not in self._texts
            self._texts = self._texts | _forms(text)
        for listener in self._listeners if new else ():
            listener(text)

    def listen(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    def mask(self, text: str) -> str:
        """The text with every registered secret masked, the longest first."""
        texts, compiled = self._texts, self._compiled
        if not texts:
            return text
        if compiled is None or compiled[0] is not texts:
            ordered = sorted(texts, key=len, reverse=True)
            compiled = self._compiled = texts, re.compile("|".join(map(re.escape, ordered)))
        return compiled[1].sub(MASK, text)


_registry = _Registry()


def _forms(text: str) -> set[str]:
    """A text, and its forms in URLs, HTML forms and JSON."""
    in_json = json.dumps(text)[1:-1]
    return {text, quote(text, safe=""), quote_plus(text), in_json, *_lines(text)}


def _lines(text: str) -> set[str]:
    """The lines of a key, each of which may be quoted alone; not its first and last line."""
    if "\n" not in text:
        return set()
    stripped = (line.strip() for line in text.splitlines())
    return {line for line in stripped if len(line) > LEAST_CHARACTERS and line[:5] != "-----"}


def redacted(text: str, *, shapes: bool = False) -> str:
    """The text without any secret that this process has seen.

    Args:
        text: About to be shown or written.
        shapes: Also mask what only looks like a token, a key or a password.
    """
    clean = _registry.mask(text)
    return _SHAPES.sub(MASK, clean) if shapes else clean


def on_secret(listener: Callable[[str], None]) -> None:
    """Call `listener` with each secret text that this process sees from now on."""
    _registry.listen(listener)


class Secret:
    """A text that is never shown by accident: repr, str, format and JSON give `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        _registry.add(text)

    def reveal(self) -> str:
        """The text itself: only to send it or to write it to the token store."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        message = "a secret is not pickled"
        raise TypeError(message)


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is, never the secret; one of path, env, command and keyring is set."""

    path: Path | None = None
    env: str | None = None
    command: tuple[str, ...] | None = None
    keyring: str | None = None
    """Name of an entry in the operating system's keyring; tokens only."""
    key: SecretReference | None = None
    """What the file at `path` is encrypted with; tokens only."""

    def __str__(self) -> str:
        if self.env is not None:
            return f"variable {self.env}"
        if self.command is not None:
            return f"command {self.command[0]}"
        return str(self.path) if self.path is not None else f"keyring entry {self.keyring}"


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """Signs in with an assertion signed by a private key, without a person."""

    username: str
    key: SecretReference


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Signs in as the app itself, with its secret; the org says which user that is."""

    secret: SecretReference


Grant = JwtBearer | ClientCredentials
"""A sign-in that is repeated instead of refreshed: it gives no refresh token."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a sign-in gives; the content of a token file."""

    access_token: Secret
    """Empty before the first sign-in of a grant, or with only a refresh token."""
    instance_url: str
    refresh_token: Secret | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    """Only for apps that require it with a refresh token."""
    login_url: str | None = None
    """Host that refreshes and revokes, for example `https://login.salesforce.com`."""
    org_id: str | None = None
    """18 characters."""
    user_id: str | None = None
    username: str | None = None
    scopes: tuple[str, ...] = ()
    issued_at: datetime | None = None
    """Aware, UTC."""
    grant: Grant | None = None
    rotates: bool = False
    """Whether the org has replaced the refresh token when it was used."""
    renewal_began: datetime | None = field(default=None, compare=False)
    """When a refresh started whose end was never recorded; aware, UTC."""
