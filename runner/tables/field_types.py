"""Kinds of values in Salesforce fields, and the columns mapped to them.

Knows the describe types (REST `describe`, `fields[].type`). Knows nothing of SQL or files.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from runner.tables.sql import BLANKS


class FieldKind(StrEnum):
    """How a field's values are written."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    ID = "id"
    JSON = "json"
    """A list of children, a parent by TYPEOF, a compound: only queries have these."""

    @classmethod
    def of(cls, describe_type: str) -> FieldKind:
        """The kind of a describe type; a type that is not listed is text."""
        return _KINDS.get(describe_type.lower(), cls.TEXT)


NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.INTEGER})

_KINDS = {
    "boolean": FieldKind.BOOLEAN,
    "int": FieldKind.INTEGER,
    "long": FieldKind.INTEGER,
    "double": FieldKind.NUMBER,
    "currency": FieldKind.NUMBER,
    "percent": FieldKind.NUMBER,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "time": FieldKind.TIME,
    "id": FieldKind.ID,
    "reference": FieldKind.ID,
}


MOST_CHARACTERS = 131_072
"""Of any text in the org, and of any value in Bulk API 2.0."""
MOST_ROW_CHARACTERS = 400_000
"""Of all values of a row in Bulk API 2.0: a longer one fails the ingest job with all its rows."""


class MappedColumn(Struct, frozen=True):
    """One field to send and where its values come from."""

    field: str
    """API name or relationship path, as it is sent: `Name`, `Account.ERP_Id__c`."""
    expression: str | None
    """SQL over the source's columns; None: the source column of the field's own name."""
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    """A row without it fails: the key of an upsert, the Id of an update or delete."""
    max_length: int | None = MOST_CHARACTERS
    """Characters that a text may have; None: a file, to which no limit of texts applies."""
    is_cut: bool = False
    """Whether a longer text is cut."""
    found_by: str | None = None
    """The Id of a record that is still to be found: its values are keys in this field."""
    is_list: bool = False
    """A multi-select picklist: a JSON list of texts is joined with `;`."""
    tells_case: bool | None = None
    """Of the key, one record of which is one row: whether `a1` and `A1` are two; None: no key."""
    id_prefix: str = ""
    """Of Ids of the records to write: how each begins, for another object's must not be written."""

    is_file: bool = False
    """Whether its values are paths of files, whose contents are sent."""

    finds_reference: bool = False
    """Whether its values say which other record is meant, whose Id is sent in their place."""

    @property
    def label(self) -> str:
        """The field that its values are meant for, for messages."""
        return self.found_by or self.field

    @property
    def as_sent(self) -> MappedColumn:
        """The same column once its records are found."""
        if not (self.found_by or self.finds_reference):
            return self
        return replace(self, kind=FieldKind.ID, found_by=None, finds_reference=False)

    @property
    def identifies(self) -> bool:
        """Whether its values find records: the row's own, or a parent."""
        return self.required or self.finds_reference or "." in self.field


TRIMMED_BY_THE_ORG = BLANKS
"""White space that Salesforce removes at both ends of a text when it saves it; no text is empty.

Source: Apex Developer Guide, Primitive Data Types, "Empty Strings and Trailing Whitespace". A
no-break space (U+00A0) is stored, as people have found out; the Data Loader strips the full-width
one (U+3000) from keys itself, because the org does not.
"""
