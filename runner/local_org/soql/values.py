"""Converts literals to stored values, if they fit the kind of a field.

Knows the stored form of each kind of value. Knows no operators.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from runner.local_org import exact_numbers
from runner.local_org.soql.expressions import Expression
from runner.local_org.soql.kinds import NUMERIC, Kind
from runner.soql.syntax import (
    Boolean,
    Day,
    Hour,
    Literal,
    Moment,
    Money,
    Number,
    Text,
)

Stored = str | int | float
_LARGEST_INTEGER = 1 << 63


def stored_value(literal: Literal, left: Expression) -> Stored | None:
    """The literal as a stored value of `left`; None if it has another type."""
    found: Stored | None = None
    match literal:
        case Text(text) if left.kind in {Kind.TEXT, Kind.CHOICES}:
            found = text
        case Number(number) if left.kind in NUMERIC:
            found = (
                exact_numbers.to_stored(number)
                if left.kind is Kind.DOUBLE
                else _plain_number(number)
            )
        case Money(_, amount) if left.field is not None and left.field.type == "currency":
            found = exact_numbers.to_stored(amount)
        case Boolean(truth) if left.kind is Kind.BOOLEAN:
            found = int(truth)
        case Day(day) if left.kind is Kind.DATE:
            found = day.isoformat()
        case Hour(hour) if left.kind is Kind.TIME:
            found = hour.isoformat(timespec="milliseconds") + "Z"
        case Moment(moment) if left.kind is Kind.DATETIME:
            found = stored_moment(moment)
    return found


def stored_moment(moment: datetime) -> str:
    """A stored datetime: UTC, milliseconds, Z."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _plain_number(value: Decimal) -> int | float:
    """Whole numbers as integers where SQLite can hold them, so they lose no digits."""
    is_whole = value == value.to_integral_value() and abs(value) < _LARGEST_INTEGER
    return int(value) if is_whole else float(value)
