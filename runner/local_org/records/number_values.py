"""Reads the values of number fields, from JSON and from Bulk's CSV, without losing a digit.

Knows ranges, decimal places and rounding. Knows nothing of records.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from runner.local_org import exact_numbers
from runner.local_org.catalog.model import Field
from runner.local_org.records import refusals
from runner.local_org.records.stored import Reader, Stored
from runner.local_org.records.value_errors import RefusedError, UnreadableError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EXACT_DIGITS = 15
"""A double holds every number of so many digits exactly as it is written."""
_FEW_DIGITS = 8
_DEGREES = {"latitude": 90, "longitude": 180}
_AMPLE = Context(prec=400)
"""Enough precision for every double and its decimal places."""


def int_reader(field: Field) -> Reader:
    """The reader of a whole number, of at most `digits` (9 if the field has none).

    It raises `UnreadableError` for any other value, and `RefusedError` beyond the range.
    """
    digits = field.digits or 9
    bound = 10**digits

    def read(value: object) -> Stored:
        if isinstance(value, str) and len(value) <= digits and value.isascii() and value.isdigit():
            return int(value)
        number = _number(value)
        if number != number.to_integral_value():
            raise UnreadableError
        if abs(number) >= bound:
            raise RefusedError(refusals.out_of_range(field, value))
        return int(number)

    return read


def _number(value: object) -> Decimal:
    """An exact number, within the range of a double."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnreadableError
    text = exact_numbers.unmarked(value) if isinstance(value, str) else repr(value)
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise UnreadableError
    return Decimal(text)


def double_reader(field: Field) -> Reader:
    """The reader of a number, which rounds to the decimal places of the field.

    It raises `UnreadableError` for any other value, and `RefusedError` beyond the precision.
    """
    scale, precision = field.scale, field.precision
    bound = Decimal(10) ** (precision - scale) if precision else Decimal("Infinity")
    last, rounding = last_place(field)
    most = _degrees_of(field) or math.inf

    def read(value: object) -> Stored:
        number = _number(value)
        if abs(number) >= bound or abs(number) > most:
            raise RefusedError(refusals.out_of_range(field, value))
        return exact_numbers.to_stored(number.quantize(last, rounding, _AMPLE))

    return read


def _degrees_of(field: Field) -> int | None:
    """The most degrees of a latitude or longitude (Object Reference, Address Compound Fields)."""
    name = field.name.removesuffix("__s").lower()
    ends = (most for end, most in _DEGREES.items() if name.endswith(end))
    return next(ends, None) if field.compound_field_name else None


def last_place(field: Field) -> tuple[Decimal, str]:
    """The unit that a field's numbers are rounded to, and how."""
    rounding = ROUND_HALF_EVEN if field.type == "currency" else ROUND_HALF_UP
    return Decimal(1).scaleb(-field.scale), rounding


def few_digits(field: Field) -> tuple[str | None, str]:
    """Patterns of a CSV's numbers that a double holds: as they are, and after rounding.

    The first is None if the field has no such numbers, or other limits than its digits.
    """
    if _degrees_of(field):
        return None, ""
    whole = _EXACT_DIGITS - field.scale
    if field.precision:
        whole = min(whole, field.precision - field.scale)
    if whole < 1:
        return None, ""
    decimals = rf"(?:\.\d{{1,{field.scale}}})?" if field.scale else ""
    few = rf"-?\d{{1,{min(whole, _FEW_DIGITS)}}}\.\d{{1,{_EXACT_DIGITS - _FEW_DIGITS}}}"
    return rf"-?\d{{1,{whole}}}{decimals}", few


def csv_double_reader(field: Field) -> Reader:
    """The numbers of few digits that nearly all are, without the steps that leave them as is."""
    read_any = double_reader(field)
    short, few = few_digits(field)
    if short is None:
        return read_any
    is_short = re.compile(short, re.ASCII).fullmatch
    is_rounded = re.compile(few, re.ASCII).fullmatch
    last, rounding = last_place(field)

    def read(value: object) -> Stored:
        if isinstance(value, str):
            if is_short(value):
                return float(value)
            if is_rounded(value):
                return float(Decimal(value).quantize(last, rounding))
        return read_any(value)

    return read
