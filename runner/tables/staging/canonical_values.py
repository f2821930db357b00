"""Values as they are sent: from a source's spelling to canonical text.

Most functions take the SQL of a text and give the SQL of another one, NULL if the value does not
fit. Canonical text is the same for REST and Bulk:

    boolean   true, false
    integer   digits
    number    digits and a point, every digit kept, no exponent
    date      YYYY-MM-DD, never shifted by a time zone
    datetime  YYYY-MM-DDTHH:MM:SS.mmmZ; without a zone, the connection's TimeZone applies: a local
              time that clocks skip does not fit, one that they show twice is the earlier
    time      HH:MM:SS.mmmZ
    id        15 or 18 letters and digits
    text      unchanged, but with LF line ends

A source may write numbers with another decimal mark, separators of thousands and signs around them,
and dates in a format of strptime. Knows nothing of tables or columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL, FileShape
from runner.tables.database import Database
from runner.tables.field_types import NUMBERS, TRIMMED_BY_THE_ORG, FieldKind
from runner.tables.sources.value_texts import NOT_FINITE, NUMBER_MACROS
from runner.tables.sql import literal, once, utc_text

MOST_DIGITS = 18
"""Before the decimal point, of any number field. Source: Salesforce Help, "Custom Field Types"."""
DIGITS = f"-?(0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}})"
_PLAIN = rf"{DIGITS}(\.[0-9]+)?"
_WHOLE = r"-?[0-9]+(\.0*)?"
_NUMERIC = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_TIME_OF_DAY = "([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_TIME_OF_DAY}(:[0-5][0-9](\.[0-9]+)?)?"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = r" ?([Zz]|UTC|[+-](0[0-9]|1[0-3])(:?[0-5][0-9])?|[+-]14(:?00)?)"
"""No place on earth is further than 14 hours from UTC, and XML Schema allows no more."""
_MIDNIGHT = rf"[T ]00:00(:00(\.0+)?)?({_ZONE})?"
_DAY = f"{_DATE}({_MIDNIGHT})?"
_MOMENT = f"{_DATE}([T ]{_TIME}({_ZONE})?)?"
_LOCAL = f"{_DATE}[T ]{_TIME}"
"""A time of day without a zone; a date alone is the first moment of its day."""
_UNICODE_SPACES = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_NULL = literal(EXPLICIT_NULL)
_NOT_FINITE = ", ".join(map(literal, NOT_FINITE))
_CANONICAL_MOMENT = rf"{_DATE}T{_TIME_OF_DAY}:[0-5][0-9]\.[0-9]{{3}}Z"

EXPECTED = {
    FieldKind.TEXT: "text",
    FieldKind.BOOLEAN: "true or false (also 1/0, yes/no, on/off, t/f, y/n)",
    FieldKind.INTEGER: "a whole number such as 42",
    FieldKind.NUMBER: "a number such as 1234.56",
    FieldKind.DATE: "a date such as 2026-01-31",
    FieldKind.DATETIME: "a date and time such as 2026-01-31T08:00:00Z",
    FieldKind.TIME: "a time such as 08:00:00",
    FieldKind.ID: "a record Id of 15 or 18 letters and digits",
}
"""What to write instead, for messages."""
YES = ("true", "1", "yes", "t", "y", "on", "1.0")
NO = ("false", "0", "no", "f", "n", "off", "0.0")
_LIKE = {" ": " \u00a0\u2009\u202f", "'": "'\u2019"}
"""Separators of thousands that are written in more than one way."""
_NAMED_ZONE = re.compile("%[zZ]")
_EXAMPLE = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)


class SourceFormat(Struct, frozen=True):
    """How a source writes values of one kind, where SQL would write them otherwise."""

    kind: FieldKind
    days: str | None = None
    """The strptime format of dates."""
    moments: str | None = None
    """The strptime format of dates with times; without either: numbers."""
    decimal: str = "."
    thousands: str = ""
    strip: str = ""
    """As of a `FileShape`."""
    is_float: bool = False
    """Texts that floating point numbers are written as."""
    is_list: bool = False
    """Texts, or JSON lists of texts, which are joined."""

    @property
    def example(self) -> str:
        """What to write instead, for messages."""
        if self.is_list:
            return "a list of texts without ;"
        if self.is_float:
            return "a number; `nulls` in `from` can make it a blank"
        first, second = self.days, self.moments
        if self.kind is FieldKind.DATETIME:
            first, second = second, first
        written = [_EXAMPLE.strftime(each) for each in (first, second) if each]
        if not written:
            return f"a number such as 1{self.thousands}234{self.decimal}56"
        return f"a date such as {' or '.join(written)}, nor {EXPECTED[self.kind]}"

    def sql(self, text: str) -> str:
        """Give the SQL of a text as SQL would write it; NULL if it does not fit."""
        return f"CASE WHEN {text} = {_NULL} THEN {_NULL} ELSE {self._plain(text)} END"

    def _plain(self, text: str) -> str:
        if self.is_list:
            return f"CASE WHEN {text}[1] = '[' THEN joined_list({text}) ELSE {text} END"
        if self.is_float:
            return f"CASE WHEN {text} NOT IN ({_NOT_FINITE}) THEN {text} END"
        day, moment = (
            each and f"try_strptime({text}, {literal(each)})" for each in (self.days, self.moments)
        )
        if not (day or moment):
            return self._plain_number(text)
        written = [f"strftime({day}, '%Y-%m-%d')"] if day else []
        written += [f"CAST({moment} AS VARCHAR)"] if moment else []
        # %Y reads `26` as the year 26.
        early = " OR ".join(f"year({each}) < 1000" for each in (day, moment) if each)
        return f"CASE WHEN {early} THEN NULL ELSE coalesce({', '.join(written)}, {text}) END"

    def _plain_number(self, text: str) -> str:
        groups = "[0-9]*"
        separators = _LIKE.get(self.thousands, self.thousands)
        if separators:
            # Groups of two are how India writes 12,34,567.
            between = f"[{re.escape(separators)}]"
            groups = f"[0-9]{{1,3}}(?:{between}[0-9]{{2,3}})*{between}[0-9]{{3}}|[0-9]*"
        digits = rf"(?:{groups})(?:{re.escape(self.decimal)}[0-9]*)?(?:[eE][+-]?[0-9]{{1,3}})?"
        around = f"[{re.escape(self.strip + _LIKE[' '])}]*" if self.strip else ""
        pattern = f"{around}([+-]?){around}({digits}){around}"
        bare = rf"regexp_replace({text}, {literal(f'^{pattern}$')}, '\1\2')"
        plain = (
            f"replace(translate({bare}, {literal(separators)}, ''), {literal(self.decimal)}, '.')"
        )
        return f"CASE WHEN {_matches(text, pattern)} THEN {plain} END"


def source_format(shape: FileShape, kind: FieldKind) -> SourceFormat | None:
    """Find how a source writes values of a kind; None: as SQL does.

    Both formats serve both kinds of field: a day is its first moment, a midnight is its day.
    """
    if kind in NUMBERS:
        thousands = "." if shape.thousands is None and shape.decimal == "," else shape.thousands
        if shape.decimal == "." and not thousands and not shape.strip:
            return None
        return SourceFormat(
            kind, decimal=shape.decimal, thousands=thousands or "", strip=shape.strip
        )
    if kind is FieldKind.TEXT and shape.has_nan:
        return SourceFormat(kind, is_float=True)
    moments = shape.datetimes
    if kind is FieldKind.DATE and moments and _NAMED_ZONE.search(moments):
        moments = None  # in another time zone it may be another day
    if kind in {FieldKind.DATE, FieldKind.DATETIME} and (shape.dates or moments):
        return SourceFormat(kind, shape.dates, moments)
    return None


def canonical(kind: FieldKind, text: str) -> str:
    """Give the SQL of a value's canonical text; NULL if it is blank or does not fit."""
    if kind is FieldKind.TEXT:
        return _line_feeds(text)
    # A checkbox has no null: one that is cleared is not checked.
    null = "'false'" if kind is FieldKind.BOOLEAN else _NULL
    return f"CASE WHEN {text} = {_NULL} THEN {null} ELSE {_CANONICAL[kind](text)} END"


