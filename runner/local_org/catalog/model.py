"""The shape of an org: its sObjects and their fields, in describe's terms.

Knows plain frozen values. Knows nothing of where they were declared or how records are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct, field
from msgspec.structs import replace

SYSTEM_COLUMNS = (
    "Id",
    "IsDeleted",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
)
"""Columns of every table, also where describe shows only some of them (platform events)."""


class PicklistValue(Struct, frozen=True):
    """One entry of a picklist."""

    value: str
    label: str
    active: bool = True
    default: bool = False


class Field(Struct, frozen=True):
    """One field of an sObject; names and meanings are those of describe."""

    name: str
    label: str
    type: str
    """Describe's type: id, reference, string, textarea, boolean, int, double, currency, percent,
    date, datetime, time, picklist, multipicklist, email, phone, url, address, location, base64…"""
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted_on_create: bool = False
    filterable: bool = True
    sortable: bool = True
    groupable: bool = True
    aggregatable: bool = True
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    name_field: bool = False
    auto_number: bool = False
    calculated: bool = False
    case_sensitive: bool = False
    custom: bool = False
    compound_field_name: str | None = None
    relationship_name: str | None = None
    """Name of the path from this reference to its parent (`Account` for `AccountId`)."""
    reference_to: tuple[str, ...] = ()
    polymorphic: bool = False
    restricted_picklist: bool = False
    default: object = None
    picklist: tuple[PicklistValue, ...] = ()
    soap_type: str = "xsd:string"
    cascade_delete: bool = False
    restricted_delete: bool = False
    child_relationship_name: str | None = None
    """Name of the parent's list of these children (`Contacts`)."""
    auto_number_format: str | None = None
    """Display format of an auto-number, `{00000000}` for CaseNumber."""
    help: str | None = None
    html_formatted: bool = False
    encrypted: bool = False
    recorded: tuple[tuple[str, object], ...] = ()
    """Members of describe that a recording has otherwise than its rules."""
    master_detail_order: int | None = None
    """0 for the first master of a detail object, 1 for the second; None for lookups."""

    @property
    def required_on_create(self) -> bool:
        """Whether a create without a value is refused."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def stored(self) -> bool:
        """Whether the field has a column; compounds and formulas are computed on read."""
        return self.type not in {"address", "location"} and not self.calculated


class ChildRelationship(Struct, frozen=True):
    """One list of children of a parent."""

    child_sobject: str
    field: str
    relationship_name: str | None
    cascade_delete: bool = False
    restricted_delete: bool = False


class RecordType(Struct, frozen=True):
    """One record type of an sObject."""

    id: str
    """18-character Id of the RecordType record."""
    developer_name: str
    label: str
    active: bool = True
    default: bool = False
    person: bool = False
    """Whether accounts of this type are people."""


class ValidationRule(Struct, frozen=True):
    """Refuses a record for which one of `conditions` holds, as the org file declares it."""

    name: str
    conditions: tuple[Mapping[str, object], ...]
    """Each: field name to the value for which the rule fails; see `records.rules`."""
    message: str
    field: str | None = None
    """The field of the error; None for the record as a whole."""


class DuplicateRule(Struct, frozen=True):
    """Finds records with the same values in some fields."""

    name: str
    fields: tuple[str, ...]
    message: str
    block: bool = True
    """True refuses; False alerts: the caller can insist on saving."""


class SObject(Struct, frozen=True, dict=True):
    """One kind of record."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: tuple[Field, ...]
    custom: bool = False
    children: tuple[ChildRelationship, ...] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)
    """Other booleans of describe: createable, deletable, queryable, replicateable, …"""
    record_types: tuple[RecordType, ...] = ()
    """The declared ones, without the master record type of every sObject."""
    validation_rules: tuple[ValidationRule, ...] = ()
    duplicate_rules: tuple[DuplicateRule, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {item.name.lower(): item for item in self.fields}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {
            item.relationship_name.lower(): item for item in self.fields if item.relationship_name
        }

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of its table: its stored fields, and the system columns."""
        stored = [item.name for item in self.fields if item.stored]
        return (*stored, *(name for name in SYSTEM_COLUMNS if self.field(name) is None))

    def field(self, name: str) -> Field | None:
        """Find a field; names are case-insensitive."""
        return self._by_name.get(name.lower())

    def parent(self, relationship_name: str) -> Field | None:
        """Find the reference field behind a relationship name; case-insensitive."""
        return self._by_relationship.get(relationship_name.lower())

    def child(self, relationship_name: str) -> ChildRelationship | None:
        """Find a child relationship by name; case-insensitive."""
        wanted = relationship_name.lower()
        return next(
            (
                item
                for item in self.children
                if item.relationship_name and item.relationship_name.lower() == wanted
            ),
            None,
        )


def writeable(sobject: SObject) -> SObject:
    """An object that no API call writes, such as custom metadata, as a seed writes it."""
    fields = tuple(
        replace(field, createable=field.name not in SYSTEM_COLUMNS) for field in sobject.fields
    )
    return replace(sobject, fields=fields, flags={**sobject.flags, "createable": True})


class Catalog(Struct, frozen=True, dict=True):
    """All sObjects of an org."""

    sobjects: tuple[SObject, ...]

    @cached_property
    def _by_name(self) -> dict[str, SObject]:
        return {item.name.lower(): item for item in self.sobjects}

    @cached_property
    def _by_prefix(self) -> dict[str, SObject]:
        return {item.key_prefix: item for item in self.sobjects}

    def sobject(self, name: str) -> SObject | None:
        """Find an sObject; names are case-insensitive."""
        return self._by_name.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The sObject of a record Id, by its key prefix."""
        return self._by_prefix.get(record_id[:3])
