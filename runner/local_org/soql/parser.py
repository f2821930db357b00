"""Parses the text of a query.

The only importer of lark. Knows the grammar and its error messages. Knows no catalog.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import TypeVar, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import VisitError

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.soql import literals, syntax
from runner.local_org.soql.refusals import Statement, too_complicated

_LONGEST_TEXT = 100_000
_LONGEST_STRING = 4_000
_COUNT_DIGITS = 10
_LARGEST_COUNT = 10**_COUNT_DIGITS
_NodeT = TypeVar("_NodeT")
_Parts = list[object]
_COMPARATORS = {"<>": "!="}


def parse(statement: Statement) -> syntax.Query:
    """The syntax of a query; ApiRefusal MALFORMED_QUERY if it is invalid."""
    if len(statement.text) > _LONGEST_TEXT:
        raise ApiRefusal(400, "MALFORMED_QUERY", "SOQL statement exceeds the maximum length")
    try:
        tree = _grammar().parse(statement.text)
        return cast("syntax.Query", _Builder(statement).transform(tree))
    except UnexpectedCharacters as error:
        raise statement.unexpected(cast("int", error.pos_in_stream)) from None
    except UnexpectedToken as error:
        raise statement.unexpected(_position(error, statement)) from None
    except VisitError as error:
        raise error.orig_exc from None
    except RecursionError:
        raise too_complicated() from None


@cache
def _grammar() -> Lark:
    text = resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _position(error: UnexpectedToken, statement: Statement) -> int:
    if error.token.type == "$END":
        return len(statement.text)
    return int(error.token.start_pos or 0)


def _all(parts: _Parts, kind: type[_NodeT]) -> tuple[_NodeT, ...]:
    return tuple(part for part in parts if isinstance(part, kind))


def _one(parts: _Parts, kind: type[_NodeT]) -> _NodeT | None:
    return next(iter(_all(parts, kind)), None)


def _at(token: object) -> int:
    return int(cast("Token", token).start_pos or 0)


class _Clause(tuple[str, object, int]):
    """A clause of a query: its name, content and position."""

    __slots__ = ()


class _Builder(Transformer[Token, object]):
    """One method per rule of the grammar; turns the parts of a rule into its value."""

    def __init__(self, statement: Statement) -> None:
        super().__init__()
        self._statement = statement

    # --- names and select items

    def path(self, parts: _Parts) -> syntax.Path:
        return syntax.Path(tuple(str(part) for part in parts), _at(parts[0]))

    def call(self, parts: _Parts) -> syntax.Call:
        argument = cast("syntax.Operand", parts[1]) if len(parts) > 1 else None
        return syntax.Call(str(parts[0]), argument, _at(parts[0]))

    def field_item(self, parts: _Parts) -> syntax.FieldItem:
        alias = str(parts[1]) if len(parts) > 1 else None
        return syntax.FieldItem(cast("syntax.Operand", parts[0]), alias)

    call_item = field_item

    def child_item(self, parts: _Parts) -> syntax.ChildItem:
        query = cast("syntax.Query", parts[0])
        return syntax.ChildItem(query, query.source.path.at)

    def typeof_item(self, parts: _Parts) -> syntax.TypeofItem:
        otherwise = cast("tuple[syntax.Path, ...]", _one(parts, tuple) or ())
        return syntax.TypeofItem(
            cast("syntax.Path", parts[1]), _all(parts, syntax.TypeBranch), otherwise, _at(parts[0])
        )

    def when(self, parts: _Parts) -> syntax.TypeBranch:
        return syntax.TypeBranch(str(parts[0]), cast("tuple[syntax.Path, ...]", parts[1]))

    def otherwise(self, parts: _Parts) -> object:
        return parts[0]

    def paths(self, parts: _Parts) -> tuple[object, ...]:
        return tuple(parts)

    items = sources = grouping = paths

    # --- literals

    def text(self, parts: _Parts) -> syntax.Text:
        quoted = self._checked(parts[0], literals.plain, "Invalid string literal")
        if len(quoted) > _LONGEST_STRING:
            raise self._statement.malformed(_at(parts[0]), "String literal is too long")
        return syntax.Text(quoted, literals.like_pattern(str(parts[0])), _at(parts[0]))

    def number(self, parts: _Parts) -> syntax.Number:
        return syntax.Number(Decimal(str(parts[0])), _at(parts[0]))

    def currency(self, parts: _Parts) -> syntax.Money:
        text = str(parts[0])
        return syntax.Money(text[:3].upper(), Decimal(text[3:]), _at(parts[0]))

    def boolean(self, parts: _Parts) -> syntax.Boolean:
        return syntax.Boolean(str(parts[0]).lower() == "true", _at(parts[0]))

    def null(self, parts: _Parts) -> syntax.Null:
        return syntax.Null(_at(parts[0]))

    def day(self, parts: _Parts) -> syntax.Day:
        value = self._checked(parts[0], literals.day, f"Invalid date: {parts[0]}")
        return syntax.Day(value, _at(parts[0]))

    def hour(self, parts: _Parts) -> syntax.Hour:
        value = self._checked(parts[0], literals.hour, f"Invalid time: {parts[0]}")
        return syntax.Hour(value, _at(parts[0]))

    def moment(self, parts: _Parts) -> syntax.Moment:
        value = self._checked(parts[0], literals.moment, f"Invalid datetime: {parts[0]}")
        return syntax.Moment(value, _at(parts[0]))

    def period(self, parts: _Parts) -> syntax.Period:
        return syntax.Period(str(parts[0]).upper(), None, _at(parts[0]))

    def periods(self, parts: _Parts) -> syntax.Period:
        name, _, count = str(parts[0]).partition(":")
        return syntax.Period(name.strip().upper(), int(count), _at(parts[0]))

    def bound(self, parts: _Parts) -> object:
        raise self._statement.malformed(_at(parts[0]), "Bind variables only allowed in Apex code")

    def _checked(self, token: object, read: Callable[[str], _NodeT], words: str) -> _NodeT:
        try:
            return read(str(token))
        except literals.LiteralError as error:
            raise self._statement.malformed(_at(token) + error.offset, words) from None

    # --- conditions

    def compared(self, parts: _Parts) -> syntax.Comparison:
        word = _COMPARATORS.get(str(parts[1]), str(parts[1]))
        return self._comparison(parts, syntax.Comparator(word))

    def liked(self, parts: _Parts) -> syntax.Comparison:
        return self._comparison(parts, syntax.Comparator.LIKE)

    def _comparison(self, parts: _Parts, comparator: syntax.Comparator) -> syntax.Comparison:
        left, right = cast("syntax.Operand", parts[0]), cast("syntax.Literal", parts[2])
        return syntax.Comparison(left, comparator, right)

    def among(self, parts: _Parts, *, negated: bool = False) -> syntax.Condition:
        left = cast("syntax.Operand", parts[0])
        if isinstance(parts[2], syntax.Query):
            return syntax.SemiJoin(left, parts[2], negated)
        return syntax.Membership(left, cast("tuple[syntax.Literal, ...]", parts[2]), negated)

    def not_among(self, parts: _Parts) -> syntax.Condition:
        return self.among(parts, negated=True)

    def listed(self, parts: _Parts) -> tuple[object, ...]:
        return tuple(parts)

    def selected(self, parts: _Parts) -> object:
        return parts[0]

    def holding(self, parts: _Parts) -> syntax.Holding:
        members = cast("tuple[syntax.Literal, ...]", tuple(parts[2:]))
        left = cast("syntax.Operand", parts[0])
        return syntax.Holding(left, members, str(parts[1]).upper() == "EXCLUDES")

    def conjunction(self, parts: _Parts) -> syntax.Junction:
        return syntax.Junction("AND", cast("tuple[syntax.Condition, ...]", tuple(parts)))

    def disjunction(self, parts: _Parts) -> syntax.Junction:
        return syntax.Junction("OR", cast("tuple[syntax.Condition, ...]", tuple(parts)))

    def negation(self, parts: _Parts) -> syntax.Negation:
        return syntax.Negation(cast("syntax.Condition", parts[0]))

    def grouped(self, parts: _Parts) -> object:
        return parts[0]

    # --- clauses

    def source(self, parts: _Parts) -> syntax.Source:
        alias = str(parts[1]) if len(parts) > 1 else None
        return syntax.Source(cast("syntax.Path", parts[0]), alias)

    def scope(self, parts: _Parts) -> _Clause:
        return _Clause(("scope", str(parts[1]), _at(parts[1])))

    def where(self, parts: _Parts) -> _Clause:
        return _Clause(("where", parts[0], 0))

    def having(self, parts: _Parts) -> _Clause:
        return _Clause(("having", parts[0], 0))

    def group(self, parts: _Parts) -> _Clause:
        kind = syntax.Subtotals(str(parts[0]).lower() if len(parts) > 1 else "none")
        return _Clause(("group", (parts[-1], kind), 0))

    def order(self, parts: _Parts) -> _Clause:
        return _Clause(("order", _all(parts, syntax.Sort), 0))

    def sort(self, parts: _Parts) -> syntax.Sort:
        words = {str(part).lower() for part in parts[1:]}
        operand = cast("syntax.Operand", parts[0])
        return syntax.Sort(operand, "desc" in words, "last" not in words)

    def limit(self, parts: _Parts) -> _Clause:
        return _Clause(("limit", self._whole(parts[0]), _at(parts[0])))

    def offset(self, parts: _Parts) -> _Clause:
        return _Clause(("offset", self._whole(parts[1]), _at(parts[0])))

    def _whole(self, token: object) -> int:
        text = str(token)
        if not text.isdecimal():
            raise self._statement.unexpected(_at(token))
        return int(text) if len(text) < _COUNT_DIGITS else _LARGEST_COUNT

    def all_rows(self, parts: _Parts) -> object:
        raise self._statement.malformed(_at(parts[0]), "ALL ROWS not allowed in this context")

    def query(self, parts: _Parts) -> syntax.Query:
        items = cast("tuple[syntax.Item, ...]", parts[0])
        sources = cast("tuple[syntax.Source, ...]", parts[1])
        clauses = {clause[0]: clause for clause in _all(parts, _Clause)}

        def content(name: str) -> object:
            return clauses[name][1] if name in clauses else None

        def place(name: str) -> int:
            return clauses[name][2] if name in clauses else 0

        group, subtotals = cast(
            "tuple[tuple[syntax.Operand, ...], syntax.Subtotals]",
            content("group") or ((), syntax.Subtotals.NONE),
        )
        return syntax.Query(
            items=items,
            source=sources[0],
            joined=sources[1:],
            scope=cast("str | None", content("scope")),
            scope_at=place("scope"),
            where=cast("syntax.Condition | None", content("where")),
            group=group,
            subtotals=subtotals,
            having=cast("syntax.Condition | None", content("having")),
            order=cast("tuple[syntax.Sort, ...]", content("order") or ()),
            limit=cast("int | None", content("limit")),
            offset=cast("int | None", content("offset")),
            offset_at=place("offset"),
            at=sources[0].path.at,
        )

    def start(self, parts: _Parts) -> object:
        return parts[0]
