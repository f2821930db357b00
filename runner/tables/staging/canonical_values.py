"""How texts become the canonical texts of a field's kind, in SQL.

Each function takes the SQL of a text and gives the SQL of another text, NULL where the value does
not fit. What is canonical is the same for REST and Bulk:

    boolean   true, false
    integer   digits
    number    digits and a point, every digit kept, no exponent
    date      YYYY-MM-DD, never moved by a zone
    datetime  YYYY-MM-DDTHH:MM:SS.mmmZ; without a zone, the connection's TimeZone is meant
    time      HH:MM:SS.mmmZ
    id        15 or 18 letters and digits
    text      as it stands, line ends made LF

Knows nothing of tables or columns.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.tables.field_types import EXPLICIT_NULL, FieldKind
from runner.tables.sql import literal

_PLAIN = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
_DIGITS = "-?(0|[1-9][0-9]*)"
_WHOLE = r"-?[0-9]+(\.0*)?"
_NUMERIC = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_TIME_OF_DAY = "([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_TIME_OF_DAY}(:[0-5][0-9](\.[0-9]+)?)?"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = r" ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)"
_MIDNIGHT = rf"[T ]00:00(:00(\.0+)?)?({_ZONE})?"
_DAY = f"{_DATE}({_MIDNIGHT})?"
_MOMENT = f"{_DATE}([T ]{_TIME}({_ZONE})?)?"
_CANONICAL_MOMENT = rf"{_DATE}T{_TIME_OF_DAY}:[0-5][0-9]\.[0-9]{{3}}Z"

EXPECTED = {
    FieldKind.TEXT: "text",
    FieldKind.BOOLEAN: "true or false (also 1/0, yes/no, t/f, y/n)",
    FieldKind.INTEGER: "a whole number such as 42",
    FieldKind.NUMBER: "a number such as 1234.56",
    FieldKind.DATE: "a date such as 2026-01-31",
    FieldKind.DATETIME: "a date and time such as 2026-01-31T08:00:00Z",
    FieldKind.TIME: "a time such as 08:00:00",
    FieldKind.ID: "a record Id of 15 or 18 letters and digits",
}
"""What to write, for messages."""


def canonical(kind: FieldKind, text: str) -> str:
    """Give the SQL of a value's canonical text; NULL for blank and for what does not fit."""
    if kind is FieldKind.TEXT:
        return _line_feeds(text)
    null = literal(EXPLICIT_NULL)
    return f"CASE WHEN {text} = {null} THEN {null} ELSE {_CANONICAL[kind](text)} END"


def filled(kind: FieldKind, text: str) -> str:
    """Give the SQL of the text to convert: NULL for blank, typed values without outer spaces."""
    return f"nullif({text}, '')" if kind is FieldKind.TEXT else f"nullif(trim({text}), '')"


def comparable(kind: FieldKind, text: str) -> str:
    """Give the SQL of a text that is equal for values the org holds to be equal, '' for none.

    The org may echo `912260031` as `9.12260031E8`, and a datetime in another spelling.
    """
    alike = _COMPARABLE[kind](text) if kind in _COMPARABLE else text
    return f"coalesce(nullif(coalesce({alike}, {text}), {literal(EXPLICIT_NULL)}), '')"


def _line_feeds(text: str) -> str:
    changed = rf"replace(replace({text}, chr(13) || chr(10), chr(10)), chr(13), chr(10))"
    return f"CASE WHEN contains({text}, chr(13)) THEN {changed} ELSE {text} END"


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _boolean(text: str) -> str:
    return (
        f"CASE WHEN {text} = 'true' OR {text} = 'false' THEN {text} ELSE"
        f" CASE lower({text}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"
        " WHEN '1' THEN 'true' WHEN '0' THEN 'false' WHEN 'yes' THEN 'true' WHEN 'no' THEN 'false'"
        " WHEN 't' THEN 'true' WHEN 'f' THEN 'false' WHEN 'y' THEN 'true' WHEN 'n' THEN 'false'"
        " END END"
    )


