"""Takes secrets out of texts: those that this process has seen, and what looks like one.

Knows the encodings in which a secret may come back: in URLs, JSON, HTML, hexadecimal and base64.
Knows nothing of where a text goes.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from html import escape
from threading import Lock
from urllib.parse import quote, quote_plus

MASK = "***"
LEAST_CHARACTERS = 8
"""Shorter texts are not registered: masking them would make every message unreadable."""
_LEAST_IN_BASE64 = 10
"""Characters of base64 that are not mistaken for others by chance."""

SHAPES: tuple[tuple[str, str], ...] = (
    ("an access token", r"\b00D[A-Za-z0-9]{12,15}(?:!|%21)[A-Za-z0-9._]{8,}"),
    ("a refresh token", r"\b5Aep861[A-Za-z0-9._=-]{8,}"),
    ("a Salesforce CLI sign-in URL", r"\bforce://(?!clientId:)\S{8,}"),
    (
        "a private key",
        # Not the first line alone, as a hint quotes it.
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?=(?:\s|\\n)*(?:\w|$)).*?(?:-----END [A-Z ]*-----|$)",
    ),
    ("a JSON Web Token", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),
    (
        # Greedy, because a password may contain @, / and :. Not a host with its port.
        "a password in a URL",
        r"(?<=://)(?!user:password@|clientId:)[^/\s:@'\"`]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s'\"`]+(?=@)",
    ),
    ("a password", r"(?:(?<=\bpassword=)|(?<=\bPassword=)|(?<=\bpwd=)|(?<=\bPWD=))[^\s;&'\"`]+"),
)
"""What secrets look like, wherever they are; each is named for messages."""
_SHAPES_OF_REQUESTS = (
    r"(?<=Bearer )\S+",
    r"(?<=Basic )[A-Za-z0-9+/=]{8,}",
    r"(?<=[?&]code=)[^&\s]{8,}",
    r"(?<=token=)[^&\s]+",
    r"(?<=assertion=)[^&\s]+",
    r"(?<=client_secret=)[^&\s]+",
)
_SHAPE = re.compile("|".join([*(shape for _, shape in SHAPES), *_SHAPES_OF_REQUESTS]), re.DOTALL)


class _Registry:
    """Every secret text that this process has seen."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._listeners: list[Callable[[str], None]] = []
        self._lock = Lock()

    def add(self, text: str) -> None:
        if len(text) < LEAST_CHARACTERS or text in self._texts:
            return
        with self._lock:
            new = text not in self._texts
            self._texts.add(text)
            self._forms.update(_forms(text))
            # The longest first: one secret may be the beginning of another.
            ordered = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(ordered))
        for listener in self._listeners if new else ():
            listener(text)

    def listen(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    @property
    def pattern(self) -> re.Pattern[str] | None:
        return self._pattern


_registry = _Registry()


def register_secret(text: str) -> None:
    """Have every form of a text masked from now on."""
    _registry.add(text)


def on_secret(listener: Callable[[str], None]) -> None:
    """Call `listener` with each secret text that this process sees from now on."""
    _registry.listen(listener)


def redacted(text: str, *, shapes: bool = False) -> str:
    """The text without any secret that this process has seen.

    Args:
        text: About to be shown or written.
        shapes: Also mask what only looks like a token, a key or a password.
    """
    pattern = _registry.pattern
    clean = pattern.sub(MASK, text) if pattern else text
    return _SHAPE.sub(MASK, clean) if shapes else clean


def secret_pattern() -> str | None:
    """A regular expression of all secrets and their forms, for Python and RE2; None without any."""
    pattern = _registry.pattern
    return pattern.pattern if pattern else None


def _forms(text: str) -> Iterator[str]:
    """Patterns of a text: as it is, in URLs, HTML forms, HTML, JSON, hexadecimal and base64."""
    encoded = quote(text, safe="")
    plain = {
        text,
        *(
            each
            for form in (encoded, quote(text), quote_plus(text))
            for each in (form, _lower_escapes(form))
        ),
        quote(encoded, safe=""),
        escape(text),
        *(each for is_ascii in (True, False) for each in _in_json(text, is_ascii=is_ascii)),
        *_lines(text),
        text.encode().hex(),
        text.encode().hex().upper(),
    }
    yield from map(_escaped, plain)
    yield from _in_base64(text)


def _in_json(text: str, *, is_ascii: bool) -> tuple[str, str, str]:
    """In JSON, with `/` escaped as some do, and in JSON within JSON."""
    once = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
    return once, once.replace("/", "\\/"), json.dumps(once, ensure_ascii=is_ascii)[1:-1]


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _lines(text: str) -> set[str]:
    """The lines of a key, each of which may be quoted alone; not its first and last line."""
    if "\n" not in text:
        return set()
    stripped = (line.strip() for line in text.splitlines())
    return {line for line in stripped if len(line) > LEAST_CHARACTERS and line[:5] != "-----"}


def _in_base64(text: str) -> Iterator[str]:
    """The text inside something longer in base64: three ways, by where it begins.

    The characters at both ends depend on what is around the text, so they are left out. Long
    base64 is cut into lines.
    """
    content = text.encode()
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + content).decode().rstrip("=")
        # Characters that only depend on the text: whole groups of six of its bits.
        first = -(-8 * offset // 6)
        last = 8 * (offset + len(content)) // 6
        certain = encoded[first:last]
        if len(certain) >= _LEAST_IN_BASE64:
            yield r"(?:\s|\\r|\\n)*".join(_BASE64_CHARACTER.get(each, each) for each in certain)


_BASE64_CHARACTER = {"+": "[+-]", "/": "[/_]"}
"""The last two characters of base64 differ in URLs."""


def _escaped(text: str) -> str:
    """A pattern of the text that Python and RE2 read alike."""
    return re.sub(r"[!-/:-@\[-^`{-~]", lambda found: f"\\{found[0]}", text)
