"""Secrets and tokens as values that do not give themselves away.

Knows what a token is. Knows nothing of where one is kept or how one is had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

MASK = "***"


class Secret:
    """A text that is never shown by accident: repr, str, format and JSON give `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself: only where it goes on the wire or into the token store."""
        return self._text

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
class Token:
    """What a sign-in gives; the content of a token file."""

    access_token: Secret
    instance_url: str
    refresh_token: Secret | None = None
    client_id: str | None = None
    login_url: str | None = None
    """Host that refreshes and revokes, `https://login.salesforce.com` for one."""
    org_id: str | None = None
    """18 characters."""
    user_id: str | None = None
    username: str | None = None
    scopes: tuple[str, ...] = ()
    issued_at: datetime | None = None
    """Aware, UTC."""
