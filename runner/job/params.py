"""Params: typed values from the job's defaults and from the command line.

Knows the types. Knows nothing of SOQL or of command-line options.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from runner.errors import UsageError
from runner.job.model import OneValue, Param, ParamValue
from runner.suggest import did_you_mean, in_words

_FURTHEST = timedelta(hours=14)
"""From UTC, as in values of rows."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_LONGEST_NUMBER = 300
LIST_OF = "list of "
"""How the type of a list begins."""


def resolve(params: Sequence[Param], given: Mapping[str, str]) -> dict[str, ParamValue]:
    """The value of every param: as given, or its default.

    Raises:
        UsageError: A name that the job does not declare, a value that does not fit its type, a
            param that has no default and is not given; all in one message.
    """
    declared = {param.name: param for param in params}
    problems = [_unknown(name, list(declared)) for name in given if name not in declared]
    values: dict[str, ParamValue] = {}
    for param in params:
        try:
            values[param.name] = _value(param, given.get(param.name))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("; ".join(problems), hint=_usage(params))
    return values


def _unknown(name: str, declared: Sequence[str]) -> str:
    otherwise = f"it has {in_words(declared, 'and')}" if declared else "it has none"
    return f"the job has no param `{name}`: {did_you_mean(name, declared, otherwise)}"


def _usage(params: Sequence[Param]) -> str:
    missing = next((param for param in params if param.required), None)
    name = missing.name if missing else "name"
    return f"Pass each as `--param {name}=value`."


def _value(param: Param, text: str | None) -> ParamValue:
    if text is not None:
        return parse(text, param.type, param.name)
    if param.required:
        message = f"the param `{param.name}` ({param.type}) has no default, so it needs a value"
        raise ValueError(message)
    return param.default


def parse(text: str, kind: str, name: str) -> ParamValue:
    """Parse a value of a type from text; a list is separated by commas, or is JSON.

    Raises:
        ValueError: The text is not such a value; the message says what is.
    """
    if kind.startswith(LIST_OF):
        inner = kind.removeprefix(LIST_OF)
        return tuple(parse_one(each, inner, name) for each in _elements(text, kind, name))
    return parse_one(text, kind, name)


def parse_one(text: str, kind: str, name: str) -> OneValue:
    """Parse one value of a type from text.

    Raises:
        ValueError: The text is not such a value; the message says what is.
    """
    try:
        return _PARSERS[kind](text.strip() if kind != "string" else text)
    except (ValueError, OverflowError):
        message = f"the param `{name}` must be {EXPECTED[kind]}, not {_quoted(text)}"
        raise ValueError(message) from None


def _elements(text: str, kind: str, name: str) -> list[str]:
    """The values of a list as texts."""
    if not text.lstrip().startswith("["):
        found = next(csv.reader([text], skipinitialspace=True), [])
        return [each.strip() for each in found if each.strip()]
    try:
        values = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        message = f"the param `{name}` must be {EXPECTED[kind]}, not {_quoted(text)}"
        raise ValueError(message) from None
    return [each if isinstance(each, str) else json.dumps(each) for each in values]


def _quoted(text: str) -> str:
    return f"`{text[:60]}`" if text.strip() else "blank"


def declared_default(value: object, kind: str, name: str) -> ParamValue:
    """Check a default that YAML has parsed.

    Raises:
        ValueError: The default does not fit its type; the message says what does.
    """
    if kind.startswith(LIST_OF) and isinstance(value, list):
        inner = kind.removeprefix(LIST_OF)
        return tuple(_declared(each, inner, name) for each in value)
    return _declared(value, kind, name)


def _declared(value: object, kind: str, name: str) -> OneValue:
    if value is None:
        return None
    if isinstance(value, str) and kind in {"string", "date", "datetime"}:
        return parse_one(value, kind, name)
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
    }
    if fits.get(kind) and isinstance(value, int | float):
        return value
    message = f"the param `{name}` must be {EXPECTED[kind]}"
    raise ValueError(message)


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text)


def _number(text: str) -> float | int:
    if _INTEGER.fullmatch(text):
        return _integer(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[_known(text.lower(), ("true", "false"))]


def _known(word: str, options: Sequence[str]) -> str:
    if word not in options:
        raise ValueError
    return word


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _datetime(text: str) -> datetime:
    if "T" not in text.upper():
        raise ValueError
    value = datetime.fromisoformat(text.upper())
    offset = value.utcoffset()
    if offset is None:
        return value.replace(tzinfo=UTC)
    if abs(offset) > _FURTHEST:
        raise ValueError
    return value.astimezone(UTC)


_PARSERS: dict[str, Callable[[str], OneValue]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
EXPECTED = {
    "string": "text (in quotes)",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2024-01-31",
    "datetime": "a datetime such as 2024-01-31T10:00:00Z",
}
EXPECTED |= {
    f"{LIST_OF}{kind}": "a list: a,b,c on the command line, [a, b, c] in the job"
    for kind in tuple(EXPECTED)
}
"""What a value of each type looks like, in words."""
