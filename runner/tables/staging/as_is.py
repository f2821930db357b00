"""Which values are sent as they are read, so that a row with only such values need not be mapped.

Decides a chunk at a time, by what is fast: a value that is not surely as it is sent is mapped like
all values of its chunk. Knows mappings and canonical text. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.job.choices import Blank
from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import MOST_ROW_CHARACTERS, FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import DIGITS, trimmed
from runner.tables.staging.problems import may_be_too_long

if TYPE_CHECKING:
    from runner.tables.staging.as_is_bytes import Asked, Look
    from runner.tables.staging.mapping import ColumnMapping

_MONTH = "[1-9][0-9]{3}-(0[1-9]|1[0-2])-"
_EVERY_MONTH, _SOME_MONTHS = "(0[1-9]|1[0-9]|2[0-8])", "(29|30|31)"
"""Days; whether the month has the late ones is left to those who know the calendar."""
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
CANONICAL_TEXT = {
    FieldKind.INTEGER: DIGITS,
    FieldKind.NUMBER: rf"{DIGITS}(\.[0-9]+)?",
    FieldKind.DATETIME: f"{_MONTH}{_EVERY_MONTH}T{_TIME}",
    FieldKind.TIME: _TIME,
    FieldKind.ID: "[0-9A-Za-z]{15}([0-9A-Za-z]{3})?",
}
"""Canonical text of a kind."""
PREFIX_SIGNS = 3
"""How long the beginning of an Id is that names its object."""
HASHED = {FieldKind.TEXT, FieldKind.ID}
"""Kinds whose keys are the same if their bytes are, or letters of ASCII in another case."""
_LATE_MOMENT = f"{_MONTH}{_SOME_MONTHS}T{_TIME}"


def may_change(mapping: ColumnMapping, blank: Blank, *, is_only: bool) -> str | None:
    """SQL of whether a value is perhaps sent otherwise than it is read, or not at all.

    Args:
        mapping: Of a column; no value contains CR or U+0000.
        blank: What an empty value does to its field.
        is_only: Whether a record has no other cell.

    Returns:
        None if every value may be.
    """
    column = mapping.column
    if mapping.source is None or mapping.format or mapping.is_reference or column.is_list:
        return None
    if column.kind is FieldKind.TEXT and column.field == "Id":
        return None
    return " OR ".join(_reasons(mapping, blank, is_only=is_only))


def look_in_bytes(mappings: Sequence[ColumnMapping], blank: Blank, *, hashes: bool = False) -> Look:
    """What bytes alone show to be sent as it is read, in rows of only and all of these columns.

    Args:
        mappings: Of the columns.
        blank: What an empty value does to its field.
        hashes: Whether hashes of the keys are wanted; if not, keys are to be looked at closer.
    """
    from runner.tables.staging.as_is_bytes import Look

    shown = [
        each
        for each in mappings
        if shows_in_bytes(each, blank)
        and (each.column.tells_case is None or (hashes and each.column.kind in HASHED))
    ]
    kinds = {each.index: each.column.kind for each in shown}
    longest = {each.index: each.column.max_length for each in shown}
    known = {at: most for at, most in longest.items() if most is not None}
    asked = {each.index: asked_of(each, blank) for each in shown}
    return Look(len(mappings), kinds, known, longest_record(mappings), asked=asked)


def longest_record(mappings: Sequence[ColumnMapping]) -> int | None:
    """How many bytes a record may surely have for Bulk; None if none is too long."""
    return MOST_ROW_CHARACTERS if may_be_too_long(mappings) else None


def shows_in_bytes(mapping: ColumnMapping, blank: Blank) -> bool:
    """Whether bytes tell that a value is sent as it is read, in rows of several columns."""
    column = mapping.column
    if column.kind is FieldKind.JSON or len(column.id_prefix) not in {0, PREFIX_SIGNS}:
        return False
    return may_change(mapping, blank, is_only=False) is not None


def asked_of(mapping: ColumnMapping, blank: Blank) -> Asked:
    """What a value's bytes must satisfy, besides its kind, to be sent as they were read."""
    from runner.tables.staging.as_is_bytes import Asked

    column = mapping.column
    return Asked(
        is_filled=column.required or (blank is Blank.CLEAR and column.field != "Id"),
        is_trimmed=column.identifies and column.kind is FieldKind.TEXT,
        prefix=column.id_prefix,
        is_key=column.tells_case is not None,
        tells_case=bool(column.tells_case),
    )


def _reasons(mapping: ColumnMapping, blank: Blank, *, is_only: bool) -> Iterator[str]:
    column, value = mapping.column, f"s{mapping.source}"
    if column.required or is_only or (blank is Blank.CLEAR and column.field != "Id"):
        yield f"{value} IS NULL"
    if column.kind is FieldKind.TEXT:
        if column.identifies:
            yield f"NOT ({value} >= '!' AND {value}[-1] >= '!')"
        else:
            yield f"({value} < '!' AND {trimmed(value)} = '')"
        if column.required:
            yield f"{value} = {literal(EXPLICIT_NULL)}"
        if column.max_length is not None:
            yield f"strlen({value}) > {column.max_length}"
    elif column.kind is FieldKind.BOOLEAN:
        yield f"NOT ({value} = 'true' OR {value} = 'false')"
    else:
        yield f"NOT {_is_canonical(column.kind, value)}"
    if column.id_prefix:
        yield f"NOT starts_with({value}, {literal(column.id_prefix)})"


def _is_canonical(kind: FieldKind, value: str) -> str:
    if kind is FieldKind.DATE:
        written = f"CAST(try_cast({value} AS DATE) AS VARCHAR)"
        return f"(strlen({value}) = 10 AND {written} IS NOT DISTINCT FROM {value})"
    surely = _matches(value, CANONICAL_TEXT[kind])
    if kind is not FieldKind.DATETIME:
        return surely
    is_read = f"try_cast({value} AS TIMESTAMPTZ) IS NOT NULL"
    return f"({surely} OR ({_matches(value, _LATE_MOMENT)} AND {is_read}))"


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {literal(pattern)})"
