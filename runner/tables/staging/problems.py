"""Why a row cannot be sent, as SQL over staged rows.

Knows mappings and what a field accepts. Knows nothing of files or of who reads the rows.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import MOST_ROW_CHARACTERS, NUMBERS, FieldKind, MappedColumn
from runner.tables.sources.value_texts import NOT_FINITE
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import (
    EXPECTED,
    MOST_DIGITS,
    is_of_another_form,
    is_skipped,
    is_too_large,
)

if TYPE_CHECKING:
    from runner.tables.staging.mapping import ColumnMapping

MISFIT = "VALUE_DOES_NOT_FIT"
TOO_LONG = "STRING_TOO_LONG"
"""The org's own code: the reason is the same, on this machine or there."""
ROW_TOO_LONG = "ROW_TOO_LONG"
BLANK_KEY = "KEY_IS_BLANK"
UNCOMPUTABLE = "EXPRESSION_FAILED"
DUPLICATE_KEY = "DUPLICATE_KEY"
SUPERSEDED = "SUPERSEDED"
"""Of a row that does not fail: another one of the same key is sent in its place."""
NO_RECORD = "NO_RECORD"
RECORD_EXISTS = "RECORD_EXISTS"
NO_LOOKUP = "NO_LOOKUP"
"""Of a row that a lookup leaves out, because the record that it names does not exist."""
CHANGED_SINCE = "CHANGED_SINCE"
"""Of a row of an applied plan: its record has changed since the plan was made."""
LEFT_SCOPE = "LEFT_SCOPE"
"""Of a record that a mirror's source does not have, and that is no longer in its scope."""
NOT_MANAGED = "NOT_MANAGED"
"""Of a record that a mirror's source does not have, and that the mirror has not created."""
SKIPPED = (SUPERSEDED, NO_RECORD, RECORD_EXISTS, NO_LOOKUP, CHANGED_SINCE, LEFT_SCOPE, NOT_MANAGED)
"""Codes of rows that the job does not want to be sent."""
UNCHANGED = "UNCHANGED"
"""Code of a row whose record holds everything already."""

BETWEEN_PROBLEMS = "\x1e"
BETWEEN_MEMBERS = "\x1f"
"""A problem is code, field and message; a row may have several."""
NO_PROBLEM = "CAST(NULL AS VARCHAR)"
_SHOWN_CHARACTERS = 80
_KEY_OF_FORM = {
    FieldKind.NUMBER: "decimal",
    FieldKind.INTEGER: "decimal",
    FieldKind.DATE: "dates",
    FieldKind.DATETIME: "datetimes",
}
"""Which key of a source declares how it writes values of a kind."""
_NULL = literal(EXPLICIT_NULL)


class _Check(Struct, frozen=True):
    """One thing that may be wrong with a row."""

    may_fail: str
    """SQL that is true of every row that fails it, and of few others; fast."""
    problem: str
    """SQL of the problem; NULL if there is none."""


def problem_of(
    mappings: Sequence[ColumnMapping],
    *,
    has_null: bool,
    explains: bool,
    passed: Mapping[int, str] = MappingProxyType({}),
) -> str:
    """SQL of a row's problem, NULL if it has none.

    Args:
        mappings: How each cell is computed.
        has_null: Whether there is a character U+0000 anywhere in the rows.
        explains: Whether the text says what is wrong. If not, it is empty, rows that have no
            problem may have it, too, and it is computed and planned faster.
        passed: Columns that are sent as they are read, and SQL of whether a value may not be.
    """
    mapped = [mapping for mapping in mappings if mapping.index not in passed]
    checks = [_Check(reason, NO_PROBLEM) for reason in passed.values()]
    checks += [each for mapping in mapped for each in _checks(mapping, has_null=has_null)]
    checks += _row_check(mappings, passed)
    if not checks:
        return NO_PROBLEM
    if not explains:
        return f"CASE WHEN {' OR '.join(f'({each.may_fail})' for each in checks)} THEN '' END"
    found = ", ".join(each.problem for each in checks)
    return f"nullif(concat_ws({literal(BETWEEN_PROBLEMS)}, {found}), '')"


