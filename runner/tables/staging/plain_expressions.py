"""Plain expressions over columns of texts, computed without an engine.

Only what gives the same text here and in DuckDB: columns, texts, `||` and a few functions. Whatever
else there is, in an expression or in a value, is left to DuckDB. Knows expressions. Knows nothing
of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

from runner.tables.staging.expressions import is_plain, tokens

Texts = Sequence[str | None]
"""A column's values; None is NULL."""
Columns = Sequence[Texts]
"""The columns of some rows."""
Compute = Callable[[Columns], Texts]
"""Gives a column; raises OddValueError."""

_SPACES = " \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
"""What DuckDB's `trim` removes."""
_END_OF_PLAIN_LETTERS = "\u0180"
"""Before it Python and DuckDB agree on upper and lower case, whatever their version of Unicode."""
_SPECIAL_LETTERS = frozenset("ßŉİ")
"""But for these: Python makes two characters of one."""


_BETWEEN = "\0"
"""No value has it."""


class OddValueError(Exception):
    """A value has to be looked at by DuckDB. Never leaves this package."""


def changed_case(texts: Texts, change: Callable[[str], str]) -> list[str | None]:
    """Texts in upper or lower case, as DuckDB gives them.

    Raises:
        OddValueError: A text has letters of which that is not certain.
    """
    present = [text for text in texts if text] if None in texts or "" in texts else texts
    letters = _BETWEEN.join(present)  # type: ignore[arg-type]
    if not letters.isascii() and (
        max(letters) >= _END_OF_PLAIN_LETTERS or not _SPECIAL_LETTERS.isdisjoint(letters)
    ):
        raise OddValueError
    if len(present) == len(texts):
        return [*change(letters).split(_BETWEEN)] if texts else []
    return [text and change(text) for text in texts]


def computation(expression: str, places: Mapping[str, int]) -> Compute | None:
    """How to compute an expression; None if DuckDB has to.

    Args:
        expression: A valid one.
        places: Where each column is, by its name in lower case.
    """
    if not is_plain(expression):
        return None
    reader = _Reader(tokens(expression) or [], places)
    found = reader.value()
    return found if reader.at_end else None


class _Reader:
    """Builds a computation of a plain expression's tokens; None where it cannot."""

    def __init__(self, words: Sequence[tuple[str, str, str]], places: Mapping[str, int]) -> None:
        self._words = words
        self._places = places
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._words)

    def value(self) -> Compute | None:
        parts = [self._operand()]
        while self._skips("||"):
            parts.append(self._operand())
        known = [each for each in parts if each is not None]
        if len(known) < len(parts):
            return None
        return known[0] if len(known) == 1 else lambda columns: _joined(known, columns)

    def _operand(self) -> Compute | None:
        if self.at_end:
            return None
        kind, text, written = self._words[self._at]
        self._at += 1
        if kind == "text":
            return _constant(written[1:-1].replace("''", "'"))
        if kind == "name" and self._skips("("):
            return self._call(text)
        if kind == "name" and text in self._places:
            place = self._places[text]
            return lambda columns: columns[place]
        if text == "(":
            found = self.value()
            return found if self._skips(")") else None
        return None

    def _call(self, function: str) -> Compute | None:
        arguments = [self.value()]
        while self._skips(","):
            arguments.append(self.value())
        known = [each for each in arguments if each is not None]
        if not self._skips(")") or len(known) < len(arguments):
            return None
        if function == "coalesce":
            return lambda columns: _coalesced(known, columns)
        found = _FUNCTIONS.get((function, len(known)))
        return None if found is None else lambda columns: found(*(each(columns) for each in known))

    def _skips(self, sign: str) -> bool:
        found = not self.at_end and self._words[self._at][:2] == ("sign", sign)
        self._at += found
        return found


def _constant(text: str) -> Compute:
    return lambda columns: [text] * len(columns[0])


def _joined(parts: Sequence[Compute], columns: Columns) -> Texts:
    rows = zip(*(each(columns) for each in parts), strict=True)
    joined = "".join
    return [None if None in row else joined(row) for row in rows]


def _coalesced(parts: Sequence[Compute], columns: Columns) -> Texts:
    found = parts[0](columns)
    for each in parts[1:]:
        if None not in found:
            break
        others = each(columns)
        found = [b if a is None else a for a, b in zip(found, others, strict=True)]
    return found


def _nullif(texts: Texts, others: Texts) -> Texts:
    return [None if a == b else a for a, b in zip(texts, others, strict=True)]


def _replaced(texts: Texts, wanted: Texts, others: Texts) -> Texts:
    if "" in wanted:
        raise OddValueError
    rows = zip(texts, wanted, others, strict=True)
    return [None if a is None or b is None or c is None else a.replace(b, c) for a, b, c in rows]


def _stripped(strip: Callable[[str, str], str]) -> Callable[[Texts], Texts]:
    def stripped(texts: Texts) -> Texts:
        if None in texts:
            return [text and strip(text, _SPACES) for text in texts]
        return [*map(strip, texts, repeat(_SPACES))]  # type: ignore[arg-type]

    return stripped


_FUNCTIONS: dict[tuple[str, int], Callable[..., Texts]] = {
    ("lower", 1): lambda texts: changed_case(texts, str.lower),
    ("ltrim", 1): _stripped(str.lstrip),
    ("nullif", 2): _nullif,
    ("replace", 3): _replaced,
    ("rtrim", 1): _stripped(str.rstrip),
    ("trim", 1): _stripped(str.strip),
    ("upper", 1): lambda texts: changed_case(texts, str.upper),
}
"""By name and number of arguments."""
