"""Canonical texts as JSON values for REST.

Knows kinds, blanks and how far a double carries. Knows nothing of tables.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from runner.job.model import Blank
from runner.tables.field_types import EXPLICIT_NULL, FieldKind

JsonValue = str | int | float | bool | None


def with_json_values(
    fields: tuple[tuple[str, FieldKind], ...], texts: tuple[str | None, ...], blank: Blank
) -> dict[str, JsonValue]:
    """Make a record of canonical texts; a blank is left out or None, as `blank` says."""
    record: dict[str, JsonValue] = {}
    for (field, kind), text in zip(fields, texts, strict=True):
        if text is None:
            if blank is Blank.CLEAR:
                record[field] = None
        elif text == EXPLICIT_NULL:
            record[field] = None
        else:
            record[field] = json_value(kind, text)
    return record


def json_value(kind: FieldKind, text: str) -> JsonValue:
    """Give a canonical text's JSON value."""
    return _TYPED[kind](text) if kind in _TYPED else text


def _number(text: str) -> JsonValue:
    if "." not in text:
        return int(text)
    double = float(text)
    return double if Decimal(repr(double)) == Decimal(text) else text


_TYPED: dict[FieldKind, Callable[[str], JsonValue]] = {
    FieldKind.BOOLEAN: lambda text: text == "true",
    FieldKind.INTEGER: int,
    FieldKind.NUMBER: _number,
}
