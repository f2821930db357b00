"""Reads the values of date, datetime and time fields, and writes moments as they are stored.

Knows the forms and the years that Salesforce takes. Knows nothing of records.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from runner.local_org.catalog.model import Field
from runner.local_org.records.stored import Reader, Stored
from runner.local_org.records.value_errors import UnreadableError

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?"
    r"(Z|[+-](?:0\d|1[0-3]):?[0-5]\d|[+-]14:?00)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1700, 4000


def stamp(moment: datetime) -> str:
    """A moment as stored; datetimes have whole seconds, as in Salesforce."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def date_reader(_field: Field) -> Reader:
    """The reader of `2026-01-31`; it raises `UnreadableError` for anything else."""

    def read(value: object) -> Stored:
        if not isinstance(value, str) or _DATE.fullmatch(value) is None:
            raise UnreadableError
        return _checked_date(value)

    return read


def _checked_date(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UnreadableError from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise UnreadableError
    return text


def read_datetime(value: object) -> Stored:
    """A datetime of ISO 8601, UTC if it has no zone, in whole seconds; else UnreadableError."""
    match = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UnreadableError
    day, clock, zone = match.groups()  # milliseconds are not stored
    if zone in (None, "Z"):
        _checked_date(day)
        _checked_clock(clock)
        return f"{day}T{clock}.000Z"
    return _shifted(day, clock, zone)


def _shifted(day: str, clock: str, zone: str) -> str:
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableError from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise UnreadableError
    return stamp(moment)


def _checked_clock(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise UnreadableError from None
    return text


def time_reader(_field: Field) -> Reader:
    """The reader of `12:30:00.000Z`; it raises `UnreadableError` for anything else."""

    def read(value: object) -> Stored:
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise UnreadableError
        clock, fraction = match.groups()
        return f"{_checked_clock(clock)}.{(fraction or '')[:3].ljust(3, '0')}Z"

    return read
