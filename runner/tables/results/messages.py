"""Messages of rows without the values in them, so that the same error counts as one.

Knows how Salesforce words its errors. Pure: writes SQL, or does the same.
"""

from __future__ import annotations

import re

from runner.tables.sql import literal

_BEFORE_A_VALUE = (
    "bad value for restricted picklist field|data value too large|invalid email address"
    "|value of incorrect type|value not of required type|valid range on numeric field"
    "|Foreign key external ID|invalid date|malformed id"
)
_VALUES = (
    (r"https?://\S+|\S+@\S+", "…"),
    (r"""(^|[^\w])'[^']*'""", r"\1…"),
    (r'"[^"]*"', "…"),
    (r"\b[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\b", "…"),  # an Id
    (r"\d+(?:[.,]\d+)*", "#"),
    (rf"({_BEFORE_A_VALUE}):? .*?( \(max length=#\)| not found for field .*)?$", r"\1: …\2"),
    (r"VALUE_(STRING|NUMBER\w*) value .*? or request", r"VALUE_\1 value … or request"),
)
"""What is taken out, in this order, and what is written instead."""

_FOR_PYTHON = (
    ("$", r"\Z"),  # for DuckDB it is the end, not also before a line feed there
    # Python would look for it from each letter on, which takes a minute for the longest texts.
    (r"\S+@", r"(?<!\S)\S+@"),
)


def values_taken_out(message: str) -> str:
    """A message in which every value is replaced by a sign."""
    for pattern, sign in _VALUES:
        own = pattern
        for written, here in _FOR_PYTHON:
            own = own.replace(written, here)
        message = re.sub(own, sign, message, flags=re.ASCII | re.DOTALL)
    return message


def without_values(message: str) -> str:
    """SQL of a message in which every value is replaced by a sign."""
    for pattern, sign in _VALUES:
        message = f"regexp_replace({message}, {literal(pattern)}, {literal(sign)}, 'gs')"
    return message
