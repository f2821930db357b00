"""One field's value in its forms: stored, in JSON, read from Bulk's CSV, as a key to compare.

Knows types, lengths and ranges. Knows nothing of records or of other fields, except compounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiError
from runner.local_org.blobs import Blob
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.ids import normalise
from runner.local_org.records import refusals
from runner.local_org.store import folds

Stored = str | int | float | None
Reader = Callable[[object], Stored]

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]{2,}"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?"
    r"(Z|[+-](?:0\d|1[0-3]):?[0-5]\d|[+-]14:?00)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?", re.ASCII)
_TRIMMED = " \t\n\r\f\v"
"""No text has this white space at its ends (Apex guide, Primitive Data Types); others it may."""
_TRUE = frozenset({"true", "1", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})
_EXACT_DIGITS = 15
"""A double holds every number of so many digits exactly as it is written."""
_FEW_DIGITS = 8
_NUMBERS = frozenset({"double", "currency", "percent"})
_AMPLE = Context(prec=400)
"""Enough precision for every double and its decimal places."""
_FIRST_YEAR, _LAST_YEAR = 1700, 4000


class UnreadableError(ValueError):
    """A value of the wrong type."""


class RefusedError(ValueError):
    """A value of the right type that the field refuses."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def stamp(moment: datetime) -> str:
    """A moment as stored; datetimes have whole seconds, as in Salesforce."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


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
            return _null(field)
        return read(value)

    return read_json


def csv_reader(field: Field) -> Reader:
    """Like `json_reader`, of CSV texts that are neither empty nor `#N/A`."""
    if field.type == "boolean":
        return _csv_boolean
    if field.type == "datetime":
        return _csv_datetime
    if field.type in _NUMBERS:
        return _csv_double_reader(field)
    if field.type not in _READERS:
        return _csv_text_reader(field)
    return _READERS.get(field.type, _text_reader)(field)


def null_text(field: Field) -> Stored:
    """The value of `#N/A`; raises RefusedError if the field has no null."""
    return _null(field)


def _null(field: Field) -> Stored:
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


def _int_reader(field: Field) -> Reader:
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


def _double_reader(field: Field) -> Reader:
    scale, precision = field.scale, field.precision
    bound = Decimal(10) ** (precision - scale) if precision else Decimal("Infinity")
    last, rounding = _last_place(field)

    def read(value: object) -> Stored:
        number = _number(value)
        if abs(number) >= bound:
            raise RefusedError(refusals.out_of_range(field, value))
        return exact_numbers.to_stored(number.quantize(last, rounding, _AMPLE))

    return read


def _last_place(field: Field) -> tuple[Decimal, str]:
    """The unit that a field's numbers are rounded to, and how."""
    rounding = ROUND_HALF_EVEN if field.type == "currency" else ROUND_HALF_UP
    return Decimal(1).scaleb(-field.scale), rounding


def _csv_double_reader(field: Field) -> Reader:
    """The numbers of few digits that nearly all are, without the steps that leave them as is."""
    read_any = _double_reader(field)
    whole = _EXACT_DIGITS - field.scale
    if field.precision:
        whole = min(whole, field.precision - field.scale)
    if whole < 1:
        return read_any
    decimals = rf"(?:\.\d{{1,{field.scale}}})?" if field.scale else ""
    is_short = re.compile(rf"-?\d{{1,{whole}}}{decimals}", re.ASCII).fullmatch
    few = rf"-?\d{{1,{min(whole, _FEW_DIGITS)}}}\.\d{{1,{_EXACT_DIGITS - _FEW_DIGITS}}}"
    is_rounded = re.compile(few, re.ASCII).fullmatch
    last, rounding = _last_place(field)

    def read(value: object) -> Stored:
        if isinstance(value, str):
            if is_short(value):
                return float(value)
            if is_rounded(value):
                return float(Decimal(value).quantize(last, rounding))
        return read_any(value)

    return read


def _date_reader(_field: Field) -> Reader:
    def read(value: object) -> Stored:
        if not isinstance(value, str) or _DATE.fullmatch(value) is None:
            raise UnreadableError
        return _checked_date(value)

    return read


def _checked_date(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UnreadableError from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise UnreadableError
    return text


def _datetime_reader(_field: Field) -> Reader:
    return _csv_datetime


def _csv_datetime(value: object) -> Stored:
    match = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UnreadableError
    day, clock, zone = match.groups()  # milliseconds are not stored
    if zone in (None, "Z"):
        _checked_date(day)
        _checked_clock(clock)
        return f"{day}T{clock}.000Z"
    return _shifted(day, clock, zone)


def _shifted(day: str, clock: str, zone: str) -> str:
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableError from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise UnreadableError
    return stamp(moment)


def _checked_clock(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise UnreadableError from None
    return text


def _time_reader(_field: Field) -> Reader:
    def read(value: object) -> Stored:
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise UnreadableError
        clock, fraction = match.groups()
        return f"{_checked_clock(clock)}.{(fraction or '')[:3].ljust(3, '0')}Z"

    return read


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
    trimmed = "" if field.html_formatted else _TRIMMED

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
    trimmed = "" if field.html_formatted else _TRIMMED

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
        for part in str(text).split(";") if several else (str(text),):
            if part not in allowed:
                raise RefusedError(refusals.bad_picklist_value(field, part))
        return text

    return read


def _multipicklist_reader(field: Field) -> Reader:
    """Selected values have the order of the picklist, whatever that of the row."""
    read_picklist = _picklist_reader(field)
    places = {entry.value: place for place, entry in enumerate(field.picklist)}

    def read(value: object) -> Stored:
        text = read_picklist(value)
        if text is None or ";" not in str(text):
            return text
        parts = str(text).split(";")
        return ";".join(sorted(parts, key=lambda part: places.get(part, len(places))))

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
    "int": _int_reader,
    "long": _int_reader,
    "double": _double_reader,
    "currency": _double_reader,
    "percent": _double_reader,
    "date": _date_reader,
    "datetime": _datetime_reader,
    "time": _time_reader,
    "email": _email_reader,
    "picklist": _picklist_reader,
    "multipicklist": _multipicklist_reader,
    "reference": _reference_reader,
    "id": _reference_reader,
    "base64": _blob_reader,
}


def comparable(field: Field, stored: Stored) -> Stored:
    """The form in which equal values of a field are equal, as in `key_expression`."""
    return stored.casefold() if isinstance(stored, str) and folds(field) else stored


def compound_parts(sobject: SObject, compound: Field) -> tuple[tuple[str, Field], ...]:
    """Members of an address or location with their fields, in the order of responses."""
    parts = [item for item in sobject.fields if item.compound_field_name == compound.name]
    return tuple(sorted((_member(compound, part), part) for part in parts))


def _member(compound: Field, part: Field) -> str:
    """`BillingPostalCode` of `BillingAddress` is `postalCode`; `Geo__Latitude__s` is `latitude`."""
    if compound.type == "location":
        return part.name.removesuffix("__s").rsplit("__", 1)[-1].lower()
    name = part.name.removeprefix(compound.name.removesuffix("Address"))
    return name[0].lower() + name[1:]


def compound_json(
    parts: tuple[tuple[str, Field], ...], stored: Callable[[str], Stored]
) -> dict[str, object] | None:
    """An address or location from its parts; None if all of them are null.

    `stored` returns the stored value of a field by name.
    """
    members: dict[str, object] = {name: to_json(part, stored(part.name)) for name, part in parts}
    return None if all(value is None for value in members.values()) else members
