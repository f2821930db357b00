"""Date literals: the days of `LAST_N_WEEKS:3`.

Knows the calendar: weeks start on Sunday, the fiscal year in January (Salesforce's defaults for the
United States). Knows no field and no SQL.

Source: the table of date literals in the SOQL reference. LAST_N_DAYS and LAST_90_DAYS include
today; every other LAST_ and NEXT_ excludes the current unit.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from msgspec import Struct

_NAMED_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_PLAIN = re.compile(r"(LAST|THIS|NEXT)_(WEEK|MONTH|QUARTER|YEAR|FISCAL_QUARTER|FISCAL_YEAR)")
_UNITS = r"(DAY|WEEK|MONTH|QUARTER|YEAR|FISCAL_QUARTER|FISCAL_YEAR)S"
_COUNTED = re.compile(rf"(LAST|NEXT)_N_{_UNITS}")
_AGO = re.compile(rf"N_{_UNITS}_AGO")
_NINETY = 90
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_STEPS = {"LAST": -1, "THIS": 0, "NEXT": 1}


class Span(Struct, frozen=True):
    """Days from `start` up to `end`, exclusive."""

    start: date
    end: date
    until_now: bool = False
    """Whether the span of a datetime ends now rather than at the end of the day."""


def span_of(name: str, count: int | None, today: date) -> Span | None:
    """The days of a date literal on a given day; None if it is unknown.

    Raises:
        OverflowError: the days are outside the calendar.
    """
    try:
        return _named(name, today) if count is None else _counted(name, count, today)
    except ValueError:
        raise OverflowError(name) from None


def _named(name: str, today: date) -> Span | None:
    if name in _NAMED_DAYS:
        return _units("DAY", _NAMED_DAYS[name], 1, today)
    if name == "LAST_90_DAYS":
        return _last_days(_NINETY, today)
    if name == "NEXT_90_DAYS":
        return _units("DAY", 1, _NINETY, today)
    if found := _PLAIN.fullmatch(name):
        return _units(found[2], _STEPS[found[1]], 1, today)
    return None


def _counted(name: str, count: int, today: date) -> Span | None:
    if name == "LAST_N_DAYS":
        return _last_days(count, today)
    if found := _COUNTED.fullmatch(name):
        first = 1 if found[1] == "NEXT" else -count
        return _units(found[2], first, count, today)
    if found := _AGO.fullmatch(name):
        return _units(found[1], -count, 1, today)
    return None


def _last_days(count: int, today: date) -> Span:
    return Span(today - timedelta(days=count), today + timedelta(days=1), until_now=True)


def _units(unit: str, first: int, count: int, today: date) -> Span:
    """`count` whole units, starting `first` units from the current one."""
    return Span(_start(unit, first, today), _start(unit, first + count, today))


def _start(unit: str, steps: int, today: date) -> date:
    if unit == "DAY":
        return today + timedelta(days=steps)
    if unit == "WEEK":
        sunday = today - timedelta(days=today.isoweekday() % 7)
        return sunday + timedelta(weeks=steps)
    months = _MONTHS[unit.removeprefix("FISCAL_")]
    current = (today.year * 12 + today.month - 1) // months * months
    year, month = divmod(current + steps * months, 12)
    return date(year, month + 1, 1)
