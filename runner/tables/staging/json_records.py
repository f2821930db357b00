"""Records of canonical texts, as REST has them in JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import FieldKind

JsonValue = str | int | float | bool | None

_DIGITS_OF_A_DOUBLE = 15
"""So many it keeps, whichever they are."""


class JsonRecords:
    """Makes records of canonical texts; a blank is left out, and `#N/A` is None."""

    def __init__(self, fields: Sequence[tuple[str, FieldKind]]) -> None:
        """Make records with these fields, each of a kind."""
        self._names = [name for name, _ in fields]
        self._converted = [
            (place, name, _JSON[kind]) for place, (name, kind) in enumerate(fields) if kind in _JSON
        ]

    def record(self, texts: Sequence[str | None]) -> dict[str, JsonValue]:
        """One record; a text a field."""
        record: dict[str, JsonValue] = dict(zip(self._names, texts, strict=True))
        for place, name, convert in self._converted:
            text = texts[place]
            if text is not None and text != EXPLICIT_NULL:
                record[name] = convert(text)
        if None in texts:
            record = {name: value for name, value in record.items() if value is not None}
        if EXPLICIT_NULL in texts:
            record |= {name: None for name in record if record[name] == EXPLICIT_NULL}
        return record


def _json_number(text: str) -> JsonValue:
    if "." not in text:
        return int(text)
    double = float(text)
    if len(text) <= _DIGITS_OF_A_DOUBLE:
        return double
    # Digits that a double would lose are sent as text, which the org reads as a number.
    return double if Decimal(repr(double)) == Decimal(text) else text


_JSON: dict[FieldKind, Callable[[str], JsonValue]] = {
    FieldKind.BOOLEAN: lambda text: text == "true",
    FieldKind.INTEGER: int,
    FieldKind.NUMBER: _json_number,
}
