"""Answers of describe, as far as an org file can declare what they say.

Knows the members' names and types, which are Salesforce's. Knows nothing of org files.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct


class DescribedValue(Struct, frozen=True, rename="camel"):
    """One value of a picklist."""

    value: str | None = None
    active: bool = True
    default_value: bool | None = None


class DescribedField(Struct, frozen=True, rename="camel"):
    """One field."""

    name: str
    type: str
    label: str | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    digits: int | None = None
    nillable: bool | None = None
    createable: bool | None = None
    updateable: bool | None = None
    defaulted_on_create: bool | None = None
    unique: bool | None = None
    external_id: bool | None = None
    case_sensitive: bool | None = None
    auto_number: bool | None = None
    calculated: bool | None = None
    html_formatted: bool | None = None
    custom: bool | None = None
    name_field: bool | None = None
    compound_field_name: str | None = None
    relationship_name: str | None = None
    relationship_order: int | None = None
    reference_to: tuple[str, ...] | None = None
    cascade_delete: bool | None = None
    restricted_delete: bool | None = None
    restricted_picklist: bool | None = None
    default_value: object = None
    default_value_formula: str | None = None
    inline_help_text: str | None = None
    picklist_values: tuple[DescribedValue, ...] | None = None

    @property
    def values(self) -> list[str]:
        """The values of a picklist that a record can have."""
        listed = (each.value for each in self.picklist_values or () if each.active)
        return list(dict.fromkeys(value for value in listed if value))

    @property
    def default_choice(self) -> str | None:
        """The value of a picklist that new records get."""
        found = (each.value for each in self.picklist_values or () if each.default_value)
        return next((each for each in found if each in self.values), None)

    @property
    def is_written(self) -> bool:
        """Whether the user may set it, at least once."""
        return bool(self.createable or self.updateable)

    @property
    def is_required(self) -> bool:
        """Whether a record always has a value: the user's, or the default."""
        is_own = bool(self.custom or self.is_written)  # not one that the org itself fills
        return self.nillable is False and is_own and not self.calculated


class DescribedRecordType(Struct, frozen=True, rename="camel"):
    """One record type, or the master of an object without any."""

    name: str
    developer_name: str | None = None
    active: bool = True
    default_record_type_mapping: bool = False
    master: bool = False


class DescribedChildren(Struct, frozen=True):
    """One list of children."""

    sobject: str = msgspec.field(name="childSObject")
    field: str
    name: str | None = msgspec.field(name="relationshipName", default=None)


class DescribedObject(Struct, frozen=True, rename="camel"):
    """One object."""

    name: str
    fields: tuple[DescribedField, ...]
    label: str = ""
    label_plural: str = ""
    key_prefix: str | None = None
    record_type_infos: tuple[DescribedRecordType, ...] | None = None
    child_relationships: tuple[DescribedChildren, ...] | None = None


class ListedObject(Struct, frozen=True, rename="camel"):
    """One object in the list of all."""

    name: str
    label: str = ""
    label_plural: str = ""
    key_prefix: str | None = None


class ListedObjects(Struct, frozen=True):
    """The list of all."""

    sobjects: tuple[ListedObject, ...] = ()
