"""Tokens given as text, and kept in the memory of this process.

Knows the forms of such a text. Knows nothing of files or of the wire.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from runner.credentials import Secret, Token
from runner.errors import SignInError
from runner.state.tokens.format import TokenFormatError, token_from_json

CLI_SCHEME = "force://"
CLI_CLIENT = "PlatformCLI"
"""The app of the Salesforce CLI, which older URLs leave out."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ACCESS_TOKEN = re.compile(r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]+")
_LOOPBACK = frozenset(("localhost", "127.0.0.1"))
_CLI_URL = re.compile(
    r"force://(?:(?P<client>[\w.=-]+):(?P<secret>[\w.=-]*):)?(?P<refresh>[\w.=-]+)"
    r"@(?P<host>(?P<name>[\w.-]+)(?::\d{1,5})?)/?",
    re.ASCII,
)


class FixedToken:
    """A token that this process was given, and that is saved nowhere."""

    def __init__(self, token: Token, *, origin: str) -> None:
        """Hold a token; `origin` says where it is from, e.g. `environment variable ACME_TOKEN`."""
        self._token = token
        self._origin = origin
        self._lock = threading.Lock()

    def load(self) -> Token:
        """The token, or the one that replaced it."""
        return self._token

    def save(self, token: Token) -> None:
        """Replace the token for the rest of this process."""
        self._token = token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: no other thread refreshes the token meanwhile."""
        with self._lock:
            yield

    def describe(self) -> str:
        """Where the token is from, for messages."""
        return self._origin


def parse_token(
    text: str, *, origin: str, login_command: str, instance_url: str | None = None
) -> Token:
    """Parse a token from a variable, a command or a pipe, in any of its forms.

    Args:
        text: The JSON of a token file or of the Salesforce CLI, a sign-in URL of the CLI, or an
            access token.
        origin: Where it is from, for the error.
        login_command: Makes a token; for the error.
        instance_url: The org of an access token that comes alone.

    Raises:
        SignInError: It is none of them, or the org of an access token is not known.
    """
    text = without_colour(text).strip()
    try:
        if text.startswith("{"):
            answer = _answer_of_cli(text)
            return token_from_json(text) if answer is None else _of_answer(answer, instance_url)
        if text.startswith(CLI_SCHEME):
            return _of_cli(text)
        return _lone_token(text, instance_url)
    except TokenFormatError as error:
        raise SignInError(
            f"The token from {origin} cannot be used: it {error}.",
            hint=f"Use the content of a token file, which `{login_command}` makes, or a sign-in "
            "URL of the Salesforce CLI.",
        ) from None


def without_colour(text: str) -> str:
    """A text without the colours that the Salesforce CLI adds, even to JSON, under FORCE_COLOR."""
    return _COLOUR.sub("", text)


def _answer_of_cli(text: str) -> Mapping[str, object] | None:
    """The result of a command of the Salesforce CLI with `--json`; None for any other text."""
    try:
        members = json.loads(text)
    except ValueError:
        return None
    result = members.get("result") if isinstance(members, dict) else None
    return result if isinstance(result, dict) else None


def _of_answer(answer: Mapping[str, object], instance_url: str | None) -> Token:
    """Use what `sf org display --json` or `sf org auth show-… --json` printed."""
    url, token = answer.get("sfdxAuthUrl"), answer.get("accessToken")
    if isinstance(url, str) and _CLI_URL.fullmatch(url):
        return _of_cli(url)
    if not isinstance(token, str) or not _ACCESS_TOKEN.fullmatch(token):
        raise TokenFormatError(
            "is an answer of the Salesforce CLI without a token, which newer releases leave out; "
            "use `sf org auth show-sfdx-auth-url --json`"
        )
    instance = answer.get("instanceUrl")
    is_url = isinstance(instance, str) and instance.startswith(("https://", "http://"))
    return _lone_token(token, str(instance) if is_url else instance_url)


def _lone_token(text: str, instance_url: str | None) -> Token:
    if not text:
        raise TokenFormatError("is empty")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise TokenFormatError("contains spaces or line ends")
    if instance_url is None:
        raise TokenFormatError(
            "is only an access token, and without `domain` or `url` in the connection its org is "
            "unknown"
        )
    return Token(Secret(text), instance_url)


def _of_cli(text: str) -> Token:
    """Parse `force://clientId:clientSecret:refreshToken@host`; it has no access token."""
    found = _CLI_URL.fullmatch(text)
    if found is None:
        raise TokenFormatError(
            "is not a sign-in URL of the Salesforce CLI, which has the form "
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
