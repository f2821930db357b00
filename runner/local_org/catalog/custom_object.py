"""What every declared object has: Id, owner, name, system fields, by the kind of object.

Knows custom objects, platform events, custom metadata and further standard objects. Knows nothing
of the rest of the org file.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from runner.local_org.catalog import names
from runner.local_org.catalog.declared_fields import auto_numbered
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.catalog.section import Section

_NAME_LENGTH = 80
_TEXT_LENGTH = 1000
_UUID_LENGTH = 36
_DEVELOPER_NAME_LENGTH = 40
_NAMESPACE_LENGTH = 15
_QUALIFIED_NAME_LENGTH = 70
_FLAGS = {
    "c": "compactLayoutable createable deletable feedEnabled layoutable mruEnabled queryable "
    "replicateable retrieveable searchable searchLayoutable triggerable undeletable updateable",
    "e": "createable triggerable",
    "mdt": "layoutable queryable retrieveable",
    "": "createable deletable layoutable queryable replicateable retrieveable searchable "
    "triggerable undeletable updateable",
}
"""By the suffix of the name."""
KEY_PREFIX_LETTERS = {"c": "a", "e": "e", "mdt": "m", "": "z"}
"""Salesforce's, except that of further standard objects, whose own are declared."""


def flags_of(kind: str) -> frozenset[str]:
    """What describe says of every object of a kind; `kind` is the suffix of its name."""
    return frozenset(_FLAGS[kind].split())


def _reference(name: str, label: str, *parents: str, defaulted: bool = True) -> Field:
    return Field(
        name=name,
        label=label,
        type="reference",
        length=18,
        nillable=not defaulted,
        createable=False,
        updateable=False,
        defaulted_on_create=defaulted,
        relationship_name=name.removesuffix("Id"),
        reference_to=parents,
        polymorphic=len(parents) > 1,
        soap_type="tns:ID",
    )


def _moment(name: str, label: str, *, nillable: bool = False) -> Field:
    return Field(
        name=name,
        label=label,
        type="datetime",
        nillable=nillable,
        createable=False,
        updateable=False,
        defaulted_on_create=not nillable,
        groupable=False,
        soap_type="xsd:dateTime",
    )


def _writeable(field: Field) -> Field:
    return replace(field, createable=True, updateable=True)


RECORD_TYPE_ID = _writeable(
    _reference("RecordTypeId", "Record Type ID", "RecordType", defaulted=False)
)
OWNER_ID = _writeable(_reference("OwnerId", "Owner ID", "Group", "User"))


def _id() -> Field:
    return Field(
        name="Id",
        label="Record ID",
        type="id",
        length=18,
        nillable=False,
        createable=False,
        updateable=False,
        defaulted_on_create=True,
        id_lookup=True,
        soap_type="tns:ID",
    )


def read_only_flag(name: str, label: str) -> Field:
    """A checkbox that the org keeps itself; false in a new record."""
    return Field(
        name=name,
        label=label,
        type="boolean",
        nillable=False,
        createable=False,
        updateable=False,
        defaulted_on_create=True,
        aggregatable=False,
        default=False,
        soap_type="xsd:boolean",
    )


def _text(name: str, label: str, length: int, *, nillable: bool = True) -> Field:
    return Field(
        name=name,
        label=label,
        type="string",
        length=length,
        nillable=nillable,
        createable=False,
        updateable=False,
    )


def _system() -> tuple[Field, ...]:
    return (
        _moment("CreatedDate", "Created Date"),
        _reference("CreatedById", "Created By ID", "User"),
        _moment("LastModifiedDate", "Last Modified Date"),
        _reference("LastModifiedById", "Last Modified By ID", "User"),
        _moment("SystemModstamp", "System Modstamp"),
    )


def _fields(kind: str, label: str, section: Section) -> tuple[Field, ...]:
    name_field = section.section("name_field")
    match kind:
        case "c":
            return (
                _id(),
                OWNER_ID,
                read_only_flag("IsDeleted", "Deleted"),
                _name_field(label, name_field),
                *_system(),
                _moment("LastViewedDate", "Last Viewed Date", nillable=True),
                _moment("LastReferencedDate", "Last Referenced Date", nillable=True),
            )
        case "e":
            return (
                _text("ReplayId", "Replay ID", _TEXT_LENGTH),
                *_system()[:2],
                _text("EventUuid", "Event UUID", _UUID_LENGTH),
            )
        case "mdt":
            return (
                _id(),
                _text("DeveloperName", "Name", _DEVELOPER_NAME_LENGTH, nillable=False),
                _text("MasterLabel", "Label", _DEVELOPER_NAME_LENGTH, nillable=False),
                _text("Language", "Master Language", _DEVELOPER_NAME_LENGTH),
                _text("NamespacePrefix", "Namespace Prefix", _NAMESPACE_LENGTH),
                _text("Label", "Label", _DEVELOPER_NAME_LENGTH),
                _text("QualifiedApiName", "Qualified API Name", _QUALIFIED_NAME_LENGTH),
                _moment("SystemModstamp", "System Modstamp"),
            )
        case _:
            named = (_name_field(label, name_field),) if "name_field" in section else ()
            return (_id(), read_only_flag("IsDeleted", "Deleted"), *named, *_system())


def skeleton(name: str, section: Section, key_prefix: str) -> SObject:
    """A declared object with only the fields that every one of its kind has."""
    kind = names.suffix(name) or ""
    label = section.text("label", names.label(name))
    return SObject(
        name=name,
        label=label,
        label_plural=section.text("plural_label", f"{label}s"),
        key_prefix=key_prefix,
        fields=_fields(kind, label, section),
        custom=kind != "",
        flags={flag: flag in _FLAGS[kind].split() for flag in _FLAGS["c"].split()},
    )


def _name_field(label: str, section: Section) -> Field:
    """The Name field: text that defaults to the record's Id, or an auto-number."""
    section.only("type", "label", "format")
    kind = section.choice("type", ("text", "auto_number"), "text")
    field = Field(
        name="Name",
        label=section.text("label", f"{label} Name"),
        type="string",
        length=_NAME_LENGTH,
        defaulted_on_create=True,
        id_lookup=True,
        name_field=True,
    )
    return auto_numbered(field, section) if kind == "auto_number" else field


def without_owner_of_details(sobject: SObject, fields: Mapping[str, Field]) -> tuple[Field, ...]:
    """Number the masters of a detail object and drop its OwnerId: the master's owner owns it."""
    masters = [field.name for field in fields.values() if field.master_detail_order is not None]
    result = []
    for field in fields.values():
        if sobject.custom and masters and field.name == "OwnerId":
            continue
        order = masters.index(field.name) if field.name in masters else None
        result.append(replace(field, master_detail_order=order))
    return tuple(result)
