"""Tokens that come as a text, and live in the memory of this process.

Knows the three forms in which somebody hands a token over. Knows nothing of files or of the wire.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runner.credentials import Secret, Token
from runner.errors import SignInError
from runner.state.tokens.format import TokenFormatError, token_from

CLI_SCHEME = "force://"
CLI_CLIENT = "PlatformCLI"
"""The app of the Salesforce CLI, which older URLs leave out."""
_LOOPBACK = frozenset(("localhost", "127.0.0.1"))
_CLI_URL = re.compile(
    r"force://(?:(?P<client>[\w.=-]+):(?P<secret>[\w.=-]*):)?(?P<refresh>[\w.=-]+)"
    r"@(?P<host>(?P<name>[\w.-]+)(?::\d{1,5})?)/?",
    re.ASCII,
)


class FixedToken:
    """A token that came with the start of this process and is kept nowhere else."""

    def __init__(self, token: Token, *, origin: str) -> None:
        """Take the token and where it came from, such as `environment variable ACME_TOKEN`."""
        self._token = token
        self._origin = origin
        self._lock = threading.Lock()

    def load(self) -> Token:
        """Give the token, or the one that replaced it."""
        return self._token

    def save(self, token: Token) -> None:
        """Keep a new token for the rest of this process."""
        self._token = token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other threads from refreshing meanwhile."""
        with self._lock:
            yield

    def describe(self) -> str:
        """Say where the token came from."""
        return self._origin


def token_of(
    text: str, *, origin: str, login_command: str, instance_url: str | None = None
) -> Token:
    """Understand what a variable, a command or a pipe gave, in any of three forms.

    Args:
        text: The JSON of a token file, the Salesforce CLI's sign-in URL, or an access token alone.
        origin: Where it came from, for the error.
        login_command: The command that makes a token.
        instance_url: Where a lone access token is to be used.

    Raises:
        SignInError: It is neither, or an access token alone and the org's address is not known.
    """
    text = text.strip()
    try:
        if text.startswith("{"):
            return token_from(text)
        if text.startswith(CLI_SCHEME):
            return _of_cli(text)
        return _lone_token(text, instance_url)
    except TokenFormatError as error:
        raise SignInError(
            f"The token from {origin} cannot be used: it {error}.",
            hint=f"Give the content of a token file, which `{login_command}` makes, or a sign-in "
            "URL of the Salesforce CLI.",
        ) from None


def _lone_token(text: str, instance_url: str | None) -> Token:
    if not text:
        raise TokenFormatError("is empty")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise TokenFormatError("has spaces or line ends within")
    if instance_url is None:
        raise TokenFormatError(
            "is an access token alone, and without `domain` or `url` in the connection nothing "
            "says which org it is of"
        )
    return Token(Secret(text), instance_url)


def _of_cli(text: str) -> Token:
    """Read `force://clientId:clientSecret:refreshToken@host`; the access token is yet to be had."""
    found = _CLI_URL.fullmatch(text)
    if found is None:
        raise TokenFormatError(
            "is no sign-in URL of the Salesforce CLI; those are "
            "force://clientId:clientSecret:refreshToken@host"
        )
    host = found["host"]
    scheme = "http" if found["name"] in _LOOPBACK else "https"
    secret = found["secret"]
    return Token(
        access_token=Secret(""),
        instance_url=f"{scheme}://{host}",
        login_url=f"{scheme}://{host}",
        refresh_token=Secret(found["refresh"]),
        client_id=found["client"] or CLI_CLIENT,
        client_secret=Secret(secret) if secret else None,
    )
