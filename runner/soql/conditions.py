"""Parses conditions, and the fields and functions in them.

Knows operators, AND, OR and NOT. Knows no clauses; a subquery is the parser's.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import NoReturn, TypeVar

from runner.soql import syntax
from runner.soql.errors import TooDeepError
from runner.soql.values import Values

_PartT = TypeVar("_PartT")
_DEEPEST = 40
"""Parentheses and subqueries in each other that are read."""
_FUNCTIONS = 2
"""Functions in each other."""
_OPERATOR = re.compile(r"<>|!=|<\s*=|>\s*=|[=<>]")
_OPERATORS = ("an operator such as `=`", "LIKE", "IN", "NOT IN", "INCLUDES", "EXCLUDES")
_NOTS = {
    "like": "write NOT before the field: (NOT Name LIKE 'A%')",
    "includes": "write EXCLUDES",
    "excludes": "write INCLUDES",
}
_ONE_KIND = "put parentheses around what belongs together: (a AND b) OR c"
_NOT_ALONE = "put NOT and its condition in parentheses: (NOT a) AND b"


class Conditions(Values):
    """Takes conditions from the text."""

    def __init__(self, text: str, *, binds: bool) -> None:
        super().__init__(text, binds=binds)
        self._depth = 0

    @abstractmethod
    def semi_join(self) -> syntax.Query:
        """The query of a semi-join."""

    def conditions(self) -> syntax.Condition:
        """One condition, or several joined by AND or by OR; NOT stands alone."""
        if self.word("not"):
            return syntax.Negation(self._condition())
        first = self._condition()
        word = self.word("and", "or")
        if not word:
            return first
        parts = [first, self._condition()]
        while self.word(word):
            parts.append(self._condition())
        return syntax.Junction(word.upper(), tuple(parts))

    def _condition(self) -> syntax.Condition:
        if self.peek() == "not":
            self.fail("a condition", help=_NOT_ALONE)
        if self.sign("("):
            return self._inside_parentheses()
        left = self.operand("a field")
        operator = self.take(_OPERATOR)
        if operator is not None:
            word = "!=" if operator[0] == "<>" else "".join(operator[0].split())
            return syntax.Comparison(left, syntax.Comparator(word), self.value())
        if self.word("like"):
            return syntax.Comparison(left, syntax.Comparator.LIKE, self.value(like=True))
        holds = self.word("includes", "excludes")
        if holds:
            self.expect_sign("(")
            members = self.inside(self._values, "`,`")
            return syntax.Holding(left, members, holds == "excludes")
        return self._among(left)

    def _inside_parentheses(self) -> syntax.Condition:
        def inner() -> syntax.Condition:
            found = self.conditions()
            if self.peek() in {"and", "or"}:
                self.fail_at_junction(found)
            return found

        return self.inside(inner, "AND", "OR")

    def _values(self) -> tuple[syntax.Literal, ...]:
        return self.parts(self.value)

    def _among(self, left: syntax.Operand) -> syntax.Condition:
        negated = bool(self.word("not"))
        if not self.word("in"):
            self.fail("IN", help=_NOTS.get(self.peek())) if negated else self.fail(*_OPERATORS)
        bind = self.bind()
        if bind is not None:
            return syntax.Membership(left, (bind,), negated)
        self.expect_sign("(")
        if self.peek() == "select":
            return syntax.SemiJoin(left, self.inside(self.semi_join), negated)
        return syntax.Membership(left, self.inside(self._values, "`,`"), negated)

    def fail_at_junction(self, condition: syntax.Condition | None) -> NoReturn:
        """Refuse AND or OR after a condition that neither can follow."""
        self.fail(help=_NOT_ALONE if isinstance(condition, syntax.Negation) else _ONE_KIND)

    # --- parts

    def field(self) -> syntax.Path:
        """A field, perhaps of a parent."""
        return self.name("a field")

    def operand(self, what: str, depth: int = _FUNCTIONS) -> syntax.Operand:
        """A field, or a function over a field or over one more function."""
        at = self.at
        path = self.name(what)
        if not depth or not self.sign("("):
            return path
        if depth == _FUNCTIONS and str(path).lower() == "distance":
            return self.distance(at)
        argument = self.operand("a field", depth - 1)
        self.expect_sign(")")
        return syntax.Call(str(path), argument, at)

    def parts(self, part: Callable[[], _PartT]) -> tuple[_PartT, ...]:
        """One or more parts between commas."""
        found = [part()]
        while self.sign(","):
            found.append(part())
        return tuple(found)

    def inside(self, part: Callable[[], _PartT], *others: str) -> _PartT:
        """A part whose opening parenthesis is taken, and the closing one."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TooDeepError(self.at)
        found = part()
        self._depth -= 1
        self.expect_sign(")", *others)
        return found
