"""The parts of a query, as written.

Knows the shape of the language. Knows no catalog: names may not exist. Every `at` is an offset in
the text, in characters from 0.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


class Path(Struct, frozen=True):
    """A field, perhaps through parents: `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


class Call(Struct, frozen=True):
    """A function over one field or one other call: `COUNT(Id)`, `DAY_ONLY(convertTimezone(x))`."""

    name: str
    argument: Operand | None
    at: int

    def __str__(self) -> str:
        return f"{self.name}({self.argument or ''})"


class Bind(Struct, frozen=True):
    """`:name`, a value that is put in before the query is sent."""

    name: str
    at: int


class Geolocation(Struct, frozen=True):
    """`GEOLOCATION(37.775, -122.418)`."""

    latitude: Number | Bind
    longitude: Number | Bind


class Distance(Struct, frozen=True):
    """`DISTANCE(Location__c, GEOLOCATION(37.775, -122.418), 'mi')`."""

    field: Path
    other: Path | Geolocation
    unit: str
    at: int

    def __str__(self) -> str:
        return f"DISTANCE({self.field}, …)"


Operand = Path | Call | Distance


class FieldItem(Struct, frozen=True):
    """A field or a call in the select list, with its alias if it has one."""

    operand: Operand
    alias: str | None


class ChildItem(Struct, frozen=True):
    """A child subquery in the select list."""

    query: Query
    at: int
    alias: str | None = None


class TypeBranch(Struct, frozen=True):
    """`WHEN Account THEN Phone, Name`."""

    sobject: str
    fields: tuple[Path, ...]


class TypeofItem(Struct, frozen=True):
    """`TYPEOF What WHEN … ELSE … END`."""

    relationship: Path
    branches: tuple[TypeBranch, ...]
    otherwise: tuple[Path, ...]
    at: int
    alias: str | None = None


Item = FieldItem | ChildItem | TypeofItem


class Text(Struct, frozen=True):
    """A string."""

    value: str
    """Its escapes resolved; after LIKE, a backslash stays before literal `_`, `%` and `\\`."""
    at: int


class Number(Struct, frozen=True):
    """A number."""

    value: Decimal
    at: int


class Money(Struct, frozen=True):
    """An amount with its currency: `USD5000`."""

    code: str
    amount: Decimal
    at: int


class Boolean(Struct, frozen=True):
    """`true` or `false`."""

    value: bool
    at: int


class Null(Struct, frozen=True):
    """`null`."""

    at: int


class Day(Struct, frozen=True):
    """A date, `2024-01-31`."""

    value: date
    at: int


class Hour(Struct, frozen=True):
    """A time of day, `10:30:00.000Z`."""

    value: time
    at: int


class Moment(Struct, frozen=True):
    """A datetime with its zone; the value is aware, in UTC."""

    value: datetime
    at: int


class Period(Struct, frozen=True):
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


class Comparison(Struct, frozen=True):
    """`Name = 'x'`."""

    left: Operand
    comparator: Comparator
    right: Literal


class Membership(Struct, frozen=True):
    """`Name IN ('x', 'y')` and its negation."""

    left: Operand
    members: tuple[Literal, ...]
    negated: bool


class SemiJoin(Struct, frozen=True):
    """`Id IN (SELECT AccountId FROM Contact)` and its negation."""

    left: Operand
    query: Query
    negated: bool


class Holding(Struct, frozen=True):
    """`Colours__c INCLUDES ('Red;Blue', 'Green')` and EXCLUDES."""

    left: Operand
    members: tuple[Literal, ...]
    negated: bool


class Junction(Struct, frozen=True):
    """Conditions joined by AND, or by OR."""

    word: str
    parts: tuple[Condition, ...]


class Negation(Struct, frozen=True):
    """`NOT …`."""

    part: Condition


Condition = Comparison | Membership | SemiJoin | Holding | Junction | Negation


class Source(Struct, frozen=True):
    """One entry of FROM: an sObject, a child relationship or `alias.relationship`."""

    path: Path
    alias: str | None


class Subtotals(StrEnum):
    """Which subtotals a GROUP BY adds."""

    NONE = "none"
    ROLLUP = "rollup"
    CUBE = "cube"


class Sort(Struct, frozen=True):
    """One entry of ORDER BY."""

    operand: Operand
    descending: bool
    nulls_first: bool


class Clause(Struct, frozen=True):
    """The place of a clause."""

    name: str
    """Upper case."""
    at: int
    end: int


class Query(Struct, frozen=True):
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
    where_at: int = 0
    """Where WHERE begins, or would."""
    where_end: int = 0
    clauses: tuple[Clause, ...] = ()
    """What it has after WHERE: `GROUP BY`, `ORDER BY`, `LIMIT`, `OFFSET`."""

    @property
    def counts_only(self) -> bool:
        """Whether it is `SELECT COUNT() FROM …`, which returns a number and no rows."""
        match self.items:
            case (FieldItem(Call(_, None)),):
                return True
        return False
