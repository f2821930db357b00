"""Numbers that a double cannot hold digit for digit: how they are stored and written in JSON.

A number is a float if the float's shortest text is exactly that number, as for all of up to 15
digits. The rare others are stored as text, with a decimal point and without an exponent. In JSON
values on their way in or out such a text is enclosed in two marks; half a surrogate pair cannot be
part of text received over HTTP, so nothing else looks like it.

Knows numbers and JSON. Knows no field.
"""

from __future__ import annotations

import json
import re
from decimal import Context, Decimal, InvalidOperation

_MARK = "\udc00"
_ALWAYS_EXACT = 15
"""Characters; a double holds every number this short."""
_AMPLE = Context(prec=400)
_AS_IT_IS = re.compile(r"-?[1-9][0-9]{0,6}\.[0-9]{0,8}[1-9]")
"""Most numbers are already written so."""
_PLAIN_FROM = -3
_PLAIN_BELOW = 7
"""Java prints 10**-3 <= x < 10**7 without an exponent."""


Number = float | str


def to_stored(number: Decimal) -> Number:
    """A finite number as stored."""
    near = float(number)
    return near if Decimal(repr(near)) == number else plain(number)


def plain(number: Decimal) -> str:
    """All digits, no exponent, always a decimal point."""
    text = format(number.normalize() if number else Decimal(0), "f")
    return text if "." in text else f"{text}.0"


def java_double(text: str) -> str:
    """A number as a Java double prints: `912260031` is `9.12260031E8`, `5` is `5.0`.

    Queries return numbers this way, with all digits (Salesforce Help 000385889), and result files
    echo them so: not the text that was sent. Text that is not a number is returned unchanged.
    """
    if _AS_IT_IS.fullmatch(text):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number or not number.is_finite():
        return "0.0" if number.is_finite() else text
    sign, digits, exponent = number.normalize(_AMPLE).as_tuple()
    written = "".join(map(str, digits))
    point = len(written) + int(exponent)
    lead = "-" if sign else ""
    if _PLAIN_FROM < point <= _PLAIN_BELOW:
        padded = written.rjust(len(written) - point + 1, "0") if point <= 0 else written
        whole = padded[: max(point, 1)].ljust(max(point, 1), "0")
        return f"{lead}{whole}.{padded[max(point, 1) :] or '0'}"
    return f"{lead}{written[0]}.{written[1:] or '0'}E{point - 1}"


def exact(value: float | str) -> Decimal:
    """The exact value of a stored number, or of a number in JSON."""
    return Decimal(value.strip(_MARK) if isinstance(value, str) else repr(value))


def marked(value: object) -> object:
    """A stored number as a JSON value."""
    return f"{_MARK}{value}{_MARK}" if isinstance(value, str) else value


def unmarked(text: str) -> str:
    """A number in JSON as it was written; other text is returned unchanged."""
    return text.strip(_MARK)


def is_marked(text: str) -> bool:
    """Whether a text is a marked number."""
    return text.startswith(_MARK)


def loads(text: str | bytes) -> object:
    """Parse JSON; raises what json.loads raises."""
    return json.loads(text, parse_float=_read)


def dumps(value: object, indent: int | None = None) -> str:
    """Write JSON, without spaces unless indented."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    # Costs nothing for most answers: ASCII text cannot hold a mark.
    return text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")


def _read(text: str) -> Number:
    near = float(text)
    if len(text) <= _ALWAYS_EXACT or repr(near) == text:
        return near
    return near if _is_far(near) else f"{_MARK}{text}{_MARK}"


def _is_far(near: float) -> bool:
    """Beyond every field; avoids building numbers with a million zeros."""
    return not 1e-40 < abs(near) < 1e40  # noqa: PLR2004


class Sum:
    """An aggregate of SQLite: the exact sum of stored numbers."""

    def __init__(self) -> None:
        self._sum: Decimal | None = None

    def step(self, value: Number | None) -> None:
        """Add one number."""
        if value is not None:
            self._sum = exact(value) + (self._sum or 0)

    def finalize(self) -> Number | None:
        """The sum, as it is stored; None without values."""
        return None if self._sum is None else to_stored(self._sum)
