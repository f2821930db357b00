"""Which fields a write fills, checked against the org's describe.

Knows mapping and describe. Knows nothing of how rows are read or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.engine.column_wishes import (
    Wish,
    label_hint,
    required_column,
    unfilled,
    wish_problem,
    wishes_of,
)
from runner.engine.file_bodies import file_problems, is_fixed_file
from runner.engine.merge_columns import merge_problems, named_records
from runner.engine.reference_columns import ReferencePlan, plan_reference
from runner.job.choices import UnknownColumns
from runner.job.mirrors import owner_of
from runner.job.model import Job, Verb, WriteTask
from runner.salesforce.describe import Describes, ResolvedColumn
from runner.salesforce.described import (
    BLOB,
    AmbiguousColumnError,
    ColumnError,
    FieldDescribe,
    ObjectDescribe,
)
from runner.suggest import did_you_mean, in_words
from runner.tables.field_types import MOST_CHARACTERS, FieldKind, MappedColumn
from runner.tables.sql import name as quoted

_ID = "Id"


class ColumnPlan(Struct, frozen=True):
    """The fields that a write fills."""

    columns: tuple[MappedColumn, ...]
    """Of a merge, the Ids that it names come first."""
    key: str | None
    """The key of an upsert, in the org's own letter case."""
    lookups: dict[str, str]
    """Relationship column to the reference field behind it."""
    on_create: frozenset[str] = frozenset()
    """Columns that are sent only for rows whose record does not exist yet."""
    unique: tuple[str, ...] = ()
    """Fields of text whose values no two records share, so that a lost create can be found."""
    notes: tuple[str, ...] = ()
    """What the user should know about it."""
    has_blobs: bool = False
    """Whether it fills a field that holds a file."""
    references: tuple[ReferencePlan, ...] = ()
    """Fields whose records are looked up."""

    @property
    def staged(self) -> tuple[MappedColumn, ...]:
        """What is staged: the columns, and after them the further values of lookups."""
        return (*self.columns, *(c for each in self.references for c in each.columns[1:]))

    @property
    def has_files(self) -> bool:
        """Whether it sends files."""
        return any(each.is_file for each in self.columns)


def plan_columns(
    job: Job, task: WriteTask, header: Sequence[str] | None, describes: Describes
) -> tuple[ColumnPlan, tuple[Diagnostic, ...]]:
    """Plan what a write sends.

    Args:
        job: For the positions of problems.
        task: The write.
        header: The source's columns; None if unknown so far, when `fields` names them all.
        describes: The org's describes.

    Returns:
        The plan, and every problem; do not run a plan with problems.

    Raises:
        OrgError: The org does not know the object.
    """
    described = describes.of(task.sobject)
    wishes, problems = wishes_of(job, task, header, described)
    ignores = task.unknown_columns is UnknownColumns.IGNORE and task.fields is None
    ignored: list[str] = []
    resolved: list[tuple[Wish, ResolvedColumn]] = []
    for wish in wishes:
        try:
            found = describes.resolve(task.sobject, wish.name)
        except ColumnError as error:
            if ignores and not isinstance(error, AmbiguousColumnError):
                ignored.append(wish.name)
                continue
            hint = label_hint(task, wish, described) or error.hint
            problems.append(wish_problem(job, wish, "org/unknown-field", error.message, hint))
            continue
        resolved.append((wish, found))
    if ignored and not resolved:
        message = f"no column of the source is a field of {described.name}"
        hint = f"The source has {in_words(ignored, 'and')}."
        problems.append(wish_problem(job, wishes[0], "org/unknown-field", message, hint))
    problems += unfilled(job, wishes, header)
    problems += _misplaced(job, task, resolved)
    filled = [(wish.location, wish.is_file, column) for wish, column in resolved]
    problems += file_problems(job, task, described, filled)
    key_field = described.field(task.key) if task.key else None
    problems += _key_problems(job, task, described, key_field)
    names, owner = [column.name for _, column in resolved], _owner_field(task).lower()
    problems += [
        *_missing(job, task, [*names, *(wish.name for wish in wishes)]),
        *_owner_problems(job, task, described),
        *merge_problems(job, task, header, described),
    ]
    columns = named_records(task.merge, described)
    lookups: dict[str, str] = {}
    unique: list[str] = []
    references: list[ReferencePlan] = []
    for wish, column in resolved:
        mapped = mapped_column(task, wish, column, described)
        if wish.lookup is not None:
            reference = plan_reference(
                job,
                wish.lookup,
                column,
                header=header or (),
                describes=describes,
                here=wish.location,
            )
            if isinstance(reference, ReferencePlan):
                references.append(reference)
                mapped = reference.columns[0]
            else:
                problems += reference
        columns.append(mapped)
        if column.lookup is not None:
            lookups[column.name] = column.lookup
        elif column.field.unique and mapped.kind is FieldKind.TEXT:
            unique.append(column.name)
    others = [each for each in resolved if each[1].name.lower() != required_column(task)]
    on_create, not_filled = _on_create(job, task, others)
    problems += not_filled
    fixed = _fixed(task, others)
    plan = ColumnPlan(
        tuple(columns),
        (key_field.name if key_field else task.key) if task.verb is Verb.UPSERT else None,
        lookups,
        frozenset({*on_create, *fixed, *(each for each in names if each.lower() == owner)}),
        tuple(unique),
        tuple(_notes(described, ignored, sorted(fixed - on_create))),
        has_blobs=any(column.type == BLOB for _, column in resolved),
        references=tuple(references),
    )
    return plan, tuple(problems)


