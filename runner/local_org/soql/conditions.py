"""WHERE and HAVING: compiles conditions to SQL with Salesforce's null logic.

Knows operators, null logic and which literals fit a field. Knows no clauses.

Salesforce's logic has two values. SQL that may be NULL counts as false here, and NOT is applied to
`COALESCE(…, 0)`, so `NOT Name = 'x'` finds empty names, as at Salesforce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.ids import normalise
from runner.local_org.soql.expressions import Expression, Operands
from runner.local_org.soql.kinds import DATED, Kind
from runner.local_org.soql.periods import Span, span_of
from runner.local_org.soql.refusals import too_complicated
from runner.local_org.soql.values import stored_moment, stored_value
from runner.soql.syntax import (
    Comparator,
    Comparison,
    Condition,
    Distance,
    Holding,
    Junction,
    Literal,
    Membership,
    Negation,
    Null,
    Operand,
    Period,
    Query,
    SemiJoin,
    Text,
)

_ORDERINGS = {
    Comparator.LESS,
    Comparator.LESS_OR_EQUAL,
    Comparator.GREATER,
    Comparator.GREATER_OR_EQUAL,
}
_UNORDERED = {Kind.BOOLEAN, Kind.CHOICES}
_OF_DISTANCES = {Comparator.LESS, Comparator.GREATER}
_EMPTY_TEXTS = {Kind.TEXT, Kind.CHOICES, Kind.ID}
"""Kinds for which an empty text is null; for others it has the wrong type."""
_FALSE = "0"
_MOST_SEMI_JOINS = 2
_DEEPEST = 20
"""How deep conditions may nest; SQLite's parser allows a little more."""


class Bindings:
    """The values of a statement, by the names of its SQL parameters."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def add(self, value: object) -> str:
        """Add a value; returns its SQL parameter."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


class Clock(Struct, frozen=True):
    """The current time, for date literals."""

    now: datetime
    zone: str

    @property
    def today(self) -> date:
        """Today in the user's time zone."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def midnight(self, day: date) -> datetime:
        """The start of a day in the user's time zone."""
        return datetime.combine(day, time(), ZoneInfo(self.zone)).astimezone(UTC)


SubSelect = Callable[[Query, "Bindings", Expression], str]
"""Compiles the inner SELECT of a semi-join, given the expression on its left."""


