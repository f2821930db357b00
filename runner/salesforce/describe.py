"""What the org says about an object and its fields, and which field a column refers to.

Knows describe answers and the forms of a column: `Name`, `Account.ERP_Id__c`,
`Contact:Who.Ext__c`. Knows nothing of sources or mappings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from threading import Lock

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from runner.errors import OrgError
from runner.salesforce.described import (
    AmbiguousColumnError,
    ColumnError,
    FieldDescribe,
    ObjectDescribe,
)
from runner.salesforce.http.json_answers import Count, read_json
from runner.salesforce.http.messages import OrgResponse, segment
from runner.salesforce.session import Session
from runner.suggest import did_you_mean


class ResolvedColumn(Struct, frozen=True):
    """The field that a column refers to."""

    name: str
    """The column in the org's own letter case, as it is sent."""
    field: FieldDescribe
    """The object's own field; of a relationship column, the reference."""
    parent: str | None = None
    """The parent's object, for a relationship column."""
    parent_field: FieldDescribe | None = None

    @property
    def type(self) -> str:
        """Describe type of the values."""
        return (self.parent_field or self.field).type

    @property
    def lookup(self) -> str | None:
        """Name of a relationship column's reference field; None for a plain column."""
        return self.field.name if self.parent_field else None


class Describes:
    """Describes of one org, each requested once. Threads may share it.

    They come from the org of a session, or from any other function that gives them.
    """

    def __init__(self, source: Session | Callable[[str], ObjectDescribe]) -> None:
        self._ask = source if callable(source) else partial(describe, source)
        self._known: dict[str, ObjectDescribe] = {}
        self._lock = Lock()

    def of(self, sobject: str) -> ObjectDescribe:
        """The describe of an object.

        Raises:
            OrgError: The org has no such object, or the user may not see it.
        """
        with self._lock:
            if sobject.lower() not in self._known:
                self._known[sobject.lower()] = self._ask(sobject)
            return self._known[sobject.lower()]

    def resolve(self, sobject: str, column: str) -> ResolvedColumn:
        """Find what a column of a write refers to: a field, or one of a parent's keys.

        Raises:
            ColumnError: There is no such field; the hint suggests similar names.
        """
        return resolve(self.of(sobject), column, self.of)

    def follow(self, sobject: str, path: str) -> FieldDescribe | None:
        """Find the field at the end of a path in a query, such as `Account.Owner.Name`, if any.

        Where a relationship has several objects, the first that has the field counts.
        """
        step, _, rest = path.partition(".")
        described = self.of(sobject)
        if not rest:
            return described.field(step)
        reference = described.reference(step)
        parents = reference.reference_to if reference else ()
        return next((found for parent in parents if (found := self.follow(parent, rest))), None)


def describe(session: Session, sobject: str) -> ObjectDescribe:
    """Request an object's describe, and read it.

    Raises:
        OrgError: The org has no such object, or the user may not see it.
    """
    return object_of(describe_answer(session, sobject))


def describe_answer(session: Session, sobject: str) -> OrgResponse:
    """Request an object's describe.

    Raises:
        OrgError: The org has no such object, or the user may not see it.
    """
    try:
        return session.request("GET", f"/sobjects/{segment(sobject)}/describe")
    except OrgError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise OrgError(
            f"The org has no object {sobject} that this user may see",
            status=error.status,
            code=error.code,
            hint=did_you_mean(
                sobject,
                _object_names(session),
                "Check its API name, including `__c`, and the user's permissions.",
            ),
        ) from error


class _Choice(msgspec.Struct):
    value: str | None = None
    label: str | None = None


class _FieldAnswer(msgspec.Struct, rename="camel"):
    """Members of the names of `FieldDescribe`, whose defaults count for those that are null."""

    name: str
    type: str
    createable: bool | None = None
    updateable: bool | None = None
    nillable: bool | None = None
    defaulted_on_create: bool | None = None
    external_id: bool | None = None
    id_lookup: bool | None = None
    unique: bool | None = None
    case_sensitive: bool | None = None
    length: Count | None = None
    html_formatted: bool | None = None
    calculated: bool | None = None
    precision: Count | None = None
    scale: Count | None = None
    reference_to: tuple[str, ...] | None = None
    relationship_name: str | None = None
    custom: bool | None = None
    label: str | None = None
    restricted_picklist: bool | None = None
    picklist_values: list[_Choice] | None = None
    filterable: bool | None = None
    compound_field_name: str | None = None
    inline_help_text: str | None = None


class _ChildrenAnswer(msgspec.Struct):
    sobject: str = msgspec.field(name="childSObject")
    name: str | None = msgspec.field(default=None, name="relationshipName")


class _RecordTypeAnswer(msgspec.Struct, rename="camel"):
    developer_name: str | None = None
    active: bool | None = None
    master: bool | None = None


class _ObjectAnswer(msgspec.Struct, rename="camel"):
    name: str
    fields: list[_FieldAnswer]
    createable: bool | None = None
    updateable: bool | None = None
    deletable: bool | None = None
    mergeable: bool | None = None
    queryable: bool | None = None
    child_relationships: list[_ChildrenAnswer] | None = None
    key_prefix: str | None = None
    label: str | None = None
    record_type_infos: list[_RecordTypeAnswer] | None = None


class _Named(msgspec.Struct):
    name: str


