"""Removes secrets from texts: those that this process has read, and anything that looks like one.

Also values of columns that a user masks. Knows the encodings in which a secret may come back: in
URLs, JSON, HTML, hexadecimal and base64. Knows nothing of where a text goes.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from threading import Lock
from urllib.parse import quote, quote_plus

MASK = "***"
LEAST_CHARACTERS = 8
"""Shorter texts are not registered: masking them would make every message unreadable."""
_LEAST_QUOTED = 3
_LEAST_IN_BASE64 = 10
"""Characters of base64 that are not mistaken for others by chance."""

# A pattern with an open end is tried at each of its beginnings, and each time as far as the text
# goes on like it: the numbers keep the time for a text of beginnings alone from growing with the
# square of its length.
SHAPES: tuple[tuple[str, str], ...] = (
    ("an access token", r"\b00D[A-Za-z0-9]{12,15}(?:!|%21)[A-Za-z0-9._]{8,}"),
    ("a refresh token", r"\b5Aep861[A-Za-z0-9._=-]{8,}"),
    ("a Salesforce CLI sign-in URL", r"\bforce://(?!clientId:)\S{8,}"),
    (
        "a private key",
        # Not the first line alone, as a hint quotes it.
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?=(?:\s|\\n)*(?:\w|$)).*?(?:-----END [A-Z ]*-----|$)",
    ),
    ("a JSON Web Token", r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,9000}\.[\w-]*"),
    (
        # Greedy, because a password may contain @, / and :. Not a host with its port.
        "a password in a URL",
        r"(?<=://)(?!user:password@|clientId:)[^/\s:@'\"`]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s'\"`]{1,2000}(?=@)",
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


class _Secret:
    """One secret text in all its forms."""

    def __init__(self, text: str) -> None:
        self._plain = frozenset(_plain_forms(text))
        self._base64 = tuple(_in_base64(text))
        self.patterns = frozenset(
            (*map(_escaped, self._plain), *map(_base64_pattern, self._base64))
        )

    def may_be_in(self, text: str, joined: str) -> bool:
        """Whether a form of it occurs; sometimes also if none does. `joined` is of `_joined`."""
        if any(form in text for form in self._plain):
            return True
        # Without its first character, which `_joined` takes for a line end if it follows a `\`.
        return any(form[1:] in joined for form in self._base64)


class _Registry:
    """Every secret text that this process has seen."""

    def __init__(self) -> None:
        self.secrets: dict[str, _Secret] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._lock = Lock()

    def add(self, text: str) -> None:
        if len(text) < LEAST_CHARACTERS:
            return
        with self._lock:
            if text in self.secrets:
                return
            # A new dictionary, as other threads may be reading the old one.
            self.secrets = {**self.secrets, text: _Secret(text)}
        for listener in self._listeners:
            listener(text)

    def drop(self, text: str) -> None:
        if len(text) < LEAST_CHARACTERS:
            return
        with self._lock:
            self.secrets = {each: forms for each, forms in self.secrets.items() if text not in each}

    def listen(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)


_registry = _Registry()


def register_secret(text: str) -> None:
    """Have every form of a text masked from now on."""
    _registry.add(text)


def forget_secret(text: str) -> None:
    """Forget a secret that opens nothing any more, and longer ones that contain it.

    Every text is searched for every secret: a process that has seen hundreds becomes slow.
    """
    _registry.drop(text)


def on_secret(listener: Callable[[str], None]) -> None:
    """Call `listener` with each secret text that this process sees from now on."""
    _registry.listen(listener)


def redacted(text: str, *, shapes: bool = False) -> str:
    """The text without any secret that this process has seen.

    Args:
        text: About to be shown or written.
        shapes: Also mask what only looks like a token, a key or a password.
    """
    joined = _joined(text) if _registry.secrets else text
    # Most texts have none: a pattern of all secrets would take longer to compile than to look.
    found = [each for each in _registry.secrets.values() if each.may_be_in(text, joined)]
    clean = re.sub(_any_of(found), MASK, text) if found else text
    return _shape().sub(MASK, clean) if shapes else clean


def quotable(values: Iterable[str]) -> list[str]:
    """The values of masked columns that are looked for in other texts, the longest first.

    Without shorter ones most texts would be unreadable.
    """
    return sorted((each for each in values if len(each) >= _LEAST_QUOTED), key=len, reverse=True)


def without(text: str, quoted: Iterable[str]) -> str:
    """The text without values that it may quote, in any case: the org writes some in lower case.

    Args:
        text: About to be shown.
        quoted: What `quotable` returns.
    """
    for each in quoted:
        if each.lower() in text.lower():
            # Some letters have two in lower case, which no pattern takes for the same.
            forms = "|".join(map(re.escape, (each, each.lower())))
            text = re.sub(forms, MASK, text, flags=re.IGNORECASE)
    return text


@cache
def _shape() -> re.Pattern[str]:
    """Whatever looks like a secret."""
    shapes = [*(shape for _, shape in SHAPES), *_SHAPES_OF_REQUESTS]
    return re.compile("|".join(shapes), re.DOTALL)


def secret_pattern() -> str | None:
    """A regular expression of all secrets and their forms, for Python and RE2; None without any."""
    secrets = _registry.secrets.values()
    return _any_of(secrets) if secrets else None


def _any_of(secrets: Iterable[_Secret]) -> str:
    """The longest form first: one secret may be the beginning of another."""
    patterns = set().union(*(each.patterns for each in secrets))
    return "|".join(sorted(patterns, key=lambda each: (-len(each), each)))


def _plain_forms(text: str) -> Iterator[str]:
    """A text as it is, in URLs, HTML forms, HTML, JSON and hexadecimal."""
    encoded = quote(text, safe="")
    yield text
    for form in (encoded, quote(text), quote_plus(text)):
        yield from (form, _lower_escapes(form))
    yield quote(encoded, safe="")
    yield text.translate(_IN_HTML)
    for is_ascii in (True, False):
        yield from _in_json(text, is_ascii=is_ascii)
    yield from _lines(text)
    yield from (text.encode().hex(), text.encode().hex().upper())


_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""As `html.escape` does, without the import of all entities of HTML."""


def _in_json(text: str, *, is_ascii: bool) -> tuple[str, str, str]:
    """In JSON, with `/` escaped as some do, and in JSON within JSON."""
    import json  # noqa: PLC0415 - not every start needs it

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

    The characters at both ends depend on what is around the text, so they are left out.
    """
    content = text.encode()
    for offset in range(3):
        encoded = b2a_base64(b"\0" * offset + content, newline=False).decode().rstrip("=")
        # Characters that only depend on the text: whole groups of six of its bits.
        first = -(-8 * offset // 6)
        last = 8 * (offset + len(content)) // 6
        certain = encoded[first:last]
        if len(certain) >= _LEAST_IN_BASE64:
            yield certain


_LINE_END = r"(?:\s|\\r|\\n)"
"""Long base64 is cut into lines."""
_BASE64_CHARACTER = {"+": "[+-]", "/": "[/_]"}
"""The last two characters of base64 differ in URLs."""


def _base64_pattern(text: str) -> str:
    return f"{_LINE_END}*".join(_BASE64_CHARACTER.get(each, each) for each in text)


def _joined(text: str) -> str:
    """A text without line ends, its base64 in the usual characters."""
    return re.sub(_LINE_END, "", text).translate({ord("-"): "+", ord("_"): "/"})


def _escaped(text: str) -> str:
    """A pattern of the text that Python and RE2 read alike."""
    return re.sub(r"[!-/:-@\[-^`{-~]", lambda found: f"\\{found[0]}", text)