def null_if_blank(kind: FieldKind, text: str, *, is_key: bool = False) -> str:
    """Give the SQL of a text to convert: NULL if blank.

    A text of nothing but white space that the org trims is blank, since the org would store null.
    A text is sent as it is, and the org trims it; a key is trimmed here, so that it equals what the
    org has stored. What is not text has no use for any space, Unicode's included.
    """
    if kind is not FieldKind.TEXT:
        plain = f"{text} >= '!' AND {text} < chr(127) AND {text}[-1] BETWEEN '!' AND '~'"
        spaces = literal(TRIMMED_BY_THE_ORG + _UNICODE_SPACES)
        return f"CASE WHEN {plain} THEN {text} ELSE nullif(trim({text}, {spaces}), '') END"
    if is_key:
        return f"nullif({as_stored(text)}, '')"
    # Trimming every text would take longer than anything else that is done to it.
    return f"CASE WHEN {text} >= '!' THEN {text} WHEN {trimmed(text)} <> '' THEN {text} END"


def trimmed(text: str) -> str:
    """Give the SQL of a text without the white space that the org trims."""
    return f"trim({text}, {literal(TRIMMED_BY_THE_ORG)})"


def as_stored(text: str) -> str:
    """Like `trimmed`, faster where most texts have nothing to trim."""
    plain = f"{text} >= '!' AND {text}[-1] >= '!'"
    return f"CASE WHEN {plain} THEN {text} ELSE {trimmed(text)} END"