class _ObjectList(msgspec.Struct):
    sobjects: list[_Named] = []


def object_of(answer: OrgResponse) -> ObjectDescribe:
    """Read a describe answer.

    Raises:
        UnexpectedAnswerError: It lacks a member, or one is of another type.
    """
    found = read_json(answer, _ObjectAnswer)
    fields = (_field_of(entry) for entry in found.fields)
    children = [(each.name, each.sobject) for each in found.child_relationships or () if each.name]
    return ObjectDescribe(
        name=found.name,
        fields={field.name.lower(): field for field in fields},
        createable=bool(found.createable),
        updateable=bool(found.updateable),
        deletable=bool(found.deletable),
        mergeable=bool(found.mergeable),
        queryable=found.queryable is not False,
        children={name.lower(): sobject for name, sobject in children},
        child_names=tuple(name for name, _ in children),
        key_prefix=found.key_prefix or "",
        label=found.label or "",
        record_types=_record_types(found.record_type_infos),
    )


def _record_types(listed: Iterable[_RecordTypeAnswer] | None) -> tuple[str, ...] | None:
    if listed is None:
        return None
    chosen = (each.developer_name for each in listed if each.active and not each.master)
    return tuple(name for name in chosen if name)


def resolve(
    described: ObjectDescribe, column: str, describe_parent: Callable[[str], ObjectDescribe]
) -> ResolvedColumn:
    """Find what a column of a write refers to.

    Args:
        described: The object to write.
        column: `Field`, `Relationship.Field`, or `Object:Relationship.Field`.
        describe_parent: Returns the describe of a parent.

    Raises:
        ColumnError: There is no such field.
    """
    target, _, path = column.strip().rpartition(":")
    relationship, dot, last = path.partition(".")
    if not dot and not target:
        return _plain(described, path)
    if not dot or "." in last:
        raise ColumnError(
            f"{column} is not a column of {described.name}: a relationship goes one step, to a key "
            "of the parent",
            hint="Write `Account.ERP_Id__c`, or `Contact:Who.Ext__c` where the parent can be one "
            "of several objects.",
        )
    reference = _reference(described, relationship, column)
    parent = describe_parent(_parent_of(reference, target, column))
    return _key_of_parent(parent, reference, last, prefixed=len(reference.reference_to) > 1)


def _plain(described: ObjectDescribe, name: str) -> ResolvedColumn:
    field = described.field(name)
    if field is None:
        raise ColumnError(
            f"{described.name} has no field {name} that this user may see",
            hint=did_you_mean(
                name,
                (known.name for known in described.fields.values()),
                "Check its API name, including `__c`, and the field's permissions.",
            ),
        )
    return ResolvedColumn(field.name, field)


def _reference(described: ObjectDescribe, relationship: str, column: str) -> FieldDescribe:
    reference = described.reference(relationship)
    if reference is None:
        named = (field.relationship_name for field in described.fields.values())
        raise ColumnError(
            f"{column}: {described.name} has no relationship {relationship}",
            hint=did_you_mean(
                relationship,
                filter(None, named),
                "Custom relationships end in `__r`: `Parent__r` for the field `Parent__c`.",
            ),
        )
    return reference


def _parent_of(reference: FieldDescribe, target: str, column: str) -> str:
    parents = {name.lower(): name for name in reference.reference_to}
    if target and target.lower() not in parents:
        raise ColumnError(
            f"{column}: {reference.name} does not refer to {target}",
            hint=f"It refers to {', '.join(reference.reference_to)}.",
        )
    if not target and len(parents) > 1:
        raise AmbiguousColumnError(
            f"{column}: {reference.name} can refer to several objects",
            hint=f"Say which, such as `{reference.reference_to[0]}:{column}`; it refers to "
            f"{', '.join(reference.reference_to)}.",
        )
    return parents[target.lower()] if target else reference.reference_to[0]


def _key_of_parent(
    parent: ObjectDescribe, reference: FieldDescribe, name: str, *, prefixed: bool
) -> ResolvedColumn:
    key = _plain(parent, name).field
    if not key.identifies:
        usable = [field.name for field in parent.fields.values() if field.identifies]
        raise ColumnError(
            f"{key.name} of {parent.name} does not identify a record",
            hint=f"A relationship needs an external Id of the parent; {parent.name} has "
            f"{', '.join(usable)}.",
        )
    prefix = f"{parent.name}:" if prefixed else ""
    column = f"{prefix}{reference.relationship_name}.{key.name}"
    return ResolvedColumn(column, reference, parent.name, key)


def _field_of(entry: _FieldAnswer) -> FieldDescribe:
    given = {name: value for name, value in asdict(entry).items() if value is not None}
    given.setdefault("nillable", False)
    listed = given.pop("picklist_values", ())
    is_restricted = given.pop("restricted_picklist", False)
    if is_restricted:
        return FieldDescribe(**given, choices=_choices(listed))
    values = tuple(dict.fromkeys(each.value for each in listed if each.value))
    return FieldDescribe(**given, values=values)


def _choices(listed: Iterable[_Choice]) -> tuple[str, ...]:
    texts = (text for each in listed for text in (each.value, each.label) if text)
    return tuple(dict.fromkeys(texts))


def _object_names(session: Session) -> list[str]:
    listed = read_json(session.request("GET", "/sobjects"), _ObjectList)
    return [entry.name for entry in listed.sobjects]
