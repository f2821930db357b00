"""Looks through the values of a job file: for pasted secrets, and for placeholders.

Knows the keys that are named after secrets. Every problem of a job goes through `concealed`, so
that a pasted token is reported but never printed. Nothing in a job is interpolated, so `${NAME}`
and `{{ name }}` are problems; which texts are for people only is known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location, Severity
from runner.job.origin import Origin
from runner.job.text_position import narrowed
from runner.job.yaml.tree import Plain
from runner.redaction import SHAPES, redacted, register_secret

_PASTED = "job/secret-in-file"
_PLACEHOLDER = "job/placeholder"
_SHAPES = tuple((kind, re.compile(shape, re.DOTALL)) for kind, shape in SHAPES)
_CONSUMER_SECRET = re.compile(r"[0-9A-F]{64}")
_SECRET_KEYS = frozenset(
    (
        "password", "passphrase", "secret", "client_secret", "consumer_secret", "access_token",
        "refresh_token", "security_token", "session_id", "private_key", "api_key", "mask_key",
    )
)  # fmt: skip
_REFERENCE = "write only where the secret is: a path, {env: NAME} or {command: [...]}"
_HELP = f"revoke it if this file was ever shared; sign in with `runner login` and {_REFERENCE}"
_HELP_OF_PASSWORDS = f"change it if this file was ever shared, and {_REFERENCE}"
_HELP_OF_URLS = "write only where it is: {env: NAME} or {command: [...]}"
_PASSWORDS = ("a password", "a password in a URL")
"""Kinds that a query or an expression may seem to contain."""
_WEB_ADDRESS = "a URL that may be secret"
_NOT_SIGNED_IN = (*_PASSWORDS, "a mask key")
"""Kinds that no sign-in gives."""
_NAMED = re.compile(
    rf"""\b(?:{"|".join(sorted(_SECRET_KEYS))})["']?\s*[:=]\s*[^\s{{\[#]""", re.IGNORECASE
)
_OF_A_KEY = re.compile(r"\s*[A-Za-z0-9+/=]{40,}\s*")
"""A line in the middle of a private key."""
_TEMPLATE = re.compile(r"\$\{\s*\w[^{}\n]*\}|\{\{(?:(?!\{\{).)*?\}\}", re.DOTALL)
"""Not past the beginning of another: that would take minutes where none has an end."""
_MOST_OF_A_VALUE = 20
"""Placeholders of one value that are reported: each is looked for in its lines."""
_FOR_PEOPLE = frozenset({"description"})


def concealed(problems: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The same problems, with secrets masked in their texts and without lines that contain one."""
    secret = {_line(found) for found in problems if found.code == _PASTED}
    return tuple(_concealed(found, is_secret=_line(found) in secret) for found in problems)


def _line(found: Diagnostic) -> tuple[Path, int | None]:
    return found.file, found.position.line if found.position else None


def _concealed(found: Diagnostic, *, is_secret: bool) -> Diagnostic:
    line, hint = found.line_text, found.help
    is_shown = line is not None and not is_secret and not _may_be_secret(line)
    if line and is_shown and found.code.startswith("yaml/"):
        # What cannot be parsed was not searched by its keys.
        is_shown = not _NAMED.search(line) and not _OF_A_KEY.fullmatch(line)
    return replace(
        found,
        message=redacted(found.message, shapes=True),
        line_text=line if is_shown else None,
        help=None if hint is None else redacted(hint, shapes=True),
        path=tuple(
            redacted(each, shapes=True) if isinstance(each, str) else each for each in found.path
        ),
    )


@lru_cache(maxsize=64)  # many problems share one line, which may be very long
def _may_be_secret(line: str) -> bool:
    return redacted(line, shapes=True) != line


def secrets(values: Plain, origin: Origin) -> list[Diagnostic]:
    """Find every value that is a secret, or has a key that is named after one."""
    found = []
    for path, value in _scalars(values):
        if isinstance(value, str | int) and (kind := _kind(path, str(value))):
            register_secret(str(value))
            article = kind.replace("a a", "an a") if kind.startswith("a a") else kind
            hint = _HELP_OF_PASSWORDS if kind in _NOT_SIGNED_IN else _HELP
            hint = _HELP_OF_URLS if kind == _WEB_ADDRESS else hint
            found.append(origin.diagnose(path, _PASTED, f"the file contains {article}", help=hint))
    return found


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
        if shape.search(text) and (kind not in _PASSWORDS or _may_hold_one(path)):
            return kind
    if _CONSUMER_SECRET.fullmatch(text):
        return "a consumer secret"
    if "://" in text and not {"notify", "heartbeat", "metrics"}.isdisjoint(path):
        return _WEB_ADDRESS
    key = str(path[-1]).lower().replace("-", "_") if path else ""
    return f"a {key.replace('_', ' ')}" if key in _SECRET_KEYS and _may_hold_one(path) else None


def _may_hold_one(path: Location) -> bool:
    """Not in expressions and names that authors choose, nor in the apps of an org file."""
    chosen = ("fields", "params", "query", "description")
    return not any(each in path for each in chosen) and path[:1] != ("apps",)


def placeholders(values: Plain, origin: Origin, path: Location = ()) -> Iterator[Diagnostic]:
    """Find every placeholder; in `fields`, where it may be meant as text, as a warning."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key not in _FOR_PEOPLE:
                yield from placeholders(value, origin, (*path, key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from placeholders(value, origin, (*path, index))
    elif isinstance(values, str):
        severity = Severity.WARNING if "fields" in path else Severity.ERROR
        for at in islice(_TEMPLATE.finditer(values), _MOST_OF_A_VALUE):
            message = f"`{at[0].splitlines()[0][:60]}` is not replaced: a job has no placeholders"
            found = origin.diagnose(
                path, _PLACEHOLDER, message, help=_instead_of_one(path), severity=severity
            )
            yield narrowed(found, origin, values, at.start(), at.end())


def _instead_of_one(path: Location) -> str:
    if path[-1] in {"query", "sql"}:
        return "declare a param and write `:name`, without quotes around it"
    if "fields" in path:
        return "write a column of the source by its name, outside quotes"
    if "connection" in path or path[:1] in {("token",), ("auth",)} or path[-1] in {"env", "token"}:
        return "write the value itself; a secret is read from `{env: NAME}`"
    return "write the value itself; values that change are params, as `:name` in a query or SQL"
