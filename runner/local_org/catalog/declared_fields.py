"""Turns the declaration of a field into the field that describe returns.

Knows the field types of the org file. Knows nothing of stores or of other sObjects' fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from runner.local_org.catalog import names
from runner.local_org.catalog.model import Field, PicklistValue
from runner.local_org.catalog.section import Section

_COMMON_KEYS = ("type", "label", "required", "default", "help", "access")
_ACCESS = ("read_write", "read_only", "hidden")
_LONG_TEXT = 131_072
_TEXT = 255


class FieldType(Struct, frozen=True):
    """A field type of the org file in describe's terms."""

    describe_type: str
    soap_type: str
    keys: tuple[str, ...] = ()
    length: int = 0
    most_length: int = 0
    groupable: bool = True
    searchable: bool = True
    """Whether it can be filtered and sorted by."""


FIELD_TYPES = {
    "text": FieldType(
        "string", "xsd:string", ("length", "unique", "case_sensitive", "external_id"), _TEXT, _TEXT
    ),
    "long_text": FieldType(
        "textarea", "xsd:string", ("length",), 32_768, _LONG_TEXT, groupable=False, searchable=False
    ),
    "rich_text": FieldType(
        "textarea", "xsd:string", ("length",), 32_768, _LONG_TEXT, groupable=False, searchable=False
    ),
    "email": FieldType("email", "xsd:string", ("unique", "external_id"), 80, 80),
    "phone": FieldType("phone", "xsd:string", (), 40, 40),
    "url": FieldType("url", "xsd:string", (), _TEXT, _TEXT),
    "checkbox": FieldType("boolean", "xsd:boolean"),
    "number": FieldType(
        "double", "xsd:double", ("precision", "scale", "unique", "external_id"), groupable=False
    ),
    "currency": FieldType("currency", "xsd:double", ("precision", "scale"), groupable=False),
    "percent": FieldType("percent", "xsd:double", ("precision", "scale"), groupable=False),
    "date": FieldType("date", "xsd:date"),
    "datetime": FieldType("datetime", "xsd:dateTime", groupable=False),
    "time": FieldType("time", "xsd:time"),
    "picklist": FieldType("picklist", "xsd:string", ("values", "restricted"), _TEXT, _TEXT),
    "multi_picklist": FieldType(
        "multipicklist", "xsd:string", ("values", "restricted"), 4099, 4099, groupable=False
    ),
    "lookup": FieldType(
        "reference", "tns:ID", ("to", "relationship", "child_relationship", "on_delete"), 18, 18
    ),
    "master_detail": FieldType(
        "reference", "tns:ID", ("to", "relationship", "child_relationship", "reparentable"), 18, 18
    ),
    "auto_number": FieldType("string", "xsd:string", ("format", "external_id"), 30, 30),
    "location": FieldType("location", "urn:location", ("scale",), groupable=False),
    "encrypted_text": FieldType(
        "encryptedstring", "xsd:string", ("length",), 175, 175, groupable=False, searchable=False
    ),
}


def declared_fields(name: str, section: Section) -> list[Field]:
    """The fields of one declared field: one, three for a location, none if it is hidden.

    A name without `__c` is that of a standard field that the org lacks.
    """
    if names.suffix(name) not in {"c", ""}:
        section.report("a custom field's name is letters, digits and single _, ending in __c")
        return []
    kind = FIELD_TYPES.get(section.choice("type", tuple(FIELD_TYPES), "text"))
    if "type" not in section or kind is None:
        section.report(
            "a field that the org does not have needs a type",
            *(("type",) if "type" in section else ()),
        )
        return []
    section.only(*_COMMON_KEYS, *kind.keys)
    if section.text("type") == "location":
        made = _location(name, section)
    else:
        made = [_shaped(_plain(name, section, kind), section)]
    return with_access(made, section)


def adjusted_field(field: Field, section: Section) -> list[Field]:
    """A standard field with the org file's changes: labels, access and picklist."""
    section.only("access", "values", "restricted", "required", "label", "help", "default")
    field = replace(
        field,
        label=section.text("label", field.label),
        help=section.text("help") or field.help,
    )
    if "default" in section and not field.picklist:
        section.report("only a standard field that is a picklist has another default", "default")
    elif "default" in section or "values" in section:
        values = section.texts("values") or [each.value for each in field.picklist]
        is_given = "default" in section
        default = section.raw("default") if is_given else default_among(values, field)
        if default is not None and default not in values:
            section.report(f"{default!r} is not among the values", "default")
        field = replace(field, default=default, defaulted_on_create=default is not None)
        field = _with_picklist(field, section, values)
    if section.flag("required"):
        field = replace(field, nillable=False)
    return with_access([field], section)


def default_among(values: Sequence[str], field: Field) -> str | None:
    """The default of a standard picklist that has these values.

    Salesforce wants one of a status, so the first takes the place of one that is gone.
    """
    if not isinstance(field.default, str) or field.default in values:
        return field.default if isinstance(field.default, str) else None
    return next(iter(values), None)


def with_access(fields: list[Field], section: Section) -> list[Field]:
    """Apply field-level security for the running user."""
    match section.choice("access", _ACCESS, "read_write"):
        case "hidden":
            return []
        case "read_only":
            return [replace(field, createable=False, updateable=False) for field in fields]
        case _:
            return fields


