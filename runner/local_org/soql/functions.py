"""Functions that SQLite lacks and compiled queries call.

Knows values as the store keeps them. Knows no field and no syntax.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

_STORED_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


def register(conn: sqlite3.Connection) -> None:
    """Give a connection the functions, unless it has them.

    SQLite takes no function while a statement runs, so only the first query may bring them.
    """
    try:
        conn.execute("SELECT sf_number(NULL)")
    except sqlite3.OperationalError:
        _register(conn)


def _register(conn: sqlite3.Connection) -> None:
    conn.create_function("sf_number", 1, number_text, deterministic=True)
    conn.create_function("sf_format", 2, formatted, deterministic=True)
    conn.create_function("sf_local", 2, local_moment, deterministic=True)


def number_text(value: float | None) -> str | None:
    """A number in full, without an exponent, always with a decimal point."""
    if value is None:
        return None
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"


def local_moment(value: str | None, zone: str) -> str | None:
    """A stored datetime as the clock of a time zone shows it, in the same form."""
    if value is None:
        return None
    moment = datetime.strptime(value, _STORED_MOMENT).replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S.") + value[20:]


def formatted(value: float | str | None, describe_type: str) -> str | None:
    """What FORMAT() gives in the locale en_US."""
    if value is None:
        return None
    if describe_type == "currency":
        return f"${float(value):,.2f}" if float(value) >= 0 else f"-${-float(value):,.2f}"
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