def same_key(kind: FieldKind, key: str, *, tells_case: bool) -> str:
    """Give the SQL of a text that is the same for keys that the org takes for the same.

    Args:
        kind: What its values are.
        key: A canonical text.
        tells_case: Whether texts in other letter case are other keys.
    """
    if kind is FieldKind.TEXT:
        return as_stored(key) if tells_case else f"lower({as_stored(key)})"
    if kind is FieldKind.ID:  # some Ids of 15 characters look like numbers
        return comparable(kind, key)
    exact = f"CAST(try_cast({key} AS DECIMAL(38, 15)) AS VARCHAR)"
    return f"coalesce({exact}, {comparable(kind, key)})"


def comparable(kind: FieldKind, text: str) -> str:
    """Give the SQL of a text that is the same for values that are equal in the org; '' for null.

    The org may echo `912260031` as `9.12260031E8`, write a datetime differently, or trim a text.
    """
    same = _COMPARABLE[kind](text) if kind in _COMPARABLE else text
    return f"coalesce(nullif(coalesce({same}, {text}), {_NULL}), '')"


def _line_feeds(text: str) -> str:
    changed = rf"replace(replace({text}, chr(13) || chr(10), chr(10)), chr(13), chr(10))"
    return f"CASE WHEN contains({text}, chr(13)) THEN {changed} ELSE {text} END"


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _boolean(text: str) -> str:
    # The usual words first: to make a value lower takes longer than to compare it.
    usual = (
        f"WHEN {text} = 'true' OR {text} = 'false' THEN {text}"
        f" WHEN {text} IN ('yes', '1') THEN 'true' WHEN {text} IN ('no', '0') THEN 'false'"
    )
    yes, no = (", ".join(map(literal, words)) for words in (YES, NO))
    return (
        f"CASE {usual} WHEN lower({text}) IN ({yes}) THEN 'true'"
        f" WHEN lower({text}) IN ({no}) THEN 'false' END"
    )


def _number(text: str) -> str:
    fitting = f"CASE WHEN {_matches('__plain', _PLAIN)} THEN __plain END"
    plain = once(f"plain_number({text})", "__plain", fitting)
    return (
        f"CASE WHEN {_matches(text, _PLAIN)} THEN {text}"
        f" WHEN {_matches(text, _NUMERIC)} THEN {plain} END"
    )


def _integer(text: str) -> str:
    whole = f"CASE WHEN {_matches('__number', _WHOLE)} THEN split_part(__number, '.', 1) END"
    plain = once(_number(text), "__number", whole)
    return f"CASE WHEN {_matches(text, DIGITS)} THEN {text} ELSE {plain} END"


def _date(text: str) -> str:
    day = f"left({text}, 10)"
    return (
        f"CASE WHEN {_matches(text, _DAY)}"
        f" THEN CASE WHEN try_cast({day} AS DATE) IS NOT NULL THEN {day} END END"
    )


