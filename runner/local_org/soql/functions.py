"""SQL functions of compiled queries that SQLite lacks.

Knows stored values. Knows no field and no syntax.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from runner.local_org import exact_numbers

_EARTH_RADIUS = {"km": 6371.0, "mi": 3958.8}
_STORED_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


def register(conn: sqlite3.Connection) -> None:
    """Register the functions on a connection, unless it has them.

    SQLite accepts no function while a statement runs, so only the first query can register them.
    """
    try:
        conn.execute("SELECT sf_number(NULL)")
    except sqlite3.OperationalError:
        _register(conn)


def _register(conn: sqlite3.Connection) -> None:
    conn.create_function("sf_number", 1, number_text, deterministic=True)
    conn.create_function("sf_compare", 2, compared, deterministic=True)
    conn.create_function("sf_near", 1, float, deterministic=True)
    conn.create_function("sf_beyond", 1, beyond, deterministic=True)
    for name, aggregate in (("sf_min", Least), ("sf_max", Most)):
        # The type stubs only know aggregates of integers.
        conn.create_aggregate(name, 1, aggregate)  # type: ignore[arg-type]
    conn.create_function("sf_format", 2, formatted, deterministic=True)
    conn.create_function("sf_local", 2, local_moment, deterministic=True)
    conn.create_function("sf_distance", 5, distance, deterministic=True)


def number_text(value: exact_numbers.Number | None) -> str | None:
    """A number with all its digits, as a Java double prints."""
    if value is None:
        return None
    return exact_numbers.java_double(exact_numbers.plain(exact_numbers.exact(value)))


def compared(left: exact_numbers.Number | None, right: exact_numbers.Number) -> int | None:
    """-1, 0 or 1: the first is less than, equal to or greater than the second."""
    if left is None:
        return None
    one, two = exact_numbers.exact(left), exact_numbers.exact(right)
    return (one > two) - (one < two)


def beyond(value: str) -> float:
    """Distance of a number stored as text from the nearest double."""
    return float(exact_numbers.exact(value) - exact_numbers.exact(float(value)))


class Least:
    """MIN of numbers, some of them stored as text."""

    beats: Callable[[Decimal, Decimal], bool] = staticmethod(Decimal.__lt__)

    def __init__(self) -> None:
        self._best: exact_numbers.Number | None = None

    def step(self, value: exact_numbers.Number | None) -> None:
        """Compare one value."""
        if value is None:
            return
        if self._best is None or self.beats(
            exact_numbers.exact(value), exact_numbers.exact(self._best)
        ):
            self._best = value

    def finalize(self) -> exact_numbers.Number | None:
        """The value; None without values."""
        return self._best


class Most(Least):
    """MAX of numbers, some of them stored as text."""

    beats = staticmethod(Decimal.__gt__)


def local_moment(value: str | None, zone: str) -> str | None:
    """A stored datetime in local time of a zone, in the same form."""
    if value is None:
        return None
    moment = datetime.strptime(value, _STORED_MOMENT).replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S.") + value[20:]


def distance(
    latitude: float | None,
    longitude: float | None,
    other_latitude: float | None,
    other_longitude: float | None,
    unit: str,
) -> float | None:
    """The great-circle distance of two places in degrees; None if one is not known."""
    if None in {latitude, longitude, other_latitude, other_longitude}:
        return None
    degrees = cast("tuple[float, ...]", (latitude, longitude, other_latitude, other_longitude))
    phi, psi, other_phi, other_psi = map(math.radians, map(float, degrees))
    half_chord = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin((other_psi - psi) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS[unit] * math.asin(math.sqrt(min(1.0, half_chord)))


def formatted(value: float | str | None, describe_type: str) -> str | None:
    """The result of FORMAT() in the locale en_US."""
    if value is None:
        return None
    if describe_type == "currency":
        amount = exact_numbers.exact(value)
        return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
    if describe_type in {"double", "percent", "int", "long"}:
        text = f"{Decimal(str(value)):,f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return f"{text}%" if describe_type == "percent" else text
    if describe_type == "date":
        day = datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC)
        return f"{day.month}/{day.day}/{day.year}"
    if describe_type == "datetime":
        moment = datetime.strptime(str(value), _STORED_MOMENT).replace(tzinfo=UTC)
        return f"{moment.month}/{moment.day}/{moment.year}, {moment.hour % 12 or 12}:{moment:%M %p}"
    return str(value)
