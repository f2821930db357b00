"""sObjects about the org: its objects and fields, and what the user may do.

Knows how queries see the catalog. Knows nothing of SOQL's syntax.

They have no table. Rows from the catalog are passed to SQLite as one JSON text, rows about records
as a view over them, so filters, sorting and shapes work as for any sObject.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from msgspec import Struct

from runner.local_org.catalog import names
from runner.local_org.catalog.model import Catalog, Field, SObject
from runner.local_org.ids import make_id
from runner.local_org.org import Org, User
from runner.local_org.store import quoted

_Row = tuple[object, ...]


class Described(Struct, frozen=True):
    """An sObject without a table, and the SQL for its rows."""

    sobject: SObject
    table: Callable[[], str]


def described(org: Org, user: User) -> tuple[Described, ...]:
    """Every sObject whose rows come from the catalog."""
    return (
        Described(_ENTITIES, lambda: _listed(_ENTITIES, _entities(org.catalog))),
        Described(_FIELDS, lambda: _listed(_FIELDS, _fields(org.catalog))),
        Described(_ACCESS, lambda: _access(org.catalog, user)),
        Described(_PERMISSIONS, lambda: _listed(_PERMISSIONS, [_permissions(org)])),
    )


def _listed(sobject: SObject, rows: Iterable[_Row]) -> str:
    columns = ", ".join(
        f"json_extract(value, '$[{place}]') AS {quoted(field.name)}"
        for place, field in enumerate(sobject.fields)
    )
    listed = json.dumps(list(rows)).replace("'", "''")
    return f"(SELECT {columns} FROM json_each('{listed}'))"  # noqa: S608 - quotes are doubled


def _text(name: str) -> Field:
    return Field(name, name, "string", length=255, createable=False, updateable=False)


def _flag(name: str) -> Field:
    return Field(name, name, "boolean", nillable=False, createable=False, updateable=False)


def _key(name: str, *, to: str | None = None, relationship: str | None = None) -> Field:
    return Field(
        name,
        name,
        "reference" if to else "id",
        length=18,
        createable=False,
        updateable=False,
        relationship_name=relationship,
        reference_to=(to,) if to else (),
        soap_type="tns:ID",
    )


_ENTITIES = SObject(
    "EntityDefinition",
    "Object",
    "Objects",
    "4ie",
    (
        _key("Id"),
        _text("DurableId"),
        _text("QualifiedApiName"),
        _text("DeveloperName"),
        _text("MasterLabel"),
        _text("Label"),
        _text("PluralLabel"),
        _text("KeyPrefix"),
        _text("NamespacePrefix"),
        _text("InternalSharingModel"),
        _flag("IsCustomizable"),
        _flag("IsCustomSetting"),
        _flag("IsQueryable"),
        _flag("IsTriggerable"),
        _flag("IsDeprecatedAndHidden"),
        _flag("IsReplicateable"),
        _flag("IsRetrieveable"),
        _flag("IsLayoutable"),
        _flag("IsWorkflowEnabled"),
        _flag("IsApexTriggerable"),
        _flag("IsEverCreatable"),
        _flag("IsEverUpdatable"),
        _flag("IsEverDeletable"),
        _flag("IsIdEnabled"),
        _flag("IsSearchable"),
    ),
)
_FIELDS = SObject(
    "FieldDefinition",
    "Field",
    "Fields",
    "4dt",
    (
        _key("Id"),
        _text("DurableId"),
        _text("QualifiedApiName"),
        _text("DeveloperName"),
        _text("MasterLabel"),
        _text("Label"),
        _text("DataType"),
        _text("ValueTypeId"),
        _text("NamespacePrefix"),
        Field("Length", "Length", "int", createable=False, updateable=False),
        Field("Precision", "Precision", "int", createable=False, updateable=False),
        Field("Scale", "Scale", "int", createable=False, updateable=False),
        _text("RelationshipName"),
        _key("EntityDefinitionId", to="EntityDefinition", relationship="EntityDefinition"),
        _flag("IsNillable"),
        _flag("IsIndexed"),
        _flag("IsCalculated"),
        _flag("IsCompound"),
        _flag("IsApiFilterable"),
        _flag("IsApiSortable"),
        _flag("IsApiGroupable"),
        _flag("IsNameField"),
        _flag("IsPolymorphicForeignKey"),
    ),
)
_ACCESS = SObject(
    "UserRecordAccess",
    "User Record Access",
    "User Record Access",
    "0JF",
    (
        _key("Id"),
        _key("UserId"),
        _key("RecordId"),
        _flag("HasReadAccess"),
        _flag("HasEditAccess"),
        _flag("HasDeleteAccess"),
        _flag("HasTransferAccess"),
        _flag("HasAllAccess"),
        _text("MaxAccessLevel"),
    ),
)


_PERMISSIONS = SObject(
    "UserPermissionAccess",
    "User Permission Access",
    "User Permission Access",
    "0HK",
    (
        _key("Id"),
        Field("LastCacheUpdate", "Last Cache Update", "datetime"),
        *(
            _flag(f"Permissions{name}")
            for name in (
                "ApiEnabled",
                "BulkApiHardDelete",
                "EditReadonlyFields",
                "ModifyAllData",
                "QueryAllFiles",
                "ViewAllData",
                "ViewSetup",
            )
        ),
    ),
)
"""What the user who asks may do, in one row. Source: field reference, UserPermissionAccess."""


def _permissions(org: Org) -> _Row:
    """The user may do everything but what the settings refuse; see `restrictions` for files."""
    hard = org.settings.hard_delete_allowed
    return (make_id("0HK", 0), None, True, hard, True, True, False, True, True)


def _developer_name(name: str) -> str:
    return name.removeprefix(names.namespace(name)).partition("__")[0]


def _entities(catalog: Catalog) -> Iterable[_Row]:
    for number, sobject in enumerate(catalog.sobjects):
        flags = sobject.flags
        yield (
            make_id("4ie", number),
            sobject.name,
            sobject.name,
            _developer_name(sobject.name),
            sobject.label,
            sobject.label,
            sobject.label_plural,
            sobject.key_prefix,
            None,
            "ReadWrite",
            True,
            False,
            flags.get("queryable", True),
            flags.get("triggerable", True),
            False,
            flags.get("replicateable", True),
            flags.get("retrieveable", True),
            flags.get("layoutable", True),
            True,
            flags.get("triggerable", True),
            flags.get("createable", True),
            flags.get("updateable", True),
            flags.get("deletable", True),
            True,
            flags.get("searchable", True),
        )


def _fields(catalog: Catalog) -> Iterable[_Row]:
    for number, sobject in enumerate(catalog.sobjects):
        for place, field in enumerate(sobject.fields):
            yield (
                make_id("4dt", number * 1000 + place),
                f"{sobject.name}.{field.name}",
                field.name,
                _developer_name(field.name),
                field.label,
                field.label,
                field.type,
                field.type,
                None,
                field.length,
                field.precision,
                field.scale,
                field.relationship_name,
                make_id("4ie", number),
                field.nillable,
                field.external_id or field.unique or field.id_lookup,
                field.calculated,
                field.type in {"address", "location"},
                field.filterable,
                field.sortable,
                field.groupable,
                field.name_field,
                field.polymorphic,
            )


def _access(catalog: Catalog, user: User) -> str:
    """Every user has all access: one row per record."""
    granted = ", ".join(f'1 AS "{field.name}"' for field in _ACCESS.fields[3:-1])
    rows = " UNION ALL ".join(
        f'SELECT "Id", \'{user.id}\' AS "UserId", "Id" AS "RecordId", {granted}, '  # noqa: S608
        f"'All' AS \"MaxAccessLevel\" FROM {quoted(sobject.name)}"
        for sobject in catalog.sobjects
    )
    return f"({rows})"