def _notes(
    described: ObjectDescribe, ignored: Sequence[str], fixed: Sequence[str]
) -> Iterator[str]:
    if ignored:
        yield f"not fields of {described.name}, not sent: {', '.join(ignored)}"
    if fixed:
        names = ", ".join(fixed)
        yield f"sent for new records only, because they cannot be changed later: {names}"


def mapped_column(
    task: WriteTask, wish: Wish, column: ResolvedColumn, described: ObjectDescribe
) -> MappedColumn:
    """What is sent of a field that a write fills, and where it comes from."""
    identifies = column.name.lower() == required_column(task)
    is_key = identifies and not _may_be_blank(task)
    mapped = MappedColumn(
        column.name,
        wish.expression,
        FieldKind.of(column.type),
        required=is_key,
        max_length=_max_length(column.parent_field or column.field),
        is_cut=task.truncate and _may_be_cut(column) and not is_key,
        is_list=column.type == "multipicklist",
        tells_case=column.field.case_sensitive if identifies else None,
        id_prefix=described.key_prefix if identifies and column.name == _ID else "",
        is_file=wish.is_file,
    )
    if is_key and _finds_by_key(task):
        expression = wish.expression or quoted(wish.name)
        return replace(mapped, field=_ID, expression=expression, found_by=column.name)
    return mapped


def _fixed(task: WriteTask, others: Sequence[tuple[Wish, ResolvedColumn]]) -> set[str]:
    """Columns of an upsert that can only be set when a record is created."""
    fields = {column.name: column.field for _, column in others if task.verb is Verb.UPSERT}
    return {name for name, field in fields.items() if _is_fixed(task, field)}


def _is_fixed(task: WriteTask, field: FieldDescribe) -> bool:
    return field.createable and (not field.updateable or is_fixed_file(task.sobject, field))


def _on_create(
    job: Job, task: WriteTask, others: Sequence[tuple[Wish, ResolvedColumn]]
) -> tuple[set[str], list[Diagnostic]]:
    """Columns that `on_create` names, and problems of names that no column has."""
    found: set[str] = set()
    problems = []
    for place, name in enumerate(task.on_create):
        columns = {
            column.name
            for wish, column in others
            if name.lower() in {wish.name.lower(), column.name.lower(), column.field.name.lower()}
        }
        found |= columns
        if not columns:
            here = ("tasks", task.index, "on_create", place)
            message = f"`on_create` names {name}, which the task does not fill"
            hint = did_you_mean(name, [each.name for each, _ in others], "Map it, or remove it.")
            if name.lower() == required_column(task):
                message = f"`on_create` names the key {name}, which every row needs"
                hint = "Remove it."
            problems.append(job.origin.diagnose(here, "job/unknown-column", message, help=hint))
    return found, problems


def _owner_problems(job: Job, task: WriteTask, described: ObjectDescribe) -> list[Diagnostic]:
    """Why a field cannot mark the records of a mirror."""
    field = described.field(_owner_field(task))
    if field is None:
        return []
    marker = owner_of(job, task.name)
    if field.type != "string" or not field.filterable:
        message = f"{field.name} is not a text field that the org can search"
    elif field.length and field.length < len(marker):
        message = f"{field.name} holds {field.length} characters, and `{marker}` is longer"
    else:
        return []
    here: Location = ("tasks", task.index, "owner_field")
    hint = "Name a text field that only this mirror fills; 255 characters are enough."
    return [job.origin.diagnose(here, "org/owner-field", message, help=hint)]


