"""Which fields a write fills, from which expressions, checked against the org's describe.

Knows mapping and describe. Knows nothing of how rows are read or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.diagnostics import Diagnostic, Location
from runner.errors import OrgError, TransientError
from runner.job.model import Job, Verb, WriteTask
from runner.job.soql import ItemKind, Selection, SelectItem
from runner.salesforce.describe import ColumnError, Describes, FieldDescribe, ResolvedColumn
from runner.suggest import did_you_mean
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.csv import own_columns
from runner.tables.staging.expressions import parse
from runner.tables.targets.rest_rows import QueryColumn

_ID = "Id"
_OF_IDS = frozenset({Verb.DELETE, Verb.UNDELETE})
"""Verbs that use only the Id of a row."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """The fields that a write fills."""

    columns: tuple[MappedColumn, ...]
    key: str | None
    """The key of an upsert, in the org's own letter case."""
    lookups: dict[str, str]
    """Relationship column to the reference field behind it."""
    unique: tuple[str, ...] = ()
    """Fields of text whose values no two records share, so that a lost create can be found."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """One field as the job or the header names it."""

    name: str
    expression: str | None
    location: Location
    """Where the job names it, for a problem to point at."""


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
    wishes = _wishes(task, header)
    problems: list[Diagnostic] = []
    resolved: list[tuple[_Wish, ResolvedColumn]] = []
    for wish in wishes:
        try:
            found = describes.resolve(task.sobject, wish.name)
        except ColumnError as error:
            problems.append(_diagnostic(job, wish, "org/unknown-field", error.message, error.hint))
            continue
        resolved.append((wish, found))
    problems += _unfilled(job, wishes, header)
    problems += _misplaced(job, task, resolved)
    problems += _missing(job, task, [column.name for _, column in resolved], describes)
    required = _required(task)
    columns = tuple(
        MappedColumn(
            column.name,
            wish.expression,
            FieldKind.of(column.type),
            required=column.name.lower() == required,
        )
        for wish, column in resolved
    )
    lookups = {column.name: column.lookup for _, column in resolved if column.lookup}
    unique = tuple(
        column.name
        for _, column in resolved
        if column.field.unique and not column.lookup and FieldKind.of(column.type) is FieldKind.TEXT
    )
    return ColumnPlan(columns, _key(task, describes), lookups, unique), tuple(problems)


def _wishes(task: WriteTask, header: Sequence[str] | None) -> list[_Wish]:
    here: Location = ("tasks", task.index)
    if task.fields is not None:
        wishes = [
            _Wish(each.field, each.expression, (*here, "fields", each.field))
            for each in task.fields
        ]
    else:
        wishes = [_Wish(name, None, (*here, "from")) for name in own_columns(tuple(header or ()))]
    if task.verb in _OF_IDS:
        # A delete uses only the Id; rows from a query have more columns.
        return [wish for wish in wishes if wish.name.lower() == _ID.lower()]
    return wishes


def _unfilled(job: Job, wishes: Sequence[_Wish], header: Sequence[str] | None) -> list[Diagnostic]:
    """Problems of expressions over columns that the source does not have."""
    known = {name.lower() for name in header or ()}
    missing = [
        (wish, column)
        for wish in wishes
        if header is not None and wish.expression is not None
        for column in parse(wish.expression).columns
        if column.lower() not in known
    ]
    return [
        job.origin.diagnose(
            wish.location,
            "job/unknown-column",
            f"the source has no column {column}",
            help=did_you_mean(
                column,
                header or (),
                f"It has {', '.join(header or ())}. Put literal text in single quotes.",
            ),
        )
        for wish, column in missing
    ]


def _required(task: WriteTask) -> str | None:
    """The column that every row must fill, in lower case."""
    if task.verb is Verb.UPSERT:
        return (task.key or "").lower()
    return _ID.lower() if task.verb in {Verb.UPDATE, *_OF_IDS} else None


def _key(task: WriteTask, describes: Describes) -> str | None:
    if task.key is None:
        return None
    field = describes.of(task.sobject).field(task.key)
    return field.name if field else task.key


def _misplaced(
    job: Job, task: WriteTask, resolved: Sequence[tuple[_Wish, ResolvedColumn]]
) -> list[Diagnostic]:
    """Fields that this verb cannot write, and fields named twice."""
    may_write = _WRITABLE[task.verb]
    problems = []
    seen: set[str] = set()
    for wish, column in resolved:
        if column.name in seen:
            message = f"{column.name} is filled twice"
            problems.append(
                _diagnostic(job, wish, "org/field-twice", message, "Remove one of them.")
            )
        seen.add(column.name)
        is_key = column.name.lower() == _required(task)
        if not is_key and not may_write(column.field):
            message = f"{column.field.name} of {task.sobject} cannot be written by {task.verb}"
            problems.append(
                _diagnostic(
                    job,
                    wish,
                    "org/read-only-field",
                    message,
                    "Remove it, or give the user permission to write it.",
                )
            )
    return problems


_WRITABLE: dict[Verb, Callable[[FieldDescribe], bool]] = {
    Verb.CREATE: lambda field: field.createable,
    Verb.UPDATE: lambda field: field.updateable,
    Verb.UPSERT: lambda field: field.createable or field.updateable,
    Verb.DELETE: lambda _field: True,
    Verb.UNDELETE: lambda _field: True,
}


def _missing(
    job: Job, task: WriteTask, names: Sequence[str], describes: Describes
) -> list[Diagnostic]:
    """A key that is not an external Id, or that no column fills."""
    problems = []
    here: Location = ("tasks", task.index)
    if task.verb is Verb.UPSERT and task.key:
        described = describes.of(task.sobject)
        field = described.field(task.key)
        if field is None or not field.identifies:
            keys = [each.name for each in described.fields.values() if each.identifies]
            problems.append(
                job.origin.diagnose(
                    (*here, "key"),
                    "org/not-a-key",
                    f"{task.key} of {task.sobject} is not an external Id",
                    help=did_you_mean(
                        task.key,
                        keys,
                        f"Mark it as External ID in Setup, or use one of {', '.join(keys)}.",
                    ),
                )
            )
    required = _required(task)
    if required and required not in {name.lower() for name in names}:
        wanted = task.key if task.verb is Verb.UPSERT else _ID
        problems.append(
            job.origin.diagnose(
                (*here, "fields" if task.fields is not None else "from"),
                "job/no-key-column",
                f"{task.verb} needs a column {wanted}, but there is none",
                help=f"Map {wanted} in `fields`, or rename a column of the source to {wanted}.",
            )
        )
    return problems


def _diagnostic(job: Job, wish: _Wish, code: str, message: str, hint: str | None) -> Diagnostic:
    return job.origin.diagnose(
        wish.location, code, message, help=hint, at_key=wish.location[-1] == wish.name
    )


def query_columns(selected: Selection, describes: Describes) -> tuple[QueryColumn, ...] | None:
    """A query's columns, as far as known before it runs; None when only its records show them."""
    if selected.is_open:
        return None
    return tuple(_query_column(selected.sobject, item, describes) for item in selected.items)


def _query_column(sobject: str, item: SelectItem, describes: Describes) -> QueryColumn:
    field = _field_of(sobject, item, describes)
    if field is None:
        return QueryColumn(item.column)
    return QueryColumn(item.column, FieldKind.of(field.type), field.precision, field.scale)


def _field_of(sobject: str, item: SelectItem, describes: Describes) -> FieldDescribe | None:
    if item.path is None or item.kind is not ItemKind.FIELD:
        return None
    try:
        return describes.follow(sobject, item.path)
    except TransientError:
        raise
    except OrgError:
        return None  # the org will refuse the query itself, in its own words
