"""Secrets and tokens as values that are never shown by accident, and references to secrets.

Knows what a token is and how a new one is obtained. Every secret of this process is registered, so
that `runner.redaction` can take it out of any text. Knows nothing of files or of the wire.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from runner.redaction import MASK, register_secret


class Secret:
    """A text that is never shown by accident: repr, str, format and JSON give `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        register_secret(text)

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


class SecretReference(Struct, frozen=True):
    """Where a secret is, never the secret; one of path, env, command, keyring, state is set."""

    path: Path | None = None
    env: str | None = None
    command: tuple[str, ...] | None = None
    keyring: str | None = None
    """Name of an entry in the operating system's keyring; tokens only."""
    state: str | None = None
    """Name in the state that machines share; tokens only."""
    key: SecretReference | None = None
    """What the token at `path` or in the state is encrypted with; tokens only."""

    @property
    def is_stored(self) -> bool:
        """Whether the runner can also write what is there."""
        return self.path is not None or self.keyring is not None or self.state is not None

    def __str__(self) -> str:
        if self.state is not None:
            return f"token {self.state} of the shared state"
        if self.env is not None:
            return f"variable {self.env}"
        if self.command is not None:
            return f"command {self.command[0]}"
        return str(self.path) if self.path is not None else f"keyring entry {self.keyring}"


class JwtBearer(Struct, frozen=True):
    """Signs in with an assertion signed by a private key, without a person."""

    username: str
    key: SecretReference
    passphrase: SecretReference | None = None
    """What the key is encrypted with."""


class ClientCredentials(Struct, frozen=True):
    """Signs in as the app itself, with its secret; the org says which user that is."""

    secret: SecretReference


Grant = JwtBearer | ClientCredentials
"""A sign-in that is repeated instead of refreshed: it gives no refresh token."""


class Token(Struct, frozen=True):
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
    renewal_began: datetime | None = None
    """When a refresh started whose end was never recorded; aware, UTC."""
