"""Finds what violates a shipped schema in a document. The only importer of jsonschema.

If a schema allows alternatives, only the problems of the one that the author meant are reported.
Knows nothing of files or of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError
from msgspec.structs import replace

from runner.diagnostics import Diagnostic
from runner.job.origin import Origin
from runner.job.schema.files import Schema, matches, schema_of
from runner.job.schema.messages import Violation, diagnose

MAX_PROBLEMS = 1_000
"""Problems after which the search stops, so that no file takes minutes."""


def _pattern(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """Match as `is_valid` does."""
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError("the text does not match")


_Validator: type[Draft202012Validator] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)


def validate(
    values: object, origin: Origin, schema: str, *, definition: str | None = None
) -> list[Diagnostic]:
    """Find every violation of a schema, or of one of its definitions."""
    root = schema_of(schema)
    validator = _validator(schema, definition)
    violations = _violations(validator.iter_errors(values), root)
    problems = (found for each in violations for found in diagnose(each, root, origin, schema))
    return list(islice(problems, MAX_PROBLEMS))


@cache
def _validator(name: str, definition: str | None) -> Draft202012Validator:
    root = schema_of(name)
    if definition is None:
        return _Validator(root)
    part = {"$schema": root["$schema"], "$defs": root["$defs"], "$ref": f"#/$defs/{definition}"}
    return _Validator(part)


def _violations(errors: Iterable[ValidationError], root: Schema) -> Iterator[Violation]:
    for error in errors:
        if error.validator == "anyOf":
            yield from _of_branch(error, root)
        else:
            yield _violation(error)


def _violation(error: ValidationError) -> Violation:
    schema = error.schema if isinstance(error.schema, dict) else {}
    return Violation(
        tuple(error.absolute_path), str(error.validator), error.validator_value, error.instance,
        schema,
    )  # fmt: skip


def _of_branch(error: ValidationError, root: Schema) -> Iterator[Violation]:
    """Violations of the branch that was meant; of the type, if no branch allows it."""
    options: list[Schema] = error.schema["anyOf"] if isinstance(error.schema, dict) else []
    branches = [_resolved(branch, root) for branch in options]
    fitting = [index for index, branch in enumerate(branches) if _takes(error.instance, branch)]
    if not fitting:
        # Branches of mappings come first for the sake of editors; text is the simplest to name.
        types = dict.fromkeys(branch["type"] for branch in branches)
        ordered = sorted(types, key=lambda name: name == "object")
        yield replace(_violation(error), keyword="type", expected=ordered)
        return
    meant = max(fitting, key=lambda index: _likeness(error.instance, branches[index]))
    context = error.context or []
    yield from _violations((each for each in context if each.schema_path[0] == meant), root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a reference into `$defs`."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Schema = root["$defs"][reference.removeprefix("#/$defs/")]
    return found


def _takes(instance: object, branch: Schema) -> bool:
    kind = branch.get("type")
    return kind is None or bool(Draft202012Validator.TYPE_CHECKER.is_type(instance, kind))


def _likeness(instance: object, branch: Schema) -> int:
    """How many keys a mapping shares with a branch, the required ones twice; the first wins."""
    if not isinstance(instance, dict):
        return 0
    required = instance.keys() & set(branch.get("required", ()))
    return len(instance.keys() & branch.get("properties", {}).keys()) + len(required)
