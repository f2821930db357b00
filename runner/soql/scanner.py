"""Reads a query word by word.

Knows what words, literals and binds look like. Knows nothing of clauses. What a word may be depends
on what is before it, so nothing is split in advance: the parser asks for what it can use.
"""

from __future__ import annotations

import re
from typing import NoReturn

from runner.soql.errors import SoqlError
from runner.soql.syntax import Bind, Path

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^\W\d_]\w*(?:\.\w+)*")
"""A keyword or a name; a path of several names is one word, without spaces."""
_BIND = re.compile(r":([A-Za-z_]\w*)")
_NAMES_TOO = frozenset(
    {"order", "data", "category", "at", "above", "below", "above_or_below", "offset", "view"}
    | {"reference", "typeof", "when", "then", "end", "scope", "distance", "geolocation", "group"}
    | {"case", "fields", "count", "flat"}
)
"""Keywords that fields, objects and aliases may be called."""
_KEYWORDS = frozenset(
    {"and", "or", "true", "false", "with", "for", "limit", "where", "else", "rollup", "cube"}
    | {"having", "includes", "excludes", "in", "not", "by", "asc", "desc", "nulls", "select"}
    | {"from", "lookup", "as", "using", "null", "update", "first", "last", "like", "bind"}
    | {"hierarchical"}
)
"""Keywords that no field or object is called."""
KEYWORDS = _KEYWORDS | _NAMES_TOO


class Scanner:
    """A position in the text of a query; what takes something skips the white space after it."""

    def __init__(self, text: str, *, binds: bool) -> None:
        self.text = text
        self.at = 0
        self.binds = binds
        """Whether `:name` may be written for a value."""
        self._skip()

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take what matches here, if it does."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            self._skip()
        return found

    def sign(self, sign: str) -> bool:
        """Take a sign such as `(`, if it is next."""
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        self._skip()
        return True

    def expect_sign(self, sign: str, *others: str) -> None:
        """Take a sign that must be next; `others` are expected too."""
        if not self.sign(sign):
            self.fail(f"`{sign}`", *others)

    def peek(self) -> str:
        """The next word in lower case, with its path; empty if none is next."""
        found = _WORD.match(self.text, self.at)
        return found[0].lower() if found else ""

    def peek_second(self) -> str:
        """The word after the next one, in lower case."""
        found = _WORD.match(self.text, self.at)
        after = _SPACE.match(self.text, found.end()) if found else None
        second = _WORD.match(self.text, after.end()) if after else None
        return second[0].lower() if second else ""

    def word(self, *words: str) -> str:
        """Take one of some keywords, if it is next; returns it in lower case."""
        found = self.peek()
        if found not in words:
            return ""
        self.take(_WORD)
        return found

    def expect_word(self, *words: str) -> str:
        """Take one of some keywords, one of which must be next."""
        return self.word(*words) or self.fail(*(word.upper() for word in words))

    def name_is_next(self) -> bool:
        """Whether the next word can be a name."""
        found = self.peek()
        return bool(found) and found not in _KEYWORDS

    def name(self, *what: str) -> Path:
        """Take a name or a path of names."""
        at = self.at
        found = self.take(_WORD) if self.name_is_next() else None
        if found is None:
            self.fail(*what)
        return Path(tuple(found[0].split(".")), at)

    def bind(self) -> Bind | None:
        """Take a bind, if one is next."""
        at = self.at
        if not self.binds:
            if self.text.startswith(":", at):
                raise SoqlError(at, words="Bind variables only allowed in Apex code")
            return None
        found = self.take(_BIND)
        return Bind(found[1], at) if found else None

    def fail(self, *expected: str, help: str | None = None) -> NoReturn:  # noqa: A002
        """Refuse what is next."""
        raise SoqlError(self.at, expected, help=help)

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