def _plain(name: str, section: Section, kind: FieldType) -> Field:
    required = section.flag("required")
    searchable = kind.searchable and kind.describe_type != "location"
    return Field(
        name=name,
        label=section.text("label", names.label(name)),
        type=kind.describe_type,
        length=section.whole("length", kind.length, 1, kind.most_length)
        if "length" in kind.keys
        else kind.length,
        nillable=not required,
        filterable=searchable,
        sortable=searchable and kind.describe_type != "multipicklist",
        groupable=kind.groupable,
        aggregatable=searchable and kind.describe_type != "boolean",
        unique="unique" in kind.keys and section.flag("unique"),
        external_id="external_id" in kind.keys and section.flag("external_id"),
        id_lookup="external_id" in kind.keys and section.flag("external_id"),
        case_sensitive="case_sensitive" in kind.keys and section.flag("case_sensitive"),
        custom=names.suffix(name) != "",
        default=section.raw("default"),
        defaulted_on_create=section.raw("default") is not None,
        soap_type=kind.soap_type,
        help=section.text("help") or None,
        encrypted=kind.describe_type == "encryptedstring",
    )


def _shaped(field: Field, section: Section) -> Field:
    """Add what is specific to its type."""
    shape = _SHAPES.get(section.text("type"))
    return field if shape is None else shape(field, section)


def _checkbox(field: Field, section: Section) -> Field:
    ticked = section.flag("default")
    return replace(field, nillable=False, defaulted_on_create=True, default=ticked)


def _long_text(field: Field, _section: Section) -> Field:
    """One of at most 255 characters is Salesforce's Text Area, which queries can compare."""
    short = field.length <= _TEXT
    return replace(field, filterable=short, sortable=short, groupable=short, aggregatable=short)


def _rich_text(field: Field, _section: Section) -> Field:
    return replace(field, html_formatted=True)


def _with_digits(field: Field, section: Section) -> Field:
    precision = section.whole("precision", 18, 1, 18)
    scale = section.whole("scale", 2 if field.type == "currency" else 0, 0, 17)
    if scale > precision:
        section.report("scale is part of precision and cannot be larger", "scale")
    return replace(field, precision=precision, scale=scale)


def _with_picklist(field: Field, section: Section, given: Sequence[str] | None = None) -> Field:
    values = section.texts("values") if given is None else given
    if not values:
        section.report("a picklist needs values")
    for place, value in enumerate(values):
        if value in values[:place]:
            section.report(f"{value!r} appears twice", "values", place)
    return replace(
        field,
        restricted_picklist=section.flag("restricted", default=field.restricted_picklist),
        picklist=tuple(
            PicklistValue(value, value, default=value == field.default) for value in values
        ),
    )


def _with_parent(field: Field, section: Section) -> Field:
    targets = section.texts("to") if isinstance(section.raw("to"), list) else [section.text("to")]
    if not all(targets):
        section.report("a relationship needs `to`: the sObject it points to")
    field = replace(
        field,
        reference_to=tuple(targets),
        polymorphic=len(targets) > 1,
        relationship_name=section.text("relationship", names.parent_relationship(field.name)),
        child_relationship_name=section.text("child_relationship") or None,
    )
    if section.text("type") == "master_detail":
        return replace(
            field,
            nillable=False,
            updateable=section.flag("reparentable"),
            cascade_delete=True,
            master_detail_order=0,
        )
    on_delete = section.choice("on_delete", ("clear", "restrict", "cascade"), "clear")
    return replace(
        field,
        cascade_delete=on_delete == "cascade",
        restricted_delete=on_delete == "restrict",
    )


def auto_numbered(field: Field, section: Section) -> Field:
    """Make a field an auto-number in the format of its section."""
    text = section.text("format", "{0}")
    if re.search(r"\{0+\}", text) is None:
        section.report("an auto-number format needs a number such as {0} or {0000}", "format")
    return replace(
        field,
        nillable=False,
        createable=False,
        updateable=False,
        defaulted_on_create=True,
        auto_number=True,
        auto_number_format=text,
    )


def _location(name: str, section: Section) -> list[Field]:
    compound = _plain(name, section, FIELD_TYPES["location"])
    scale = section.whole("scale", 6, 0, 15)
    stem = name.removesuffix("__c")
    parts = [
        replace(
            compound,
            name=f"{stem}__{part}__s",
            label=f"{compound.label} ({part})",
            type="double",
            precision=scale + 3,
            scale=scale,
            filterable=True,
            sortable=True,
            aggregatable=True,
            soap_type="xsd:double",
            compound_field_name=name,
        )
        for part in ("Latitude", "Longitude")
    ]
    return [*parts, replace(compound, nillable=True, createable=False, updateable=False)]


_SHAPES: dict[str, Callable[[Field, Section], Field]] = {
    "checkbox": _checkbox,
    "number": _with_digits,
    "currency": _with_digits,
    "percent": _with_digits,
    "picklist": _with_picklist,
    "multi_picklist": _with_picklist,
    "lookup": _with_parent,
    "master_detail": _with_parent,
    "auto_number": auto_numbered,
    "rich_text": _rich_text,
    "long_text": _long_text,
}
