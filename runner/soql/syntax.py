"""The parts of a query, as written.

Knows the shape of the language. Knows no catalog: names may not exist. Every `at` is an offset in
the text, in characters from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps through parents: `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Call:
    """A function over one field or one other call: `COUNT(Id)`, `DAY_ONLY(convertTimezone(x))`."""

    name: str
    argument: Operand | None
    at: int

    def __str__(self) -> str:
        return f"{self.name}({self.argument or ''})"


@dataclass(frozen=True, slots=True)
class Bind:
    """`:name`, a value that is put in before the query is sent."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Geolocation:
    """`GEOLOCATION(37.775, -122.418)`."""

    latitude: Number | Bind
    longitude: Number | Bind


@dataclass(frozen=True, slots=True)
class Distance:
    """`DISTANCE(Location__c, GEOLOCATION(37.775, -122.418), 'mi')`."""

    field: Path
    other: Path | Geolocation
    unit: str
    at: int

    def __str__(self) -> str:
        return f"DISTANCE({self.field}, …)"


Operand = Path | Call | Distance


@dataclass(frozen=True, slots=True)
class FieldItem:
    """A field or a call in the select list, with its alias if it has one."""

    operand: Operand
    alias: str | None


@dataclass(frozen=True, slots=True)
class ChildItem:
    """A child subquery in the select list."""

    query: Query
    at: int
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class TypeBranch:
    """`WHEN Account THEN Phone, Name`."""

    sobject: str
    fields: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class TypeofItem:
    """`TYPEOF What WHEN … ELSE … END`."""

    relationship: Path
    branches: tuple[TypeBranch, ...]
    otherwise: tuple[Path, ...]
    at: int
    alias: str | None = None


Item = FieldItem | ChildItem | TypeofItem


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str
    """Its escapes resolved; after LIKE, a backslash stays before literal `_`, `%` and `\\`."""
    at: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency: `USD5000`."""

    code: str
    amount: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    value: bool
    at: int


@dataclass(frozen=True, slots=True)
class Null:
    """`null`."""

    at: int


@dataclass(frozen=True, slots=True)
class Day:
    """A date, `2024-01-31`."""

    value: date
    at: int


@dataclass(frozen=True, slots=True)
class Hour:
    """A time of day, `10:30:00.000Z`."""

    value: time
    at: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A datetime with its zone; the value is aware, in UTC."""

    value: datetime
    at: int


@dataclass(frozen=True, slots=True)
class Period:
    """A date literal: `TODAY`, `LAST_N_DAYS:3`."""

    name: str
    """Upper case."""
    count: int | None
    """None also if it is a bind."""
    at: int


Literal = Text | Number | Money | Boolean | Null | Day | Hour | Moment | Period | Bind


class Comparator(StrEnum):
    """How one value is compared with another."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LIKE = "LIKE"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`Name = 'x'`."""

    left: Operand
    comparator: Comparator
    right: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """`Name IN ('x', 'y')` and its negation."""

    left: Operand
    members: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """`Id IN (SELECT AccountId FROM Contact)` and its negation."""

    left: Operand
    query: Query
    negated: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """`Colours__c INCLUDES ('Red;Blue', 'Green')` and EXCLUDES."""

    left: Operand
    members: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND, or by OR."""

    word: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT …`."""

    part: Condition


Condition = Comparison | Membership | SemiJoin | Holding | Junction | Negation


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of FROM: an sObject, a child relationship or `alias.relationship`."""

    path: Path
    alias: str | None


class Subtotals(StrEnum):
    """Which subtotals a GROUP BY adds."""

    NONE = "none"
    ROLLUP = "rollup"
    CUBE = "cube"


@dataclass(frozen=True, slots=True)
class Sort:
    """One entry of ORDER BY."""

    operand: Operand
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """The place of a clause."""

    name: str
    """Upper case."""
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT."""

    items: tuple[Item, ...]
    source: Source
    joined: tuple[Source, ...]
    scope: str | None
    scope_at: int
    where: Condition | None
    at: int
    group: tuple[Operand, ...] = ()
    subtotals: Subtotals = Subtotals.NONE
    having: Condition | None = None
    order: tuple[Sort, ...] = ()
    limit: int | None = None
    """None also if it is a bind; see `clauses`."""
    offset: int | None = None
    clauses: tuple[Clause, ...] = ()
    """What it has after WHERE: `GROUP BY`, `ORDER BY`, `LIMIT`, `OFFSET`."""

    @property
    def counts_only(self) -> bool:
        """Whether it is `SELECT COUNT() FROM …`, which returns a number and no rows."""
        match self.items:
            case (FieldItem(Call(_, None)),):
                return True
        return False
