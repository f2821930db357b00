r"""The literals of SOQL, from text to value.

Knows how strings, dates and times are written. Knows nothing of fields.

In a string after LIKE, `\_` and `\%` are literal characters rather than wildcards; elsewhere they
are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time

_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    '"': '"',
    "'": "'",
    "N": "\n",
    "R": "\r",
    "T": "\t",
    "B": "\b",
    "F": "\f",
}
_ESCAPE = re.compile(r"\\([uU][0-9a-fA-F]{4}|.)", re.DOTALL)
_FIRST_DAY = date(1700, 1, 1)
_LAST_DAY = date(4000, 12, 31)
_ANY_DAY = date(2000, 1, 1)
_UNIT = "WEEK|MONTH|QUARTER|YEAR|FISCAL_QUARTER|FISCAL_YEAR"
_PLAIN = re.compile(rf"YESTERDAY|TODAY|TOMORROW|(LAST|NEXT)_90_DAYS|(LAST|THIS|NEXT)_({_UNIT})")
_COUNTED = re.compile(rf"(LAST|NEXT)_N_(DAY|{_UNIT})S|N_(DAY|{_UNIT})S_AGO")


class LiteralError(ValueError):
    """An invalid literal; `offset` is the position in its text."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def plain(quoted: str) -> str:
    """The value of a quoted string for every operator but LIKE.

    Raises:
        LiteralError: an unknown escape, or half a surrogate pair.
    """
    return _resolved(quoted, {"\\": "\\"})


def like_pattern(quoted: str) -> str:
    r"""The pattern of a quoted string for LIKE, with a backslash as its escape character.

    Raises:
        LiteralError: an unknown escape, or half a surrogate pair.
    """
    return _resolved(quoted, {"\\": r"\\", "_": r"\_", "%": r"\%"})


def _resolved(quoted: str, others: Mapping[str, str]) -> str:
    def resolve(found: re.Match[str]) -> str:
        letter = found[1]
        if len(letter) > 1:
            return chr(int(letter[1:], 16))
        resolved = _ESCAPES.get(letter) or others.get(letter)
        if resolved is None:
            raise LiteralError(found.start() + 1)
        return resolved

    return _paired(_ESCAPE.sub(resolve, quoted[1:-1]))


def _paired(text: str) -> str:
    r"""Join surrogate pairs written as two `\u` escapes."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise LiteralError(0) from None


def day(text: str) -> date:
    """A date between 1700 and 4000; LiteralError if invalid."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise LiteralError(0) from None
    if not _FIRST_DAY <= value <= _LAST_DAY:
        raise LiteralError(0)
    return value


def moment(text: str) -> datetime:
    """A datetime in UTC; LiteralError if invalid."""
    try:
        value = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise LiteralError(0) from None
    if not _FIRST_DAY <= value.date() <= _LAST_DAY:
        raise LiteralError(0)
    return value


def hour(text: str) -> time:
    """A time of day in UTC, without a zone; LiteralError if invalid."""
    try:
        value = time.fromisoformat(text.upper())
        return datetime.combine(_ANY_DAY, value).astimezone(UTC).time()
    except ValueError:
        raise LiteralError(0) from None


def is_period(name: str, *, counted: bool) -> bool:
    """Whether a date literal exists: `TODAY`, and with a number after it `LAST_N_DAYS`."""
    return (_COUNTED if counted else _PLAIN).fullmatch(name) is not None
