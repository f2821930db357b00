"""Rows that the org would certainly refuse, as SQL over the rows to send.

Where that is not certain a row is not refused here: validation rules, triggers and duplicate rules
speak only during a run. Knows values. Knows nothing of describes or how parents are found.

Sources: SOAP API Developer Guide, Core Data Types, StatusCode (the codes); the messages are those
that an org gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.equality import number
from runner.tables.staging.problems import problem, shown

REQUIRED_MISSING = "REQUIRED_FIELD_MISSING"
BAD_PICKLIST_VALUE = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
OUT_OF_RANGE = "NUMBER_OUTSIDE_VALID_RANGE"
UNKNOWN_PARENT_KEY = "INVALID_FIELD"
UNKNOWN_PARENT_ID = "INVALID_CROSS_REFERENCE_KEY"
SEVERAL_RECORDS = "DUPLICATE_EXTERNAL_ID"
NO_RECORD = "INVALID_CROSS_REFERENCE_KEY"
_NULL = literal(EXPLICIT_NULL)


class ParentRule(Struct, frozen=True):
    """The values of a field name records of another object."""

    sobject: str
    key: str
    """Field of that object; `Id` for a plain reference."""
    kind: FieldKind = FieldKind.TEXT
    tells_case: bool = False


class FieldRule(Struct, frozen=True):
    """What the org requires of a field."""

    field: str
    """As it is sent; a field that the task does not fill has no cell."""
    label: str = ""
    cell: str | None = None
    on_create: bool = False
    """Whether a new record needs it."""
    not_null: bool = False
    """Whether a record must not lose it."""
    choices: tuple[str, ...] = ()
    """All that a restricted picklist takes; case is not compared."""
    is_multiple: bool = False
    digits: int = 0
    """Digits before the decimal point; 0: not known."""
    parent: ParentRule | None = None


def missing_table(cell: str) -> str:
    """Name of the table with a cell's keys, in the form of `same_key`, that no parent has."""
    return f"missing_{cell}"


def refusal(rules: Sequence[FieldRule], *, is_new: str) -> str:
    """SQL of why the org would refuse a row, over its cells; NULL if it would not.

    Args:
        rules: Of the fields.
        is_new: SQL of whether the row creates a record.
    """
    found = [*_required(rules, is_new), *(each for rule in rules for each in _of_field(rule))]
    return f"coalesce({', '.join(found)})" if len(found) > 1 else "".join(found) or "NULL"


def _required(rules: Sequence[FieldRule], is_new: str) -> Iterator[str]:
    """All fields that a row lacks, in one message."""
    lacks = [(rule, _lacks(rule, is_new)) for rule in rules]
    named = [f"CASE WHEN {test} THEN {literal(rule.field)} END" for rule, test in lacks if test]
    if named:
        names = f"concat_ws(', ', {', '.join(named)})"
        message = f"'Required fields are missing: [' || {names} || ']'"
        yield f"CASE WHEN {names} != '' THEN {problem('', REQUIRED_MISSING, message)} END"


def _lacks(rule: FieldRule, is_new: str) -> str | None:
    if rule.cell is None:
        return is_new if rule.on_create else None
    tests = []
    if rule.on_create:
        tests.append(f"({is_new} AND coalesce({rule.cell} = {_NULL}, true))")
    if rule.not_null:
        tests.append(f"(NOT {is_new} AND coalesce({rule.cell} = {_NULL}, false))")
    return " OR ".join(tests) or None


def _of_field(rule: FieldRule) -> Iterator[str]:
    if rule.cell is None:
        return
    value = f"nullif({rule.cell}, {_NULL})"
    if rule.choices:
        listed = ", ".join(literal(each.lower()) for each in rule.choices)
        one = f"lower(trim({value}))"
        bad = f"{one} NOT IN ({listed})"
        if rule.is_multiple:
            parts = f"string_split({value}, ';')"
            trimmed = f"list_transform({parts}, lambda p: lower(trim(p)))"
            bad = f"len(list_filter({trimmed}, lambda p: p != '' AND p NOT IN ({listed}))) > 0"
        why = literal(f"{rule.label}: bad value for restricted picklist field: ")
        message = f"{why} || {shown(value)}"
        yield f"CASE WHEN {bad} THEN {problem(rule.field, BAD_PICKLIST_VALUE, message)} END"
    if rule.digits:
        too_large = f"abs({number(value)}) >= {number(literal(f'1e{rule.digits}'))}"
        why = literal(f"{rule.label}: value outside of valid range on numeric field: ")
        message = f"{why} || {value}"
        yield f"CASE WHEN {too_large} THEN {problem(rule.field, OUT_OF_RANGE, message)} END"
    if rule.parent is not None:
        yield _unknown_parent(rule.field, rule.cell, value, rule.parent)


def _unknown_parent(field: str, cell: str, value: str, parent: ParentRule) -> str:
    key = same_key(parent.kind, value, tells_case=parent.tells_case)
    absent = f"{key} IN (SELECT k FROM {missing_table(cell)})"
    if parent.key == "Id":
        message = f"{literal(f'{field}: no {parent.sobject} has the Id ')} || {value}"
        return f"CASE WHEN {absent} THEN {problem(field, UNKNOWN_PARENT_ID, message)} END"
    after = literal(f" not found for field {parent.key} in entity {parent.sobject}")
    message = f"'Foreign key external ID: ' || {shown(value)} || {after}"
    return f"CASE WHEN {absent} THEN {problem(field, UNKNOWN_PARENT_KEY, message)} END"