def _owner_field(task: WriteTask) -> str:
    """The field that marks the records of a mirror; empty if there is none."""
    return (task.mirror.owner_field if task.mirror else None) or ""


_CUT = frozenset({"string", "textarea", "encryptedstring", "combobox"})
"""Types of prose; half an address of e-mail or half a picklist value would mean another one."""


def _may_be_cut(column: ResolvedColumn) -> bool:
    is_rich = column.field.html_formatted  # cut markup is broken markup
    return column.type in _CUT and column.lookup is None and not is_rich


def _max_length(field: FieldDescribe) -> int | None:
    if field.type == BLOB:
        return None
    # The org may make rich text shorter before it counts.
    return MOST_CHARACTERS if field.html_formatted or not field.length else field.length


def _may_be_blank(task: WriteTask) -> bool:
    """Whether a row without a key is created: an upsert by Id, as Salesforce does it."""
    return task.verb is Verb.UPSERT and (task.key or "").lower() == _ID.lower()


def _finds_by_key(task: WriteTask) -> bool:
    """Whether records are looked up by their keys, because the API takes only Ids."""
    return task.verb in {Verb.UPDATE, Verb.DELETE} and required_column(task) != _ID.lower()


def _misplaced(
    job: Job, task: WriteTask, resolved: Sequence[tuple[Wish, ResolvedColumn]]
) -> list[Diagnostic]:
    """Fields that this verb cannot write, and fields named twice."""
    may_write = _WRITABLE[task.verb]
    problems = []
    filled: dict[str, str] = {}
    for wish, column in resolved:
        is_key = column.name.lower() == required_column(task)
        field = _ID if is_key and _finds_by_key(task) else column.field.name
        if field in filled:
            others = {filled[field], column.name} - {field}
            ways = f": by {filled[field]} and by {column.name}" if others else ""
            message = f"{field} is filled twice{ways}"
            hint = (
                "Remove one; rows of both kinds need two tasks."
                if others
                else "Remove one of them."
            )
            problems.append(wish_problem(job, wish, "org/field-twice", message, hint))
        filled[field] = column.name
        is_id = column.name == _ID and _finds_by_key(task)
        if not (is_key or is_id or may_write(column.field)):
            message = f"{column.field.name} of {task.sobject} cannot be written by {task.verb}"
            hint = "Remove it, or give the user permission to write it."
            if column.field.createable:  # the master of a detail, for instance
                hint = "Remove it, or use an upsert, which sends it for new records only."
            problems.append(wish_problem(job, wish, "org/read-only-field", message, hint))
    return problems


_WRITABLE: dict[Verb, Callable[[FieldDescribe], bool]] = {
    Verb.CREATE: lambda field: field.createable,
    Verb.UPDATE: lambda field: field.updateable,
    Verb.UPSERT: lambda field: field.createable or field.updateable,
    Verb.DELETE: lambda _field: True,
    Verb.MERGE: lambda field: field.updateable,
    Verb.UNDELETE: lambda _field: True,
}


def _key_problems(
    job: Job, task: WriteTask, described: ObjectDescribe, field: FieldDescribe | None
) -> list[Diagnostic]:
    """A key that is not an external Id."""
    if not task.key or (field is not None and field.identifies):
        return []
    keys = [each.name for each in described.fields.values() if each.identifies]
    or_another = f", or use {' or '.join(keys)}" if keys else ""
    return [
        job.origin.diagnose(
            ("tasks", task.index, "key"),
            "org/not-a-key",
            f"{task.key} of {task.sobject} is not an external Id",
            help=did_you_mean(task.key, keys, f"Mark it as External ID in Setup{or_another}."),
        )
    ]


def _missing(job: Job, task: WriteTask, names: Sequence[str]) -> list[Diagnostic]:
    """A key, or an Id, that no column fills."""
    required = required_column(task)
    if not required or required in {name.lower() for name in names}:
        return []
    wanted = task.key or _ID
    return [
        job.origin.diagnose(
            ("tasks", task.index, "fields" if task.fields is not None else "from"),
            "job/no-key-column",
            f"{task.verb} needs a column {wanted}, but there is none",
            help=f"Map {wanted} in `fields`, or rename a column of the source to {wanted}.",
        )
    ]
