"""Resolves a name in a request to a field, or to a parent's field.

Knows the catalog and the two ways of naming a parent by external Id. Knows no values.
"""

from __future__ import annotations

import re

from msgspec import Struct

from runner.local_org.catalog.model import Catalog, Field, SObject

_PATH = re.compile(r"(?:(?P<type>\w+):)?(?P<relationship>\w+)\.(?P<field>\w+)")


class Column(Struct, frozen=True):
    """One column: a field, or a reference given by a parent's key."""

    field: Field
    parent: SObject | None = None
    """The parent's sObject, if the column contains a key of a parent."""
    key: Field | None = None
    """The parent's field whose values the column contains."""


def column_of(catalog: Catalog, sobject: SObject, name: str) -> Column | None:
    """Resolve a CSV header: `Name`, `Account.Ext__c`, `Contact:Who.Ext__c`; None if unknown.

    A polymorphic relationship must name its type.
    """
    field = sobject.field(name)
    if field is not None:
        return Column(field)
    match = _PATH.fullmatch(name)
    if match is None:
        return None
    reference = sobject.parent(match["relationship"])
    if reference is None:
        return None
    parent = parent_of(catalog, reference, match["type"])
    key = parent.field(match["field"]) if parent else None
    if parent is None or key is None or not is_key(key):
        return None
    return Column(reference, parent, key)


def parent_of(catalog: Catalog, reference: Field, named: str | None) -> SObject | None:
    """The sObject that a reference points to; by name if the reference is polymorphic."""
    if named is None:
        return catalog.sobject(reference.reference_to[0]) if not reference.polymorphic else None
    found = catalog.sobject(named)
    return found if found is not None and found.name in reference.reference_to else None


def is_key(field: Field) -> bool:
    """Whether an upsert or a relationship column can find records by this field."""
    return field.external_id or field.id_lookup
