"""Values of typed sources as text, where Python's or DuckDB's own text would be wrong.

A number is digits and a point, without an exponent; a whole floating point number has no point, so
that 123.0 and 123 are one key. Knows values. Knows nothing of fields or of where values come from.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal

from runner.tables.sql import once

NOT_FINITE = ("NaN", "Infinity", "-Infinity", "nan", "-nan", "inf", "-inf")
"""Texts of floating point numbers that are not numbers: ours, and DuckDB's."""
_EXPONENT_TOO_LARGE = re.compile("[eE][+-]?0*[1-9][0-9]{3}")

_MANTISSA = "regexp_extract(t, '^[+-]?([0-9.]+)', 1)"
_EXPONENT = "coalesce(try_cast(regexp_extract(t, '[eE]([+-]?[0-9]+)$', 1) AS INTEGER), 0)"
# Digits with the decimal point inserted: 12345 and 2 give 12.345
_POINT_PUT = (
    "CASE WHEN point <= 0 THEN '0.' || repeat('0', -point) || digits"
    " WHEN point >= strlen(digits) THEN digits || repeat('0', point - strlen(digits))"
    " ELSE left(digits, point) || '.' || substr(digits, point + 1) END"
)
_PLAIN_DIGITS = once(
    f"{{digits: replace({_MANTISSA}, '.', ''),"
    f" point: strlen(split_part({_MANTISSA}, '.', 1)) + {_EXPONENT}}}",
    "__n",
    "point_put(__n.digits, __n.point)",
)
_PLAIN_NUMBER = (
    "CASE WHEN t[1] = '-' THEN '-' ELSE '' END ||"
    rf" regexp_replace({_PLAIN_DIGITS}, '^0+([0-9])', '\1')"
)
_FLOAT_TEXT = (
    "CASE t WHEN 'nan' THEN 'NaN' WHEN '-nan' THEN 'NaN'"
    " WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity'"
    " WHEN '-0.0' THEN '0' ELSE"
    r" regexp_replace(CASE WHEN contains(t, 'e') THEN plain_number(t) ELSE t END, '\.0+$', '') END"
)
NUMBER_MACROS = (
    f"CREATE MACRO point_put(digits, point) AS {_POINT_PUT}",
    f"CREATE MACRO plain_number(t) AS {_PLAIN_NUMBER}",
    f"CREATE MACRO float_text(t) AS {_FLOAT_TEXT}",
)
"""`plain_number` of any number's text; `float_text` of DuckDB's own text of a DOUBLE or FLOAT."""
FLOATS = ("DOUBLE", "FLOAT")
"""DuckDB's types of floating point numbers."""
JSON = "JSON"
"""DuckDB's type of a part of JSON, whose text has quotes: `c->'$.city'`."""
_STRUCTURES = ("STRUCT(", "TUPLE(", "MAP(", "UNION(")


def is_list(kind: str) -> bool:
    """Whether a type of DuckDB's is a list of single values."""
    return kind.endswith("]") and kind.count("[") == 1 and not kind.startswith(_STRUCTURES)


def is_nested(kind: str) -> bool:
    """Whether values of a type of DuckDB's are more than one value."""
    return kind.endswith("]") or kind.startswith(_STRUCTURES)


def float_text(value: float) -> str:
    """The shortest text that means the same number; NaN, Infinity or -Infinity if it is none."""
    if math.isfinite(value):
        return number_text(repr(value))
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def with_nan_as_written(nulls: tuple[str, ...]) -> tuple[str, ...]:
    """Declared blanks, with `NaN` as it is written here if it is among them in any letter case."""
    return (*nulls, "NaN") if "nan" in map(str.lower, nulls) else nulls


def number_text(written: str) -> str:
    """A number as it was written, but without an exponent, and whole where it is whole."""
    if written.isdigit() or _EXPONENT_TOO_LARGE.search(written):
        return written
    plain = f"{Decimal(written):f}"
    if "." in plain and not plain.rpartition(".")[2].strip("0"):
        plain = plain.partition(".")[0]
    return "0" if plain == "-0" else plain


def duration_text(value: timedelta) -> str:
    """A duration as hours, minutes and seconds, `30:15:00`; below 24 hours it is a time of day."""
    sign, length = ("-", -value) if value < timedelta() else ("", value)
    seconds = length // timedelta(seconds=1)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{sign}{hours:02}:{minutes:02}:{seconds % 60:02}{fraction}"