def _checks(mapping: ColumnMapping, *, has_null: bool) -> Iterator[_Check]:
    column, index, text = mapping.column, mapping.index, f"__t{mapping.index}"
    if mapping.computed and not mapping.is_volatile:
        expression = " ".join((column.expression or "").split())
        message = literal(f"{column.label}: the expression `{expression}` fails for this row")
        yield _check(column.label, f"__e{index} IS NULL", UNCOMPUTABLE, message)
    for place in mapping.with_nan:
        message = literal(f"{label_of(column)}: the expression uses '")
        why = literal("', which is not a number; `nulls` in `from` can make it a blank")
        not_finite = f"s{place} IN ({', '.join(map(literal, NOT_FINITE))})"
        yield _check(column.label, not_finite, MISFIT, f"{message} || s{place} || {why}")
    if column.kind is not FieldKind.TEXT or mapping.format:
        before, after = literal(f"{label_of(column)}: '"), _why_not(mapping)
        misfit = f"m{index} IS NULL AND {text} IS NOT NULL"
        message = f"{before} || {shown(text)} || {after}"
        yield _check(column.label, misfit, MISFIT, message)
    if column.id_prefix:  # the org does not compare: a delete over REST takes any Ids
        other = f"NOT starts_with(m{index}, {literal(column.id_prefix)})"
        before = literal(f"{label_of(column)}: '")
        after = literal(f"' is another object's Id; this one's begin with {column.id_prefix}")
        yield _check(column.label, other, MISFIT, f"{before} || m{index} || {after}")
    if mapping.is_too_long and not column.is_cut:
        before = literal(f"{label_of(column)}: data value too large: ")
        after = literal(f" (max length={column.max_length})")
        message = f"{before} || {shown(f'm{index}')} || {after}"
        in_bytes = f"strlen(m{index}) > {column.max_length}"
        yield _check(column.label, mapping.is_too_long, TOO_LONG, message, may_fail=in_bytes)
    if column.kind is FieldKind.TEXT and has_null:
        message = literal(f"{label_of(column)}: contains the character U+0000, which no org stores")
        yield _check(column.label, f"contains({text}, chr(0))", MISFIT, message)
    if column.required:
        empty = f"coalesce({text}, '') IN ('', {_NULL})"
        message = literal(f"{column.label}: blank, so the row does not identify a record")
        yield _check(column.label, empty, BLANK_KEY, message)


def _row_check(mappings: Sequence[ColumnMapping], passed: Container[int]) -> list[_Check]:
    """Rows that are too long for Bulk; none if the fields are too short for that."""
    # Who computes a text without DuckDB makes sure that its row is not too long.
    texts = [
        each
        for each in mappings
        if each.column.kind is FieldKind.TEXT and not (each.index in passed and each.source is None)
    ]
    if not texts or not may_be_too_long(mappings):
        return []

    def total(of: str) -> str:
        return " + ".join(f"coalesce({of}({mapping.value(passed)}), 0)" for mapping in texts)

    in_bytes = f"{total('strlen')} > {MOST_ROW_CHARACTERS}"
    is_too_long = f"{in_bytes} AND {total('length')} > {MOST_ROW_CHARACTERS}"
    most = f" characters; a row may have {MOST_ROW_CHARACTERS:,}"
    message = f"'the row has ' || format('{{:,}}', {total('length')}) || {literal(most)}"
    return [_check("", is_too_long, ROW_TOO_LONG, message, may_fail=in_bytes)]


def may_be_too_long(mappings: Sequence[ColumnMapping]) -> bool:
    """Whether rows of texts that fit their fields may be too long for Bulk."""
    texts = [mapping.column for mapping in mappings if mapping.column.kind is FieldKind.TEXT]
    longest = [column.max_length for column in texts]
    return None not in longest and sum(filter(None, longest)) > MOST_ROW_CHARACTERS


def shown(text: str) -> str:
    """SQL of a text as messages show it."""
    return (
        f"CASE WHEN length({text}) > {_SHOWN_CHARACTERS}"
        f" THEN left({text}, {_SHOWN_CHARACTERS}) || '…' ELSE {text} END"
    )


def label_of(column: MappedColumn) -> str:
    """The field, and the expression that fills it unless that is a column of its name."""
    shown = " ".join((column.expression or "").split())
    if shown.lower() in {"", column.label.lower()}:
        return column.label
    return f"{column.label} (`{shown if len(shown) <= _SHOWN_CHARACTERS else '…'}`)"


def _why_not(mapping: ColumnMapping) -> str:
    """SQL of what is wrong with a value, to follow the value."""
    kind, text = mapping.column.kind, f"__{'c' if mapping.format else 't'}{mapping.index}"
    cases = ""
    if kind in NUMBERS:
        said = literal(f"' has more than {MOST_DIGITS} digits before the decimal point")
        cases += f" WHEN {is_too_large(text)} THEN {said}"
    if kind is FieldKind.DATETIME:
        offset = literal("' does not exist in {}: clocks skip it; write the offset, such as +02:00")
        said = f"replace({offset}, '{{}}', current_setting('TimeZone'))"
        cases += f" WHEN {is_skipped(text)} THEN {said}"
    after = f"' is not {_expected(mapping)}"
    other = is_of_another_form(kind, text)
    if other and mapping.format is None and mapping.source is not None:
        key = _KEY_OF_FORM[kind]
        how = f"; declare this form with `{key}` in `from`, or convert it in `fields`"
        cases += f" WHEN {other} THEN {literal(after + how)}"
    return f"CASE{cases} ELSE {literal(after)} END" if cases else literal(after)


def _expected(mapping: ColumnMapping) -> str:
    return mapping.format.example if mapping.format else EXPECTED[mapping.column.kind]


def problem(field: str, code: str, message: str) -> str:
    """SQL of one problem of a row; the message is SQL, too."""
    return f"{literal(f'{code}{BETWEEN_MEMBERS}{field}{BETWEEN_MEMBERS}')} || {message}"


def _check(
    field: str, condition: str, code: str, message: str, *, may_fail: str | None = None
) -> _Check:
    found = f"CASE WHEN {condition} THEN {problem(field, code, message)} END"
    return _Check(may_fail or condition, found)
