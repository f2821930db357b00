"""Reads the values of conditions: strings, numbers, dates, binds.

Knows how values are written, and which are none. Knows nothing of operators and fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from runner.soql import literals, syntax
from runner.soql.errors import SoqlError
from runner.soql.scanner import KEYWORDS, Scanner

_ValueT = TypeVar("_ValueT")
_LONGEST_STRING = 4_000
_COUNT_DIGITS = 10
_LARGEST_COUNT = 10**_COUNT_DIGITS
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})"
_TIME_OF_DAY = r"\d{2}:\d{2}:\d{2}(?:\.\d+)?"
_MOMENT = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}T{_TIME_OF_DAY}{_ZONE}", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?!T)", re.IGNORECASE)
_HOUR = re.compile(rf"{_TIME_OF_DAY}{_ZONE}", re.IGNORECASE)
_NUMBER = re.compile(r"([+-]?)\s*(\d+(?:\.\d+)?|\.\d+)(?![.\d])")
_EXPONENT = re.compile(r"e[+-]?\d", re.IGNORECASE)
_LIKE_A_DATE = re.compile(r"\d{4}-\d")
_WHOLE = re.compile(r"\+?\s*(\d+)(?![.\d])")
_MONEY = re.compile(r"([A-Za-z]{3})(\d+(?:\.\d*)?)(?!\w)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PERIODS = re.compile(r"([A-Za-z_]\w*)\s*:\s*(\d+)")
_BOUND_PERIODS = re.compile(r"([A-Za-z_]\w*):(?=[A-Za-z_])")
_WORDS = {"true", "false", "null"}
_VALUE = "a value"


class Values(Scanner):
    """Takes values from the text."""

    def value(self, *, like: bool = False) -> syntax.Literal:
        """Any literal or bind."""
        at = self.at
        if self.text.startswith("'", at):
            return self.text_literal(like=like)
        bind = self.bind()
        if bind is not None:
            return bind
        word = self.word(*_WORDS)
        if word:
            return syntax.Null(at) if word == "null" else syntax.Boolean(word == "true", at)
        return self._dated() or self._number() or self._money() or self._period()

    def text_literal(self, *, like: bool = False) -> syntax.Text:
        """A string in quotes; after LIKE with the escapes of its wildcards."""
        at = self.at
        found = self.take(_STRING)
        if found is None:
            self.fail("a string in quotes")
        quoted = found[0]
        read = literals.like_pattern if like else literals.plain
        try:
            value = read(quoted)
        except literals.LiteralError as error:
            raise SoqlError(
                at + error.offset, words="Invalid string literal",
                help=r"write a backslash as \\; \_ and \% are for LIKE only",
            ) from None  # fmt: skip
        if len(value) > _LONGEST_STRING:
            hint = f"a string has {_LONGEST_STRING:,} characters at most"
            raise SoqlError(at, words="String literal is too long", help=hint)
        return syntax.Text(value, at)

    def whole_number(self) -> int:
        """The number of LIMIT or OFFSET; very large ones are cut down to one that is large."""
        found = self.take(_WHOLE)
        if found is None:
            self.fail("a whole number")
        return int(found[1]) if len(found[1]) < _COUNT_DIGITS else _LARGEST_COUNT

    def setting_value(self) -> None:
        """What follows `=` in the parentheses of WITH."""
        if not self.word("true", "false") and not self.take(_WHOLE):
            self.text_literal()

    def offset_is_next(self) -> bool:
        """Whether OFFSET is next as a clause, not as a name: a number or a bind follows."""
        start = self.at
        is_next = bool(self.word("offset")) and re.match(r"[+-]|\d|:", self.text[self.at :][:1])
        self.at = start
        return bool(is_next)

    def distance(self, at: int) -> syntax.Distance:
        """The rest of DISTANCE, after its opening parenthesis."""
        field = self.name("a field")
        self.expect_sign(",")
        other: syntax.Path | syntax.Geolocation = self.name("GEOLOCATION", "a field")
        if self.sign("("):
            latitude = self._degrees()
            self.expect_sign(",")
            other = syntax.Geolocation(latitude, self._degrees())
            self.expect_sign(")")
        self.expect_sign(",")
        unit = self.text_literal().value
        self.expect_sign(")")
        return syntax.Distance(field, other, unit, at)

    def _degrees(self) -> syntax.Number | syntax.Bind:
        return self.bind() or self._number() or self.fail("a number")

    def _number(self) -> syntax.Number | None:
        at = self.at
        found = self.take(_NUMBER)
        if found is None:
            return None
        if _EXPONENT.match(self.text, found.end()):
            self.fail(help="write the number in full, without an exponent")
        return syntax.Number(Decimal(found[1] + found[2]), at)

    def _dated(self) -> syntax.Literal | None:
        at = self.at
        if found := self.take(_MOMENT):
            return syntax.Moment(self._valid(literals.moment, found[0], "datetime", at), at)
        if found := self.take(_DAY):
            return syntax.Day(self._valid(literals.day, found[0], "date", at), at)
        if found := self.take(_HOUR):
            return syntax.Hour(self._valid(literals.hour, found[0], "time", at), at)
        if _LIKE_A_DATE.match(self.text, at):
            self.fail("a date", "a datetime", help="write 2024-01-31 or 2024-01-31T10:30:00Z")
        return None

    def _valid(self, read: Callable[[str], _ValueT], text: str, what: str, at: int) -> _ValueT:
        try:
            return read(text)
        except literals.LiteralError:
            hint = "dates are from 1700-01-01 to 4000-12-31, times from 00:00:00Z to 23:59:59Z"
            raise SoqlError(at, words=f"Invalid {what}: {text}", help=hint) from None

    def _money(self) -> syntax.Money | None:
        at = self.at
        found = self.take(_MONEY)
        return syntax.Money(found[1].upper(), Decimal(found[2]), at) if found else None

    def _period(self) -> syntax.Period:
        at = self.at
        name = _NAME.match(self.text, at)
        if name is None:
            self.fail(_VALUE)
        counted = _PERIODS.match(self.text, at)
        bound = _BOUND_PERIODS.match(self.text, at) if self.binds else None
        if not literals.is_period(name[0].upper(), counted=bool(counted or bound)):
            self.fail(_VALUE, help=_no_period(name[0]))
        if counted is not None:
            self.take(_PERIODS)
            digits = counted[2]
            count = int(digits) if len(digits) < _COUNT_DIGITS else _LARGEST_COUNT
            return syntax.Period(counted[1].upper(), count, at)
        if bound is not None:
            self.at = bound.end() - 1
            self.bind()
        else:
            self.take(_NAME)
        return syntax.Period(name[0].upper(), None, at)


def _no_period(word: str) -> str | None:
    """How to write what is neither a value nor a date literal."""
    if literals.is_period(word.upper(), counted=True):
        return f"write a number after it: {word}:7"
    if literals.is_period(word.upper(), counted=False):
        return f"`{word}` takes no number"
    return None if word.lower() in KEYWORDS else f"write text in quotes: '{word}'"
