"""Constants of a job that their fields cannot hold, and required fields that a create leaves out.

No row could be sent. Knows expressions without a column. Knows nothing of values in sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity
from runner.engine.column_wishes import Wish
from runner.engine.columns import mapped_column
from runner.errors import OrgError, TransientError
from runner.job.endpoints import EXPLICIT_NULL
from runner.job.lookups import is_word
from runner.job.model import FieldMapping, Job, Verb, WriteTask
from runner.salesforce.describe import Describes, ResolvedColumn
from runner.salesforce.described import ColumnError, FieldDescribe
from runner.suggest import did_you_mean, in_words
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.constants import constant_text, misfits


def constant_problems(job: Job, task: WriteTask, describes: Describes) -> Iterator[Diagnostic]:
    """Constants of `fields` that their field does not take, and required fields without a value.

    Raises:
        TransientError: The org could not be asked.
    """
    columns: dict[MappedColumn, FieldMapping] = {}
    for mapping in task.fields or ():
        resolved = _resolved(task.sobject, mapping.field, describes)
        if mapping.lookup is not None or mapping.is_file or resolved is None:
            continue
        text = constant_text(mapping.expression)
        if text is not None and resolved.lookup is None and resolved.field.choices:
            yield from _not_in_picklist(job, task, mapping, text, resolved.field)
            continue
        wish = Wish(mapping.field, mapping.expression, ("tasks", task.index, *mapping.location))
        columns[mapped_column(task, wish, resolved, describes.of(task.sobject))] = mapping
    for column, why in misfits(list(columns), task.timezone):
        mapping = columns[column]
        yield job.origin.diagnose(
            ("tasks", task.index, *mapping.location),
            "org/wrong-value",
            f"{column.label}: {why}",
            help=_hint(mapping, is_text=column.kind is FieldKind.TEXT),
        )
    if task.verb is Verb.CREATE and task.fields is not None:
        yield from _unfilled(job, task, describes)


def _not_in_picklist(
    job: Job, task: WriteTask, mapping: FieldMapping, text: str, field: FieldDescribe
) -> Iterator[Diagnostic]:
    known = {EXPLICIT_NULL.lower(), *(each.lower() for each in field.choices)}
    values = text.split(";") if field.type == "multipicklist" else [text]
    for value in (each for each in values if each.strip() and each.lower() not in known):
        yield job.origin.diagnose(
            ("tasks", task.index, *mapping.location),
            "org/wrong-value",
            f"{value!r} is not a value of the picklist {field.name}",
            help=did_you_mean(value, field.choices, f"It has {in_words(field.choices, 'and')}."),
        )


def _unfilled(job: Job, task: WriteTask, describes: Describes) -> Iterator[Diagnostic]:
    """Required fields that a create does not fill."""
    columns = [_resolved(task.sobject, each.field, describes) for each in task.fields or ()]
    if None in columns:
        return  # which is a problem already
    fields = [each.field for each in columns if each]
    filled = {name for each in fields for name in (each.name, each.compound_field_name)}
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


def _hint(mapping: FieldMapping, *, is_text: bool) -> str:
    text = constant_text(mapping.expression)
    if text is not None and is_word(text):
        return (
            "No row could be sent. If it is meant as a column of the source, write it without the "
            f"single quotes: `{text}`."
        )
    if is_text:
        return "No row could be sent: shorten it, or add `truncate: true` to have it cut."
    return "No row could be sent: write a value that fits the field."


def _resolved(sobject: str, column: str, describes: Describes) -> ResolvedColumn | None:
    """What a column of the job refers to, if it is there."""
    try:
        return describes.resolve(sobject, column)
    except TransientError:
        raise
    except (OrgError, ColumnError):
        return None
