r"""The literals of SOQL, from text to value.

Knows how strings, dates and times are written. Knows nothing of fields.

In a string, `\_` and `\%` are literal characters for LIKE rather than wildcards; every other
operator reads them as `_` and `%`.
"""

from __future__ import annotations

import re
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
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_FIRST_DAY = date(1700, 1, 1)
_LAST_DAY = date(4000, 12, 31)


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
    return _resolved(quoted, like=False)


def like_pattern(quoted: str) -> str:
    r"""The pattern of a quoted string for LIKE, with a backslash as its escape character."""
    return _resolved(quoted, like=True)


def _resolved(quoted: str, *, like: bool) -> str:
    def resolve(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in {"_", "%"}:
            return f"\\{letter}" if like else letter
        if letter == "\\":
            return "\\\\" if like else letter
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if len(letter) > 1:
            return chr(int(letter[1:], 16))
        raise LiteralError(found.start() + 1)

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
    """A time of day; LiteralError if invalid."""
    try:
        return time.fromisoformat(text[:-1])
    except ValueError:
        raise LiteralError(0) from None
