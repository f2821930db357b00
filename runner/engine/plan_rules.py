"""What the org requires of the fields of a write, from its describes.

Knows describes. Knows nothing of SQL or of how rows are judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.engine.columns import ColumnPlan
from runner.job.merges import COLUMNS
from runner.job.model import Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.plans.refusals import FieldRule, ParentRule
from runner.tables.staging.rows import StagedRows

_WITH_DIGITS = frozenset({"double", "currency", "percent"})


def rules_of(
    task: WriteTask, columns: ColumnPlan, staging: StagedRows, describes: Describes
) -> tuple[FieldRule, ...]:
    """The rules of the fields that the task fills and of those that a new record requires."""
    if task.verb in {Verb.DELETE, Verb.UNDELETE}:
        return ()
    described = describes.of(task.sobject)
    cells = {each.column.field: each.cell for each in staging.mappings}
    filled = [
        _rule(task, column, describes, cells[column.as_sent.field])
        for column in columns.columns
        if column.as_sent.field in cells and column.field not in COLUMNS
        if column.field not in {"Id", columns.key} and not column.found_by and not column.is_file
    ]
    return (*filled, *_not_filled(task, columns, described))


def _rule(task: WriteTask, column: MappedColumn, describes: Describes, cell: str) -> FieldRule:
    found = describes.resolve(task.sobject, column.label)
    field = found.field
    is_plain = found.lookup is None
    scale = field.precision - field.scale
    return FieldRule(
        column.field,
        field.label or field.name,
        cell,
        on_create=field.required,
        not_null=field.updateable and not field.nillable and field.type != "boolean",
        choices=field.choices if is_plain else (),
        is_multiple=field.type == "multipicklist",
        digits=scale if is_plain and field.type in _WITH_DIGITS and field.precision else 0,
        parent=None  # a record that was looked up exists
        if column.finds_reference
        else _parent(field, found.parent, found.parent_field),
    )


def _parent(
    field: FieldDescribe, parent: str | None, key: FieldDescribe | None
) -> ParentRule | None:
    if parent is not None and key is not None:
        return ParentRule(parent, key.name, FieldKind.of(key.type), key.case_sensitive)
    if field.type == "reference" and len(field.reference_to) == 1:
        return ParentRule(field.reference_to[0], "Id", FieldKind.ID)
    return None  # one of several objects, which its Id tells


def _not_filled(
    task: WriteTask, columns: ColumnPlan, described: ObjectDescribe
) -> Iterator[FieldRule]:
    """Fields that a new record needs and the task does not fill."""
    if task.verb in {Verb.UPDATE, Verb.MERGE}:
        return
    filled = {each.field.lower() for each in columns.columns}
    filled |= {name.lower() for name in columns.lookups.values()}
    for field in described.fields.values():
        # A person account gets its name from its other names.
        is_named = field.name == "Name" and "lastname" in filled
        if field.required and field.name.lower() not in filled and not is_named:
            yield FieldRule(field.name, on_create=True)