class Conditions:
    """Compiles the conditions of one SELECT."""

    def __init__(
        self,
        operands: Operands,
        bindings: Bindings,
        clock: Clock,
        sub_select: SubSelect,
        *,
        check_grouped: Callable[[Expression, Operand], None] | None = None,
    ) -> None:
        """`check_grouped` is for HAVING: it refuses what is neither grouped nor an aggregate."""
        self._operands = operands
        self._statement = operands.scope.statement
        self._bind = bindings.add
        self._bindings = bindings
        self._clock = clock
        self._sub_select = sub_select
        self._check_grouped = check_grouped
        self._semi_joins = 0

    def compile(self, condition: Condition) -> str:
        """The SQL of a condition."""
        if _depth(condition) > _DEEPEST:
            raise too_complicated()
        return self._compile(condition, "AND")

    def _compile(self, condition: Condition, under: str) -> str:
        """The SQL of a condition; `under` is the operator above it, which restricts semi-joins."""
        match condition:
            case Junction(word, parts):
                above = under if word == "AND" else word
                inner = [self._compile(part, above) for part in parts]
                return _joined(word, inner)
            case Negation(part):
                return f"NOT COALESCE({self._compile(part, 'NOT')}, 0)"
            case Comparison(left, comparator, right):
                return self._comparison(self._filterable(left), left, comparator, right)
            case Membership():
                return self._membership(condition)
            case Holding():
                return self._holding(condition)
            case SemiJoin():
                return self._semi_join(condition, under)

    def _filterable(self, operand: Operand) -> Expression:
        found = self._operands.resolve(operand)
        if self._check_grouped is not None:
            self._check_grouped(found, operand)
        elif found.aggregate:
            raise self._statement.malformed(
                operand.at, f"Aggregate functions are not allowed in WHERE: {found.name}"
            )
        if found.kind is Kind.COMPOUND:
            raise self._statement.refusal(
                "INVALID_FIELD",
                operand.at,
                "Address fields can only be filtered using Distance expressions",
            )
        if found.field is not None and not found.aggregate and not found.field.filterable:
            raise self._statement.cannot_be("filtered", operand.at, found.field.name)
        return found

    # --- comparisons

    def _comparison(
        self, left: Expression, operand: Operand, comparator: Comparator, right: Literal
    ) -> str:
        self._check_operator(left, operand, comparator)
        if isinstance(right, Text) and not right.value and left.kind not in _EMPTY_TEXTS:
            raise self._wrong(left, operand)
        if comparator is Comparator.LIKE:
            return self._like(left, operand, right)
        if _is_empty(right):
            return _empty(left, comparator, right)
        if isinstance(right, Period) and left.kind in DATED:
            return self._within(left, comparator, self._span(right))
        value = self._value(left, operand, right)
        if left.kind is Kind.TEXT or left.kind is Kind.CHOICES:
            return self._text(left, comparator, str(value))
        if left.kind is Kind.DOUBLE and comparator in _ORDERINGS:
            return _ordered(left.sql, comparator, self._bind(value), is_text=isinstance(value, str))
        return _compared(left.sql, comparator, self._bind(value))

    def _check_operator(self, left: Expression, operand: Operand, comparator: Comparator) -> None:
        wrong = (
            (comparator in _ORDERINGS and left.kind in _UNORDERED)
            or (comparator is Comparator.LIKE and left.kind is not Kind.TEXT)
            or (isinstance(operand, Distance) and comparator not in _OF_DISTANCES)
        )
        if wrong:
            raise self._statement.refusal(
                "INVALID_QUERY_FILTER_OPERATOR",
                operand.at,
                f"invalid operator on {_type_name(left)} field",
            )

    def _text(self, left: Expression, comparator: Comparator, value: str) -> str:
        if not left.folded:
            return _compared(left.sql, comparator, self._bind(value))
        if comparator is Comparator.EQUAL and _is_key(left):
            # The expression that the store has indexed.
            folded = f"sf_lower({left.sql}) = {self._bind(value.casefold())}"
            return f"({left.sql} IS NOT NULL AND {folded})"
        return _compared(f"{left.sql} COLLATE {_collation(value)}", comparator, self._bind(value))

    def _like(self, left: Expression, operand: Operand, right: Literal) -> str:
        if isinstance(right, Null):
            return _FALSE
        if not isinstance(right, Text):
            raise self._wrong(left, operand)
        if right.value.isascii():
            return f"{left.sql} LIKE {self._bind(right.value)} ESCAPE '\\'"
        pattern = self._bind(right.value.casefold())
        return f"sf_lower({left.sql}) LIKE {pattern} ESCAPE '\\'"

    # --- date literals

    def _span(self, period: Period) -> Span:
        try:
            span = span_of(period.name, period.count, self._clock.today)
        except OverflowError:
            raise self._statement.malformed(period.at, f"Invalid date: {period.name}") from None
        if span is None:
            raise self._statement.unexpected(period.at)
        return span

    def _within(self, left: Expression, comparator: Comparator, span: Span) -> str:
        if left.kind is Kind.DATE:
            first, end = span.start.isoformat(), span.end.isoformat()
        else:
            last = self._clock.midnight(span.end)
            if span.until_now:
                last = self._clock.now.replace(microsecond=0) + timedelta(seconds=1)
            first, end = stored_moment(self._clock.midnight(span.start)), stored_moment(last)
        start_sql, end_sql = self._bind(first), self._bind(end)
        inside = f"({left.sql} >= {start_sql} AND {left.sql} < {end_sql})"
        return {
            Comparator.EQUAL: inside,
            Comparator.UNEQUAL: f"NOT COALESCE({inside}, 0)",
            Comparator.LESS: f"{left.sql} < {start_sql}",
            Comparator.LESS_OR_EQUAL: f"{left.sql} < {end_sql}",
            Comparator.GREATER: f"{left.sql} >= {end_sql}",
            Comparator.GREATER_OR_EQUAL: f"{left.sql} >= {start_sql}",
        }[comparator]

    # --- lists

    def _membership(self, condition: Membership) -> str:
        left = self._filterable(condition.left)
        listed: list[object] = []
        others: list[str] = []
        for member in condition.members:
            if _is_empty(member) or isinstance(member, Period):
                others.append(self._comparison(left, condition.left, Comparator.EQUAL, member))
            else:
                listed.append(self._value(left, condition.left, member))
        if listed:
            others.append(self._in(left, listed))
        either = _joined("OR", others)
        return f"NOT COALESCE({either}, 0)" if condition.negated else either

    def _in(self, left: Expression, values: list[object]) -> str:
        if not left.folded:
            return f"{left.sql} IN ({self._bound(values)})"
        texts = [str(value) for value in values]
        if _is_key(left):
            folded = self._bound(text.casefold() for text in texts)
            return f"({left.sql} IS NOT NULL AND sf_lower({left.sql}) IN ({folded}))"
        collation = _collation("".join(texts))
        return f"{left.sql} COLLATE {collation} IN ({self._bound(texts)})"

    def _bound(self, values: Iterable[object]) -> str:
        return ", ".join(self._bind(value) for value in values)

    def _holding(self, condition: Holding) -> str:
        left = self._filterable(condition.left)
        if left.kind is not Kind.CHOICES:
            raise self._statement.refusal(
                "INVALID_QUERY_FILTER_OPERATOR",
                condition.left.at,
                "includes and excludes operators may only be used on multipicklist fields",
            )
        held: list[str] = []
        for member in condition.members:
            if not isinstance(member, Text):
                raise self._wrong(left, condition.left)
            wanted = [choice for choice in member.value.casefold().split(";") if choice]
            found = [
                f"instr(sf_lower(';' || {left.sql} || ';'), {self._bind(f';{choice};')}) > 0"
                for choice in wanted
            ]
            held.append("(" + (" AND ".join(found) or _FALSE) + ")")
        either = _joined("OR", held)
        return f"NOT COALESCE({either}, 0)" if condition.negated else either

    def _semi_join(self, condition: SemiJoin, under: str) -> str:
        at = condition.left.at
        left = self._filterable(condition.left)
        if under != "AND":
            raise self._statement.malformed(
                at, f"Semi join sub-selects are not allowed with the '{under}' operator"
            )
        if left.column is None or left.column.place.relationships:
            raise self._statement.malformed(
                at, f"The left operand '{condition.left}' cannot have more than one level"
            )
        if left.kind is not Kind.ID:
            raise self._statement.malformed(
                at,
                "The left operand field in the where expression for outer query should be an id "
                f"field, cannot use: '{left.name}'",
            )
        self._semi_joins += 1
        if self._semi_joins > _MOST_SEMI_JOINS:
            raise self._statement.malformed(at, "Maximum 2 semi join sub-selects are allowed")
        inside = f"{left.sql} IN {self._sub_select(condition.query, self._bindings, left)}"
        return f"NOT COALESCE({inside}, 0)" if condition.negated else inside

    # --- literals

    def _value(self, left: Expression, operand: Operand, literal: Literal) -> object:
        """The literal as a stored value; ApiRefusal if it has another type."""
        if isinstance(literal, Text) and left.kind is Kind.ID:
            return self._id(literal)
        value = stored_value(literal, left)
        if value is None:
            raise self._wrong(left, operand)
        return value

    def _id(self, literal: Text) -> str:
        full = normalise(literal.value)
        if full is None:
            raise self._statement.refusal(
                "INVALID_QUERY_FILTER_OPERATOR", literal.at, f"invalid ID field: {literal.value}"
            )
        return full

    def _wrong(self, left: Expression, operand: Operand) -> ApiRefusal:
        quoted = left.kind in {Kind.TEXT, Kind.CHOICES, Kind.ID}
        wanted = "string" if left.kind in {Kind.TEXT, Kind.CHOICES} else str(left.kind)
        return self._statement.wrong_literal(operand.at, left.name, wanted, quoted=quoted)


