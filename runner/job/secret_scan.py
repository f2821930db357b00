"""Finds secrets that were pasted into a job file, and masks them in messages.

Knows what Salesforce's tokens, keys and passwords look like. Every message about a job goes through
`hidden`, so that a pasted token is reported but never printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from runner.diagnostics import Diagnostic, Location
from runner.job.model import Origin
from runner.job.yaml.tree import Plain

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an access token", re.compile(r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{8,}")),
    ("a refresh token", re.compile(r"\b5Aep861[A-Za-z0-9._=-]{8,}")),
    ("a Salesforce CLI sign-in URL", re.compile(r"\bforce://\S+")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*")),
)
_CONSUMER_SECRET = re.compile(r"[0-9A-F]{64}")
_SECRET_KEYS = frozenset(
    (
        "password", "passphrase", "secret", "client_secret", "consumer_secret", "access_token",
        "refresh_token", "security_token", "session_id", "private_key", "api_key",
    )
)  # fmt: skip
_HELP = (
    "revoke it if this file was ever shared; sign in with `runner login` and write only where "
    "the secret is: a path, {env: NAME} or {command: [...]}"
)


@lru_cache(maxsize=64)  # many problems share one line, which may be very long
def hidden(text: str) -> str:
    """The text with everything that looks like a secret masked, at the same length."""
    for _, shape in _SHAPES:
        text = shape.sub(lambda found: "*" * len(found[0]), text)
    return text


def concealed(diagnostic: Diagnostic) -> Diagnostic:
    """The same problem, with secrets masked in its texts."""
    line, hint = diagnostic.line_text, diagnostic.help
    return replace(
        diagnostic,
        message=hidden(diagnostic.message),
        line_text=None if line is None else hidden(line),
        help=None if hint is None else hidden(hint),
        path=tuple(hidden(each) if isinstance(each, str) else each for each in diagnostic.path),
    )


def find(values: Plain, origin: Origin) -> list[Diagnostic]:
    """Find every value that is a secret, or has a key that is named after one."""
    return [
        _diagnose(path, kind, origin)
        for path, value in _scalars(values)
        if isinstance(value, str | int) and (kind := _kind(path, str(value)))
    ]


def _scalars(values: Plain, path: Location = ()) -> Iterator[tuple[Location, Plain]]:
    """Every scalar and its path; a document is never deep enough to break the recursion."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _scalars(value, (*path, key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _scalars(value, (*path, index))
    else:
        yield path, values


def _kind(path: Location, text: str) -> str | None:
    for kind, shape in _SHAPES:
        if shape.search(text):
            return kind
    if _CONSUMER_SECRET.fullmatch(text):
        return "a consumer secret"
    key = str(path[-1]).lower().replace("-", "_") if path else ""
    return f"a {key.replace('_', ' ')}" if key in _SECRET_KEYS and _may_hold_one(path) else None


def _may_hold_one(path: Location) -> bool:
    """Not under names that authors choose, nor in the apps of an org file: no real org has them."""
    return "fields" not in path and "params" not in path and path[:1] != ("apps",)


def _diagnose(path: Location, kind: str, origin: Origin) -> Diagnostic:
    article = kind.replace("a a", "an a") if kind.startswith("a a") else kind
    message = f"the file contains {article}"
    found = origin.diagnose(path, "job/secret-in-file", message, help=_HELP)
    if found.line_text is None or found.position is None:
        return found
    start, end = found.position.column - 1, found.position.end_column - 1
    starred = f"{found.line_text[:start]}{'*' * (end - start)}{found.line_text[end:]}"
    return replace(found, line_text=hidden(starred))
