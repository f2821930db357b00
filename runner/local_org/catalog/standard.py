"""The sObjects of every org, read from the tables beside this module.

Knows the format of those tables. Knows nothing of org files.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from msgspec.structs import replace

from runner.local_org.catalog.model import Catalog, ChildRelationship, Field, PicklistValue, SObject

_AUTO_NUMBER_FORMAT = "{00000000}"
_AUTO_NUMBER_FORMATS = {"LineNumber": "QL-{00000}"}
_FIELD_TABLES = ("standard_fields.csv", "more_fields.csv", "reference_fields.csv")
"""The first two are describes as recorded; the last is Salesforce's Object Reference."""
_RECORDED_MEMBERS = "recorded_members.csv"
"""Members of describe, as recorded, that do not follow from the other columns."""


@cache
def standard_catalog() -> Catalog:
    """The catalog of an org without customisation."""
    recorded: dict[tuple[str, str], list[tuple[str, object]]] = defaultdict(list)
    for row in table(_RECORDED_MEMBERS):
        value = json.loads(row["value"])
        recorded[row["object"], row["field"]].append((row["member"], value))
    fields: dict[str, list[Field]] = defaultdict(list)
    for name in _FIELD_TABLES:
        for row in table(name):
            members = tuple(recorded[row["object"], row["name"]])
            fields[row["object"]].append(replace(_field(row), recorded=members))
    sobjects = tuple(_sobject(row, fields[row["object"]]) for row in table("standard_objects.csv"))
    return with_children(sobjects, _recorded_children())


@cache
def further_fields() -> dict[str, tuple[str, ...]]:
    """Standard fields by sObject that can be declared: those of features to switch on."""
    return {row["object"]: tuple(row["names"].split()) for row in table("further_fields.csv")}


def with_children(
    sobjects: tuple[SObject, ...], recorded: Iterable[tuple[str, ChildRelationship]]
) -> Catalog:
    """Give each parent its child relationships: first the recorded ones, then those of fields.

    `recorded` pairs a parent's name with one relationship.
    """
    children: dict[str, dict[tuple[str, str], ChildRelationship]] = defaultdict(dict)
    for parent, child in recorded:
        children[parent][child.child_sobject, child.field] = child
    for child_sobject in sobjects:
        for parent, child in _children_of_fields(child_sobject):
            known = children[parent]
            if _names_free(known.values(), child):
                known.setdefault((child.child_sobject, child.field), child)
    return Catalog(tuple(_parented(item, children[item.name].values()) for item in sobjects))


def _names_free(known: Iterable[ChildRelationship], child: ChildRelationship) -> bool:
    name = child.relationship_name
    return name is None or all(item.relationship_name != name for item in known)


def _parented(sobject: SObject, children: Iterable[ChildRelationship]) -> SObject:
    ordered = tuple(sorted(children, key=lambda item: (item.child_sobject, item.field)))
    return replace(sobject, children=ordered)


def _children_of_fields(sobject: SObject) -> Iterator[tuple[str, ChildRelationship]]:
    for field in sobject.fields:
        for parent in field.reference_to:
            yield (
                parent,
                ChildRelationship(
                    sobject.name,
                    field.name,
                    field.child_relationship_name,
                    field.cascade_delete,
                    field.restricted_delete,
                ),
            )


def _recorded_children() -> Iterator[tuple[str, ChildRelationship]]:
    for row in table("child_relationships.csv"):
        yield (
            row["parent"],
            ChildRelationship(
                row["childSObject"],
                row["field"],
                row["relationshipName"] or None,
                row["cascadeDelete"] == "True",
                row["restrictedDelete"] == "True",
            ),
        )


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this module, by column."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _sobject(row: dict[str, str], fields: list[Field]) -> SObject:
    return SObject(
        name=row["object"],
        label=row["label"],
        label_plural=row["labelPlural"],
        key_prefix=row["keyPrefix"],
        fields=tuple(fields),
        flags=dict.fromkeys(row["flags"].split(), True),
    )


def _field(row: dict[str, str]) -> Field:
    def flag(column: str) -> bool:
        return row[column] == "true"

    return Field(
        name=row["name"],
        label=row["label"],
        type=row["type"],
        length=int(row["length"]),
        precision=int(row["precision"]),
        scale=int(row["scale"]),
        digits=int(row["digits"]),
        nillable=flag("nillable"),
        createable=flag("createable"),
        updateable=flag("updateable"),
        defaulted_on_create=flag("defaultedOnCreate"),
        filterable=flag("filterable"),
        sortable=flag("sortable"),
        groupable=flag("groupable"),
        aggregatable=flag("aggregatable"),
        unique=flag("unique"),
        external_id=flag("externalId"),
        id_lookup=flag("idLookup"),
        name_field=flag("nameField"),
        auto_number=flag("autoNumber"),
        calculated=flag("calculated"),
        case_sensitive=flag("caseSensitive"),
        compound_field_name=_compound(row),
        relationship_name=row["relationshipName"] or None,
        reference_to=tuple(row["referenceTo"].split(";")) if row["referenceTo"] else (),
        polymorphic=flag("polymorphicForeignKey"),
        restricted_picklist=flag("restrictedPicklist"),
        default=_default(row),
        picklist=tuple(
            _picklist_value(value) for value in row["picklistValues"].split("|") if value
        ),
        soap_type=row["soapType"],
        auto_number_format=_AUTO_NUMBER_FORMATS.get(row["name"], _AUTO_NUMBER_FORMAT)
        if flag("autoNumber")
        else None,
    )


def _compound(row: dict[str, str]) -> str | None:
    name = row["compoundFieldName"]
    return name if name and name != row["name"] else None


def _default(row: dict[str, str]) -> object:
    if row["type"] == "boolean":
        return row["defaultValue"] == "true"
    return row["defaultValue"] or None


def _picklist_value(text: str) -> PicklistValue:
    """One value of a cell: `value`, or `value=label`, with `*` at its end if it is the default."""
    entry = text.removesuffix("*")
    value, _, label = entry.partition("=")
    return PicklistValue(value, label or value, default=entry != text)
