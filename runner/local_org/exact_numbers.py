"""Numbers that a double cannot hold digit for digit: how they are stored and written in JSON.

A number is a float wherever the float's shortest text is that very number, which is so for all of
15 digits. The rare others are to_stored as text, plain and with a decimal point. In JSON values on
their way in or out such a text stands between two marks; half a surrogate pair cannot be part of a
text that came over the wire, so nothing else looks like it.

Knows numbers and JSON. Knows no field.
"""

from __future__ import annotations

import json
from decimal import Decimal

_MARK = "\udc00"
_ALWAYS_EXACT = 15
"""Characters; a double holds every number so short."""

Number = float | str


def to_stored(number: Decimal) -> Number:
    """A finite number as the store keeps it."""
    near = float(number)
    return near if Decimal(repr(near)) == number else plain(number)


def plain(number: Decimal) -> str:
    """All digits, no exponent, always a decimal point."""
    text = format(number.normalize() if number else Decimal(0), "f")
    return text if "." in text else f"{text}.0"


def exact(value: float | str) -> Decimal:
    """What a to_stored number, or a number of JSON, stands for."""
    return Decimal(value.strip(_MARK) if isinstance(value, str) else repr(value))


def marked(value: object) -> object:
    """A to_stored number as JSON values have it."""
    return f"{_MARK}{value}{_MARK}" if isinstance(value, str) else value


def unmarked(text: str) -> str:
    """A number of JSON as it was written; any other text stays as it is."""
    return text.strip(_MARK)


def is_marked(text: str) -> bool:
    """Whether a text is a number of JSON."""
    return text.startswith(_MARK)


def loads(text: str | bytes) -> object:
    """Read JSON; raises what json.loads raises."""
    return json.loads(text, parse_float=_read)


def dumps(value: object, indent: int | None = None) -> str:
    """Write JSON, without blanks unless it is indented."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    # Costs nothing for most answers: what is all ASCII cannot hold a mark.
    return text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")


def _read(text: str) -> Number:
    near = float(text)
    if len(text) <= _ALWAYS_EXACT or repr(near) == text:
        return near
    return near if _is_far(near) else f"{_MARK}{text}{_MARK}"


def _is_far(near: float) -> bool:
    """Beyond all fields: spares the making of numbers with a million zeros."""
    return not 1e-40 < abs(near) < 1e40  # noqa: PLR2004
