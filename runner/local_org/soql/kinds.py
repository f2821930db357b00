"""What values a field holds, as far as comparing and printing them goes.

Knows describe's types. Knows no SQL.
"""

from __future__ import annotations

from enum import StrEnum

from runner.local_org.catalog.model import Field


class Kind(StrEnum):
    """Kinds of value that SOQL treats alike."""

    TEXT = "string"
    ID = "id"
    BOOLEAN = "boolean"
    INTEGER = "int"
    DOUBLE = "double"
    DATE = "date"
    DATETIME = "dateTime"
    TIME = "time"
    CHOICES = "multipicklist"
    COMPOUND = "compound"
    BLOB = "base64"


_BY_TYPE = {
    "id": Kind.ID,
    "reference": Kind.ID,
    "boolean": Kind.BOOLEAN,
    "int": Kind.INTEGER,
    "long": Kind.INTEGER,
    "double": Kind.DOUBLE,
    "currency": Kind.DOUBLE,
    "percent": Kind.DOUBLE,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "time": Kind.TIME,
    "multipicklist": Kind.CHOICES,
    "address": Kind.COMPOUND,
    "location": Kind.COMPOUND,
    "base64": Kind.BLOB,
}
NUMERIC = frozenset({Kind.INTEGER, Kind.DOUBLE})
DATED = frozenset({Kind.DATE, Kind.DATETIME})


def kind_of(field: Field) -> Kind:
    """The kind of a field; every type without one of its own is text."""
    return _BY_TYPE.get(field.type, Kind.TEXT)