def _number(text: str) -> str:
    return (
        f"CASE WHEN {_matches(text, _PLAIN)} THEN {text}"
        f" WHEN {_matches(text, _NUMERIC)} THEN plain_number({text}) END"
    )


def _integer(text: str) -> str:
    plain = _number(text)
    return (
        f"CASE WHEN {_matches(text, _DIGITS)} THEN {text}"
        f" WHEN {_matches(plain, _WHOLE)} THEN split_part({plain}, '.', 1) END"
    )


def _date(text: str) -> str:
    day = f"left({text}, 10)"
    return (
        f"CASE WHEN {_matches(text, _DAY)}"
        f" THEN CASE WHEN try_cast({day} AS DATE) IS NOT NULL THEN {day} END END"
    )


def _datetime(text: str) -> str:
    moment = f"try_cast({text} AS TIMESTAMPTZ)"
    written = f"strftime(timezone('UTC', {moment}), '%Y-%m-%dT%H:%M:%S.%gZ')"
    return (
        f"CASE WHEN {_matches(text, _CANONICAL_MOMENT)}"
        f" THEN CASE WHEN {moment} IS NOT NULL THEN {text} END"
        f" WHEN {_matches(text, _MOMENT)} THEN {written} END"
    )


def _time(text: str) -> str:
    day_time = f"DATE '2000-01-01' + try_cast(rtrim({text}, 'Zz') AS TIME)"
    written = f"strftime({day_time}, '%H:%M:%S.%gZ')"
    return f"CASE WHEN {_matches(text, _TIME + '[Zz]?')} THEN {written} END"


def _id(text: str) -> str:
    return f"CASE WHEN {_matches(text, '[0-9A-Za-z]{15}([0-9A-Za-z]{3})?')} THEN {text} END"


_CANONICAL: dict[FieldKind, Callable[[str], str]] = {
    FieldKind.BOOLEAN: _boolean,
    FieldKind.INTEGER: _integer,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.DATETIME: _datetime,
    FieldKind.TIME: _time,
    FieldKind.ID: _id,
}

_COMPARABLE: dict[FieldKind, Callable[[str], str]] = {
    FieldKind.BOOLEAN: _boolean,
    FieldKind.INTEGER: lambda text: f"CAST(try_cast({text} AS DOUBLE) AS VARCHAR)",
    FieldKind.NUMBER: lambda text: f"CAST(try_cast({text} AS DOUBLE) AS VARCHAR)",
    FieldKind.DATE: _date,
    FieldKind.DATETIME: _datetime,
    FieldKind.TIME: _time,
    FieldKind.ID: lambda text: f"left({text}, 15)",
}

_MANTISSA = "regexp_extract(t, '^[+-]?([0-9.]+)', 1)"
_EXPONENT = "coalesce(try_cast(regexp_extract(t, '[eE]([+-]?[0-9]+)$', 1) AS INTEGER), 0)"
# Digits with the point put where it belongs: 12345 and 2 give 12.345
_POINT_PUT = (
    "CASE WHEN point <= 0 THEN '0.' || repeat('0', -point) || digits"
    " WHEN point >= strlen(digits) THEN digits || repeat('0', point - strlen(digits))"
    " ELSE left(digits, point) || '.' || substr(digits, point + 1) END"
)
_PLAIN_NUMBER = (
    "CASE WHEN left(t, 1) = '-' THEN '-' ELSE '' END ||"
    r" regexp_replace(point_put(number_digits(t), number_point(t)), '^0+([0-9])', '\1')"
)
MACROS = (
    f"CREATE MACRO number_digits(t) AS replace({_MANTISSA}, '.', '')",
    f"CREATE MACRO number_point(t) AS strlen(split_part({_MANTISSA}, '.', 1)) + {_EXPONENT}",
    f"CREATE MACRO point_put(digits, point) AS {_POINT_PUT}",
    f"CREATE MACRO plain_number(t) AS {_PLAIN_NUMBER}",
)
"""What a database must know before canonical SQL runs on it."""
