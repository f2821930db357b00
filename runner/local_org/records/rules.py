"""The rules that an org file declares on whole records: validation rules and duplicate rules.

Knows conditions and equal fields. Knows nothing of single values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import DuplicateRule, Field, SObject, ValidationRule
from runner.local_org.records.lookups import Lookups
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import comparable

Test = Callable[[Stored], bool]
_BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "above": operator.gt,
    "at_least": operator.ge,
    "below": operator.lt,
    "at_most": operator.le,
}
_LENGTHS: dict[str, Callable[[int, int], bool]] = {"longer": operator.gt, "shorter": operator.lt}


class Rules:
    """The declared rules of one sObject."""

    def __init__(self, sobject: SObject, lookups: Lookups, *, alert: bool) -> None:
        self._sobject = sobject
        self._lookups = lookups
        self._validations = [
            (rule, [_tests(sobject, each) for each in rule.conditions])
            for rule in sobject.validation_rules
        ]
        self._duplicates = [rule for rule in sobject.duplicate_rules if rule.block or alert]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._validations or self._duplicates)

    def validate(self, drafts: Sequence[RowDraft]) -> None:
        """Refuse records that fail a validation rule."""
        if not self._validations:
            return
        for draft in drafts:
            if not draft.errors:
                draft.errors.extend(
                    _violation(rule)
                    for rule, conditions in self._validations
                    if any(_holds(tests, draft) for tests in conditions)
                )

    def find_duplicates(self, drafts: Sequence[RowDraft]) -> None:
        """Refuse records that equal another in all fields of a duplicate rule."""
        for rule in self._duplicates:
            fields = [field for name in rule.fields if (field := self._sobject.field(name))]
            for draft in drafts:
                if not draft.errors and _touched(draft, fields):
                    self._find_duplicates_of(draft, rule, fields)

    def _find_duplicates_of(
        self, draft: RowDraft, rule: DuplicateRule, fields: Sequence[Field]
    ) -> None:
        values = [comparable(field, draft.values.get(field.name)) for field in fields]
        if any(value is None for value in values):
            return
        matching: set[str] | None = None
        for field, value in zip(fields, values, strict=True):
            found = self._lookups.fresh_by_key(self._sobject, field, [value]).get(value, [])
            matching = set(found) if matching is None else matching & set(found)
        others = sorted((matching or set()) - {str(draft.id)})
        if others:
            draft.errors.append(_duplicates_detected(self._sobject, rule, others))


def _touched(draft: RowDraft, fields: Sequence[Field]) -> bool:
    """Whether a draft is new, or has changed a field that the rule compares."""
    before = draft.before
    return before is None or any(
        before.get(field.name) != draft.values.get(field.name) for field in fields
    )


def _holds(tests: Mapping[str, Test], draft: RowDraft) -> bool:
    return all(test(draft.values.get(name)) for name, test in tests.items())


def _tests(sobject: SObject, condition: Mapping[str, object]) -> dict[str, Test]:
    tests = {}
    for name, wanted in condition.items():
        field = sobject.field(name)
        if field is not None:
            test = _test(wanted)
            tests[field.name] = _of_number(test) if field.soap_type == "xsd:double" else test
    return tests


def _of_number(test: Test) -> Test:
    """Numbers with more digits than a double are stored as text; rules use the nearest double."""
    return lambda value: test(float(value) if isinstance(value, str) else value)


def _test(wanted: object) -> Test:
    """`null` means blank, a list any of its values; of a mapping all that it says must hold."""
    if isinstance(wanted, Mapping):
        tests = [_compared(str(word), operand) for word, operand in wanted.items()]
        return lambda value: all(test(value) for test in tests)
    if isinstance(wanted, list):
        choices = [_test(entry) for entry in wanted]
        return lambda value: any(test(value) for test in choices)
    return lambda value: value == wanted


def _compared(word: str, operand: object) -> Test:
    """One comparison; a blank number is neither above nor below, a blank text has no characters."""
    if word == "not":
        test = _test(operand)
        return lambda value: not test(value)
    if word in _BOUNDS and isinstance(operand, int | float):
        compare = _BOUNDS[word]
        return lambda value: isinstance(value, int | float) and compare(value, operand)
    if word in _LENGTHS and isinstance(operand, int):
        measure = _LENGTHS[word]
        return lambda value: measure(len(value) if isinstance(value, str) else 0, operand)
    return lambda _: False


def _violation(rule: ValidationRule) -> ApiError:
    return ApiError(
        "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, (rule.field,) if rule.field else ()
    )


def _duplicates_detected(
    sobject: SObject, rule: DuplicateRule, record_ids: Sequence[str]
) -> ApiError:
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": sobject.name}, "Id": record_id},
        }
        for record_id in record_ids
    ]
    match = {
        "entityType": sobject.name,
        "errors": [],
        "matchEngine": "ExactMatchEngine",
        "matchRecords": records,
        "rule": rule.name,
        "size": len(records),
        "success": True,
    }
    result = {
        "allowSave": not rule.block,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": sobject.name,
        "errorMessage": rule.message,
        "matchResults": [match],
    }
    return ApiError("DUPLICATES_DETECTED", rule.message, (), {"duplicateResult": result})
