"""The standard fields of every custom object: Id, owner, name, system fields.

Knows the standard fields of custom objects. Knows nothing of the rest of the org file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.local_org.catalog.declared_fields import auto_numbered
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.catalog.section import Section

_NAME_LENGTH = 80
_FLAGS = (
    "compactLayoutable createable deletable feedEnabled layoutable mruEnabled queryable "
    "replicateable retrieveable searchable searchLayoutable triggerable undeletable updateable"
)


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


def _is_deleted() -> Field:
    return Field(
        name="IsDeleted",
        label="Deleted",
        type="boolean",
        nillable=False,
        createable=False,
        updateable=False,
        defaulted_on_create=True,
        aggregatable=False,
        default=False,
        soap_type="xsd:boolean",
    )


def skeleton(name: str, section: Section, key_prefix: str) -> SObject:
    """A custom object with only its standard fields."""
    label = section.text("label", name.removesuffix("__c").replace("_", " "))
    fields = (
        _id(),
        OWNER_ID,
        _is_deleted(),
        _name_field(label, section.section("name_field")),
        _moment("CreatedDate", "Created Date"),
        _reference("CreatedById", "Created By ID", "User"),
        _moment("LastModifiedDate", "Last Modified Date"),
        _reference("LastModifiedById", "Last Modified By ID", "User"),
        _moment("SystemModstamp", "System Modstamp"),
        _moment("LastViewedDate", "Last Viewed Date", nillable=True),
        _moment("LastReferencedDate", "Last Referenced Date", nillable=True),
    )
    return SObject(
        name=name,
        label=label,
        label_plural=section.text("plural_label", f"{label}s"),
        key_prefix=key_prefix,
        fields=fields,
        custom=True,
        flags=dict.fromkeys(_FLAGS.split(), True),
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
