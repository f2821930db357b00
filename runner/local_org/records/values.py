"""One field's value in its forms: stored, in JSON, read from Bulk's CSV, as a key to compare.

Knows types and lengths. Knows nothing of records or of other fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from runner.local_org import exact_numbers
from runner.local_org.blobs import Blob
from runner.local_org.catalog.model import Field
from runner.local_org.ids import normalise
from runner.local_org.records import refusals
from runner.local_org.records.number_values import csv_double_reader, double_reader, int_reader
from runner.local_org.records.stored import Reader, Stored
from runner.local_org.records.time_values import (
    date_reader,
    read_datetime,
    time_reader,
)
from runner.local_org.records.value_errors import RefusedError, UnreadableError
from runner.local_org.store import folds

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]{2,}"
)
TRIMMED = " \t\n\r\f\v"
"""No text has this white space at its ends (Apex guide, Primitive Data Types); others it may."""
_TRUE = frozenset({"true", "1", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})
_NUMBERS = frozenset({"double", "currency", "percent"})


def to_json(field: Field, stored: Stored) -> object:
    """The JSON form: `true`, `100.0`, `2011-07-07T00:37:00.000+0000`."""
    convert = json_writer(field)
    return stored if convert is None or stored is None else convert(stored)


def json_writer(field: Field) -> Callable[[Stored], object] | None:
    """Converts a stored value that is not null to JSON; None if both are the same."""
    if field.type == "boolean":
        return bool
    if field.type in _NUMBERS:
        return exact_numbers.marked
    return _datetime_to_json if field.type == "datetime" else None


def _datetime_to_json(stored: Stored) -> str:
    return f"{str(stored)[:-1]}+0000"


def json_reader(field: Field) -> Reader:
    """The reader of a field's JSON values.

    It raises `UnreadableError` for a value of the wrong type, and `RefusedError` for one that the
    field refuses.
    """
    read = _READERS.get(field.type, _text_reader)(field)

    def read_json(value: object) -> Stored:
        if value is None:
            return null(field)
        return read(value)

    return read_json


def csv_reader(field: Field) -> Reader:
    """Like `json_reader`, of CSV texts that are neither empty nor `#N/A`."""
    if field.type == "boolean":
        return _csv_boolean
    if field.type == "datetime":
        return read_datetime
    if field.type in _NUMBERS:
        return csv_double_reader(field)
    if is_plain_text(field):
        return _csv_text_reader(field)
    return _READERS.get(field.type, _text_reader)(field)


def is_plain_text(field: Field) -> bool:
    """Whether a field takes any text that is not too long."""
    return field.type not in _READERS


def null(field: Field) -> Stored:
    """The value of a null; raises RefusedError if the field has none."""
    if field.type == "boolean":
        raise RefusedError(refusals.not_of_required_type(field))
    return None


def _boolean_reader(_field: Field) -> Reader:
    def read(value: object) -> Stored:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return int(value.lower() == "true")
        raise UnreadableError

    return read


def _csv_boolean(value: object) -> Stored:
    text = str(value).lower()
    if text in _TRUE:
        return 1
    if text in _FALSE:
        return 0
    raise UnreadableError


def _text(value: object) -> str:
    if isinstance(value, str):
        return exact_numbers.unmarked(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise UnreadableError


def _text_reader(field: Field) -> Reader:
    length = field.length or math.inf
    trimmed = "" if field.html_formatted else TRIMMED

    def read(value: object) -> Stored:
        text = _text(value).strip(trimmed)
        if len(text) > length:
            raise RefusedError(refusals.too_long(field, text))
        return text or None

    return read


def _csv_text_reader(field: Field) -> Reader:
    """The same, faster for what is text already."""
    read_any = _text_reader(field)
    length = field.length or math.inf
    trimmed = "" if field.html_formatted else TRIMMED

    def read(value: object) -> Stored:
        if not isinstance(value, str):
            return read_any(value)
        text = value.strip(trimmed)
        if len(text) > length:
            raise RefusedError(refusals.too_long(field, text))
        return text or None

    return read


def _email_reader(field: Field) -> Reader:
    read_text = _text_reader(field)

    def read(value: object) -> Stored:
        text = read_text(value)
        if text is not None and _EMAIL.fullmatch(str(text)) is None:
            raise RefusedError(refusals.bad_email(field, str(text)))
        return text

    return read


def _picklist_reader(field: Field) -> Reader:
    read_text = _text_reader(field)
    if not field.restricted_picklist or not field.picklist:
        return read_text
    allowed = frozenset(entry.value for entry in field.picklist if entry.active)
    several = field.type == "multipicklist"

    def read(value: object) -> Stored:
        text = read_text(value)
        if text is None:
            return None
        for part in filter(None, str(text).split(";")) if several else (str(text),):
            if part not in allowed:
                raise RefusedError(refusals.bad_picklist_value(field, part))
        return text

    return read


def _multipicklist_reader(field: Field) -> Reader:
    """The selected values are a set, in the order of the picklist, whatever that of the row."""
    read_picklist = _picklist_reader(field)
    places = {entry.value: place for place, entry in enumerate(field.picklist)}

    def read(value: object) -> Stored:
        text = read_picklist(value)
        if text is None or ";" not in str(text):
            return text
        parts = filter(None, dict.fromkeys(str(text).split(";")))
        return ";".join(sorted(parts, key=lambda part: places.get(part, len(places)))) or None

    return read


def _reference_reader(field: Field) -> Reader:
    def read(value: object) -> Stored:
        if value == "":
            return None
        full = normalise(value)
        if full is None:
            raise RefusedError(refusals.id_of_wrong_type(field, value))
        return full

    return read


def _blob_reader(_field: Field) -> Reader:
    def read(value: object) -> Stored:
        if not isinstance(value, Blob):
            raise UnreadableError
        return value.stored

    return read


_READERS: Mapping[str, Callable[[Field], Reader]] = {
    "boolean": _boolean_reader,
    "int": int_reader,
    "long": int_reader,
    "double": double_reader,
    "currency": double_reader,
    "percent": double_reader,
    "date": date_reader,
    "datetime": lambda _field: read_datetime,
    "time": time_reader,
    "email": _email_reader,
    "picklist": _picklist_reader,
    "multipicklist": _multipicklist_reader,
    "reference": _reference_reader,
    "id": _reference_reader,
    "base64": _blob_reader,
}


def comparable(field: Field, stored: Stored) -> Stored:
    """The form in which equal values of a field are equal, as in `key_expression`."""
    return comparables(field, (stored,))[0]


def comparables(field: Field, stored: Iterable[Stored]) -> list[Stored]:
    """The same of several values."""
    if not folds(field):
        return list(stored)
    return [each.casefold() if isinstance(each, str) else each for each in stored]
