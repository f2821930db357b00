"""The kinds of values of fields, for comparing and printing.

Knows describe's types. Knows no SQL.
"""

from __future__ import annotations

from enum import StrEnum

from runner.local_org.catalog.model import Field


class Kind(StrEnum):
    """Kinds of values that SOQL treats the same."""

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
    """The kind of a field; other types are text."""
    return _BY_TYPE.get(field.type, Kind.TEXT)
