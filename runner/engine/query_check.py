"""Names in a query that the org does not have: objects, fields, relationships, children.

Knows a query's parts and describes. What only the org can judge, such as the fields of a parent
that can be one of several objects, is left to it: a query that would run is never refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from runner.diagnostics import Diagnostic, Location
from runner.errors import OrgError, TransientError
from runner.job.model import Job, QueryTask, WriteTask
from runner.job.partial_job import task_path
from runner.job.soql import aliases_of, parsed, steps_of
from runner.job.text_position import narrowed
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.soql.syntax import (
    Bind,
    Boolean,
    Call,
    ChildItem,
    Comparison,
    Condition,
    Day,
    Distance,
    FieldItem,
    Holding,
    Item,
    Junction,
    Literal,
    Membership,
    Moment,
    Money,
    Negation,
    Null,
    Number,
    Operand,
    Path,
    Period,
    Query,
    SemiJoin,
    Text,
    TypeofItem,
)
from runner.suggest import did_you_mean, in_words

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|[^\s,()]+")
_NUMBER = ((Number, Money), "Write a number, without quotes.")
_TEXT = ((Text,), "Write the value in quotes: 'value'.")
_FITTING: Mapping[str, tuple[tuple[type[Literal], ...], str]] = {
    "boolean": ((Boolean,), "Write true or false, without quotes."),
    **dict.fromkeys(("double", "currency", "percent", "int", "long"), _NUMBER),
    "date": ((Day, Period), "Write a date, without quotes: 2026-01-31."),
    "datetime": ((Moment, Period), "Write a datetime, without quotes: 2026-01-31T00:00:00Z."),
    **dict.fromkeys(("string", "textarea", "picklist", "email", "phone", "url"), _TEXT),
    **dict.fromkeys(("reference", "id"), _TEXT),
}
"""Values with which fields of a type are compared, and what to write."""
_FIELD_HINT = "Check its API name, including `__c`, and the field's permissions."


def query_problems(job: Job, task: QueryTask, describes: Describes) -> list[Diagnostic]:
    """What a query names that is not in the org, or that this user may not see.

    It describes the objects that the query reads, and the parents on its paths; a run needs most of
    them anyway.

    Raises:
        TransientError: The org could not be asked.
    """
    query = parsed(task.soql)
    if query is None:
        return []
    check = _QueryCheck(job, task_path(task, "query"), task.soql, describes)
    found = list(dict.fromkeys(check.of_query(query)))
    return found or list(_since_problems(job, task, describes))


def _since_problems(job: Job, task: QueryTask, describes: Describes) -> Iterator[Diagnostic]:
    """What is wrong with the field of `since`, of an object that can be queried."""
    if task.since is None:
        return
    wanted, described = task.since.field, describes.of(task.sobject)
    field = described.field(wanted)
    at: Location = ("tasks", task.index, "since")
    moments = [
        each.name
        for each in described.fields.values()
        if each.type == "datetime" and each.filterable
    ]
    if field is None:
        message = f"{described.name} has no field `{wanted}`"
        hint = did_you_mean(wanted, moments, _FIELD_HINT)
        yield job.origin.diagnose(at, "org/unknown-field", message, help=hint)
    elif field.name not in moments:
        is_moment = field.type == "datetime"
        reason = "cannot be filtered by" if is_moment else f"is of type {field.type}"
        message = f"`since` needs a datetime that WHERE may name: `{field.name}` {reason}"
        hint = f"{described.name} has {in_words(moments)}" if moments else "remove `since`"
        yield job.origin.diagnose(at, "org/since-field", message, help=hint)


def scope_problems(job: Job, task: WriteTask, describes: Describes) -> list[Diagnostic]:
    """What the condition of a write's `scope` names that is not in the org.

    Raises:
        TransientError: The org could not be asked.
    """
    here: Location = ("tasks", task.index, "scope")
    return condition_problems(job, here, task.sobject, task.scope, describes) if task.scope else []


def condition_problems(
    job: Job, here: Location, sobject: str, condition: str, describes: Describes
) -> list[Diagnostic]:
    """What a condition on an object's records names that is not in the org.

    Raises:
        TransientError: The org could not be asked.
    """
    before = f"SELECT Id FROM {sobject} WHERE "  # noqa: S608 - only parsed
    query = parsed(f"{before}{condition}")
    if query is None:
        return []
    check = _QueryCheck(job, here, condition, describes, len(before))
    return list(dict.fromkeys(check.of_query(query)))


class _QueryCheck(Struct, frozen=True):
    job: Job
    path: Location
    """Of the text in the job."""
    text: str
    describes: Describes
    begins: int = 0
    """Where the text begins in what was parsed."""

    def of_query(self, query: Query) -> Iterator[Diagnostic]:
        """Problems of a query on an object, not of a subquery."""
        source = query.source.path
        try:
            described = self.describes.of(str(source))
        except TransientError:
            raise
        except OrgError as error:
            yield self._problem("org/unknown-object", error.message, error.hint, source)
            return
        if not described.queryable:
            message = f"{described.name} cannot be queried"
            hint = "Query it as the children of another object, or query another object."
            yield self._problem("org/not-queryable", message, hint, source)
            return
        yield from self._of_parts(query, described)

    def _of_parts(self, query: Query, described: ObjectDescribe) -> Iterator[Diagnostic]:
        aliases = aliases_of(query)
        for item in query.items:
            yield from self._of_item(item, described, aliases)
        for condition in (query.where, query.having):
            yield from self._of_condition(condition, query, described, aliases)
        named = _columns_named(query)
        for operand in (*query.group, *(each.operand for each in query.order)):
            path = _path_of(operand)
            if path is not None and str(path).lower() not in named:
                yield from self._of_path(path, described, aliases)

    def _of_item(
        self, item: Item, described: ObjectDescribe, aliases: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Diagnostic]:
        match item:
            case ChildItem(query):
                yield from self._of_children(query, described)
            case TypeofItem(relationship, branches):
                steps = steps_of(relationship, aliases)
                if len(steps) == 1 and described.reference(steps[0]) is None:
                    yield self._no_relationship(described, steps[0], relationship)
                for branch in branches:
                    parent = self._parent(branch.sobject)
                    if parent is not None:
                        for field in branch.fields:
                            yield from self._of_path(field, parent, {})
            case FieldItem(operand):
                path = _path_of(operand)
                if path is not None:
                    yield from self._of_path(path, described, aliases)

    def _of_children(self, query: Query, described: ObjectDescribe) -> Iterator[Diagnostic]:
        path = query.source.path
        name = path.names[-1]
        sobject = described.children.get(name.lower())
        if sobject is None:
            message = f"{described.name} has no children {name}"
            hint = did_you_mean(
                name,
                described.child_names,
                "Write the relationship's name: Contacts; of a custom object, Invoices__r.",
            )
            yield self._problem("org/unknown-relationship", message, hint, path)
            return
        children = self._parent(sobject)
        if children is not None:
            yield from self._of_parts(query, children)

    def _of_condition(
        self,
        condition: Condition | None,
        query: Query,
        described: ObjectDescribe,
        aliases: Mapping[str, tuple[str, ...]],
    ) -> Iterator[Diagnostic]:
        match condition:
            case Junction(_, parts):
                for part in parts:
                    yield from self._of_condition(part, query, described, aliases)
            case Negation(part):
                yield from self._of_condition(part, query, described, aliases)
            case Comparison(left) | Membership(left) | Holding(left) | SemiJoin(left):
                path = _path_of(left)
                if path is not None and str(path).lower() not in _columns_named(query):
                    problems = list(self._of_path(path, described, aliases))
                    if not problems and path is left:
                        problems = list(self._of_long_text(path, described, aliases))
                    yield from problems or self._of_values(condition, path, described, aliases)
                if isinstance(condition, SemiJoin):
                    yield from self.of_query(condition.query)

    def _of_values(
        self,
        condition: Condition,
        path: Path,
        described: ObjectDescribe,
        aliases: Mapping[str, tuple[str, ...]],
    ) -> Iterator[Diagnostic]:
        """Values that the org refuses, because the field is of another type."""
        values: tuple[Literal, ...] = ()
        match condition:
            case Comparison(Path(), _, value):  # a function of a field has a type of its own
                values = (value,)
            case Membership(Path(), members):
                values = members
        field = self._field(path, described, aliases) if values else None
        if field is None or field.type not in _FITTING:
            return
        fitting, hint = _FITTING[field.type]
        for value in values:
            shown = _LITERAL.match(self.text, value.at - self.begins)
            if shown is not None and not isinstance(value, (*fitting, Null, Bind)):
                message = f"{field.name} is of type {field.type}, and {shown[0]} is not"
                code = "org/wrong-value"
                found = self.job.origin.diagnose(self.path, code, message, help=hint)
                yield narrowed(found, self.job.origin, self.text, *shown.span())

    def _of_long_text(
        self, path: Path, described: ObjectDescribe, aliases: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Diagnostic]:
        """A field that no condition may name."""
        field = self._field(path, described, aliases)
        if field is not None and not field.filterable:
            message = f"{field.name} is of type {field.type}, which no condition may name"
            hint = "Query its values, and leave rows out where they are read."
            yield self._problem("org/not-filterable", message, hint, path)

    def _field(
        self, path: Path, described: ObjectDescribe, aliases: Mapping[str, tuple[str, ...]]
    ) -> FieldDescribe | None:
        """The field at the end of a path; None if it cannot be told."""
        *parents, last = steps_of(path, aliases)
        at: ObjectDescribe | None = described
        for step in parents:
            reference = at.reference(step) if at else None
            at = self._parent(*reference.reference_to) if reference else None
        return at.field(last) if at and last else None

    def _of_path(
        self, path: Path, described: ObjectDescribe, aliases: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Diagnostic]:
        *parents, last = steps_of(path, aliases)
        for step in parents:
            reference = described.reference(step)
            if reference is None:
                yield self._no_relationship(described, step, path)
                return
            parent = self._parent(*reference.reference_to)
            if parent is None:
                return
            described = parent
        if last and described.field(last) is None:
            message = f"{described.name} has no field {last} that this user may see"
            names = [each.name for each in described.fields.values()]
            hint = did_you_mean(last, names, _FIELD_HINT)
            yield self._problem("org/unknown-field", message, hint, path)

    def _no_relationship(self, described: ObjectDescribe, name: str, path: Path) -> Diagnostic:
        message = f"{described.name} has no relationship {name}"
        known = [
            each.relationship_name for each in described.fields.values() if each.relationship_name
        ]
        otherwise = "Custom relationships end in `__r`: `Parent__r` for the field `Parent__c`."
        hint = did_you_mean(name, known, otherwise)
        return self._problem("org/unknown-relationship", message, hint, path)

    def _parent(self, *sobjects: str) -> ObjectDescribe | None:
        """The object at the end of a relationship, if there is just one that the user may see."""
        if len(sobjects) != 1:
            return None
        try:
            return self.describes.of(sobjects[0])
        except TransientError:
            raise
        except OrgError:
            return None

    def _problem(self, code: str, message: str, hint: str | None, path: Path) -> Diagnostic:
        found = self.job.origin.diagnose(self.path, code, message, help=hint)
        start = path.at - self.begins
        return narrowed(found, self.job.origin, self.text, start, start + len(str(path)))


def _path_of(operand: Operand) -> Path | None:
    """The field of an operand; None for `COUNT()` and FIELDS(…)."""
    while isinstance(operand, Call):
        if operand.argument is None or operand.name.lower() == "fields":
            return None
        operand = operand.argument
    return operand.field if isinstance(operand, Distance) else operand


def _columns_named(query: Query) -> frozenset[str]:
    """The aliases of a query's columns in lower case, which HAVING and ORDER BY may name."""
    given = (item.alias for item in query.items if isinstance(item, FieldItem))
    return frozenset(alias.lower() for alias in given if alias)