def _depth(condition: Condition) -> int:
    match condition:
        case Junction(_, parts):
            return 1 + max(map(_depth, parts))
        case Negation(part):
            return 1 + _depth(part)
    return 0


def _joined(word: str, parts: list[str]) -> str:
    """Conditions joined as a balanced tree, since SQLite limits the depth."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_joined(word, parts[:middle])} {word} {_joined(word, parts[middle:])})"


def _is_empty(literal: Literal) -> bool:
    return isinstance(literal, Null) or (isinstance(literal, Text) and not literal.value)


def _empty(left: Expression, comparator: Comparator, right: Literal) -> str:
    """Comparing with null: only = and != can be true; a null checkbox is false.

    Every text and every Id comes after an empty text.
    """
    if comparator in _ORDERINGS:
        after = isinstance(right, Text) and left.kind in {Kind.TEXT, Kind.ID}
        above = comparator in {Comparator.GREATER, Comparator.GREATER_OR_EQUAL}
        return f"{left.sql} IS NOT NULL" if after and above else _FALSE
    equal = comparator is Comparator.EQUAL
    if left.kind is Kind.BOOLEAN:
        return f"{left.sql} = {0 if equal else 1}"
    return f"{left.sql} IS {'' if equal else 'NOT '}NULL"


def _compared(sql: str, comparator: Comparator, value: str) -> str:
    if comparator is Comparator.UNEQUAL:
        return f"{sql} IS NOT {value}"
    return f"{sql} {comparator.value} {value}"


def _ordered(sql: str, comparator: Comparator, value: str, *, is_text: bool) -> str:
    """Compare numbers; those with more digits than a double are stored as text."""
    exactly = f"sf_compare({sql}, {value}) {comparator.value} 0"
    if is_text:
        return exactly
    plainly = f"{sql} {comparator.value} {value}"
    return f"CASE WHEN typeof({sql}) = 'text' THEN {exactly} ELSE {plainly} END"


def _collation(value: str) -> str:
    """SQLite's own collation if it gives the same result; it is many times faster."""
    return "NOCASE" if value.isascii() else "SF_NOCASE"


def _is_key(left: Expression) -> bool:
    field = left.field
    return (
        field is not None and left.plain and (field.unique or field.external_id or field.id_lookup)
    )


def _type_name(left: Expression) -> str:
    return left.field.type if left.field is not None and left.plain else str(left.kind)
