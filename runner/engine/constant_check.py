"""Constants that a job writes and that their fields do not take; fields that it must fill.

Knows expressions that are nothing but a text. Knows nothing of values in sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity
from runner.errors import OrgError, TransientError
from runner.job.endpoints import EXPLICIT_NULL
from runner.job.model import Job, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import ColumnError, FieldDescribe
from runner.suggest import did_you_mean, in_words
from runner.tables.field_types import FieldKind
from runner.tables.staging.canonical_values import EXPECTED, is_of_kind

_TEXT = re.compile(r"\s*'(?P<text>(?:[^']|'')*)'\s*")
_OF_LENGTH = frozenset({"string", "textarea", "url", "phone", "email", "encryptedstring"})


def constant_problems(job: Job, task: WriteTask, describes: Describes) -> Iterator[Diagnostic]:
    """Constants of `fields` that their field does not take, and required fields without a value.

    Raises:
        TransientError: The org could not be asked.
    """
    for mapping in task.fields or ():
        found = _TEXT.fullmatch(mapping.expression) if mapping.lookup is None else None
        field = _field(task.sobject, mapping.field, describes) if found else None
        text = found["text"].replace("''", "'") if found else ""
        if field is None or not text.strip() or text == EXPLICIT_NULL:
            continue
        for message, hint in _misfits(text, field, may_be_cut=task.truncate):
            path = ("tasks", task.index, "fields", mapping.field)
            yield job.origin.diagnose(path, "org/wrong-value", message, help=hint)
    if task.verb is Verb.CREATE and task.fields is not None:
        yield from _unfilled(job, task, describes)


def _misfits(
    text: str, field: FieldDescribe, *, may_be_cut: bool
) -> Iterator[tuple[str, str | None]]:
    kind = FieldKind.of(field.type)
    if field.choices:
        known = {each.lower() for each in field.choices}
        values = text.split(";") if field.type == "multipicklist" else [text]
        for value in (each for each in values if each.strip() and each.lower() not in known):
            hint = did_you_mean(value, field.choices, f"It has {in_words(field.choices, 'and')}.")
            yield f"{value!r} is not a value of the picklist {field.name}", hint
    elif not is_of_kind(kind, text):
        yield (
            f"{field.name} is of type {field.type}, and {text!r} is not",
            f"Write {EXPECTED[kind]}.",
        )
    elif (
        field.type in _OF_LENGTH
        and not (field.html_formatted or may_be_cut)
        and 0 < field.length < len(text.strip())
    ):
        message = f"{field.name} takes {field.length:,} characters, and the text has {len(text):,}"
        yield message, "Shorten it, or write `truncate: true` to have it cut."


def _unfilled(job: Job, task: WriteTask, describes: Describes) -> Iterator[Diagnostic]:
    """Required fields that a create does not fill."""
    fields = [_resolved(task.sobject, each.field, describes) for each in task.fields or ()]
    if None in fields:
        return  # which is a problem already
    filled = {name for each in fields if each for name in (each.name, each.compound_field_name)}
    required = (each for each in describes.of(task.sobject).fields.values() if each.required)
    for field in required:
        if field.name not in filled:
            yield job.origin.diagnose(
                ("tasks", task.index, task.verb.value),
                "org/required-field",
                f"{field.name} of {task.sobject} is required, and the task does not fill it",
                help="Add it to `fields`, unless the org itself fills it before it saves a record.",
                severity=Severity.WARNING,
            )


def _field(sobject: str, column: str, describes: Describes) -> FieldDescribe | None:
    """The object's own field of a column, if there is one."""
    return _resolved(sobject, column, describes, own=True)


def _resolved(
    sobject: str, column: str, describes: Describes, *, own: bool = False
) -> FieldDescribe | None:
    try:
        resolved = describes.resolve(sobject, column)
    except TransientError:
        raise
    except (OrgError, ColumnError):
        return None
    return None if own and resolved.parent_field else resolved.field