def _datetime(text: str) -> str:
    moment = f"try_cast(regexp_replace(upper({text}), ' (Z|[+-])', '\\1') AS TIMESTAMPTZ)"
    return (
        f"CASE WHEN {_matches(text, _CANONICAL_MOMENT)}"
        f" THEN CASE WHEN try_cast({text} AS TIMESTAMPTZ) IS NOT NULL THEN {text} END"
        f" WHEN {_matches(text, _LOCAL)} THEN {utc_text(f'local_moment({text})')}"
        f" WHEN {_matches(text, _MOMENT)} THEN {utc_text(moment)} END"
    )


def is_too_large(text: str) -> str:
    """Give the SQL of whether a text is a number with more digits than any field holds."""
    # Not by `plain_number`: DuckDB would then compute it for every row, and once.
    return f"{_matches(text, _NUMERIC)} AND abs(try_cast({text} AS DOUBLE)) >= 1e{MOST_DIGITS}"


def is_of_another_form(kind: FieldKind, text: str) -> str | None:
    """Give the SQL of whether a text that does not fit looks as if another country wrote it.

    `1.234,56`, `12 %` or `31/01/2026`; None for kinds that are written in one way only.
    """
    if kind in NUMBERS:
        return _matches(text, "[^0-9A-Za-z]{0,3}[0-9][^A-Za-z]*")
    if kind in {FieldKind.DATE, FieldKind.DATETIME}:
        return _matches(text, "([0-9]{1,2}[-./ ][0-9]{1,2}|[0-9]{4}[./ ][0-9]{1,2})[-./ ][0-9].*")
    return None


def is_skipped(text: str) -> str:
    """Give the SQL of whether a text that is no datetime would be one in another time zone."""
    return f"{_matches(text, _LOCAL)} AND try_cast({text} AS TIMESTAMP) IS NOT NULL"


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
    FieldKind.TEXT: as_stored,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.INTEGER: lambda text: f"CAST(try_cast({text} AS DOUBLE) AS VARCHAR)",
    FieldKind.NUMBER: lambda text: f"CAST(try_cast({text} AS DOUBLE) AS VARCHAR)",
    FieldKind.DATE: _date,
    FieldKind.DATETIME: _datetime,
    FieldKind.TIME: _time,
    FieldKind.ID: lambda text: f"left({text}, 15)",
}

_ZONED, _LOCAL_TIME = "try_cast(t AS TIMESTAMPTZ)", "try_cast(t AS TIMESTAMP)"
# ICU gives the second of two moments with the same local time, and moves one that is skipped.
_LOCAL_MOMENT = (
    f"CASE WHEN CAST({_ZONED} AS TIMESTAMP) <> {_LOCAL_TIME} THEN NULL"
    f" WHEN CAST({_ZONED} - INTERVAL 1 HOUR AS TIMESTAMP) = {_LOCAL_TIME}"
    f" THEN {_ZONED} - INTERVAL 1 HOUR"
    f" WHEN CAST({_ZONED} - INTERVAL 30 MINUTE AS TIMESTAMP) = {_LOCAL_TIME}"
    f" THEN {_ZONED} - INTERVAL 30 MINUTE ELSE {_ZONED} END"
)
_JOINED_LIST = (
    "CASE WHEN NOT json_valid(t) THEN t"
    " WHEN len(list_filter(from_json(t, '[\"JSON\"]'), lambda e:"
    " coalesce(json_type(e) NOT IN ('VARCHAR', 'UBIGINT', 'BIGINT', 'DOUBLE', 'BOOLEAN')"
    " OR contains(CAST(e AS VARCHAR), ';'), true))) > 0 THEN NULL"
    " ELSE array_to_string(from_json(t, '[\"VARCHAR\"]'), ';') END"
)
MACROS = (
    *NUMBER_MACROS,
    f"CREATE MACRO local_moment(t) AS {_LOCAL_MOMENT}",
    f"CREATE MACRO joined_list(t) AS {_JOINED_LIST}",
)
"""A database needs these before canonical SQL runs on it."""


def open_database(folder: Path) -> Database:
    """Open a database with these macros."""
    return Database(folder, statements=MACROS)
