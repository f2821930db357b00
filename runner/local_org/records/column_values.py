"""Reads all texts of one field in a CSV at once, with what `csv_reader` gives for each.

Knows which texts of a type need no more than one check together. Knows nothing of rows.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import repeat

from runner.local_org.catalog.model import Field
from runner.local_org.records.number_values import few_digits, last_place
from runner.local_org.records.stored import Reader, Stored
from runner.local_org.records.value_errors import UnreadableError
from runner.local_org.records.values import TRIMMED, csv_reader, is_plain_text

Texts = Sequence[str]
ColumnReader = Callable[[Texts], Sequence[Stored]]
_NULL_TEXT = "#N/A"
_DATES = re.compile(r"(?:(?:1[7-9]|[23]\d)\d\d-\d\d-\d\d\n)*", re.ASCII)


def column_reader(field: Field) -> ColumnReader:
    """The reader of texts that are not empty.

    It raises what `csv_reader` raises for one of them, and UnreadableError for `#N/A`.
    """
    one_by_one = partial(_each_once, csv_reader(field))
    at_once = _at_once(field)

    def read(texts: Texts) -> Sequence[Stored]:
        if _NULL_TEXT in texts:
            raise UnreadableError
        values = at_once(texts) if at_once is not None else None
        return one_by_one(texts) if values is None else values

    return read


def _each_once(read: Reader, texts: Texts) -> Sequence[Stored]:
    values = {text: read(text) for text in set(texts)}
    return [values[text] for text in texts]


def _at_once(field: Field) -> Callable[[Texts], Sequence[Stored] | None] | None:
    """Reads texts of the usual form; its result is None if one has another form."""
    if is_plain_text(field):
        return partial(_texts, field.length or math.inf, "" if field.html_formatted else TRIMMED)
    if field.type in {"int", "long"}:
        return partial(_whole_numbers, field.digits or 9)
    if field.type in {"double", "currency", "percent"}:
        short, rounded = few_digits(field)
        if short is None:
            return None
        plain = re.compile(rf"(?:{short}\n)*", re.ASCII)
        # Many numbers are of both forms: to try each of them again would never end.
        either = re.compile(rf"(?:(?:{short}|{rounded})\n)*+", re.ASCII)
        return partial(_numbers, plain, either, *last_place(field))
    return _dates if field.type == "date" else None


def _texts(length: float, trimmed: str, texts: Texts) -> Sequence[Stored] | None:
    if max(map(len, texts)) > length:
        return None
    values = list(map(str.strip, texts, repeat(trimmed)))
    return [value or None for value in values] if "" in values else values


def _whole_numbers(digits: int, texts: Texts) -> Sequence[Stored] | None:
    together = "".join(texts)
    is_plain = together.isascii() and together.isdigit() and max(map(len, texts)) <= digits
    return list(map(int, texts)) if is_plain else None


def _numbers(
    short: re.Pattern[str], rounded: re.Pattern[str], last: Decimal, rounding: str, texts: Texts
) -> Sequence[Stored] | None:
    lines = _lines(texts)
    if lines is None:
        return None
    if short.fullmatch(lines):
        return list(map(float, texts))
    if rounded.fullmatch(lines) is None:
        return None
    numbers = map(Decimal.quantize, map(Decimal, texts), repeat(last), repeat(rounding))
    return list(map(float, numbers))


def _dates(texts: Texts) -> Sequence[Stored] | None:
    lines = _lines(texts)
    if lines is None or _DATES.fullmatch(lines) is None:
        return None
    try:
        deque(map(date.fromisoformat, texts), maxlen=0)
    except ValueError:
        return None
    return texts


def _lines(texts: Texts) -> str | None:
    """The texts, each with a line end; None if one has a line end itself."""
    lines = "\n".join([*texts, ""])
    return lines if lines.count("\n") == len(texts) else None
