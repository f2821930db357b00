"""Turns a CustomField into the declaration of a field in an org file.

Knows the field types of the Metadata API and those of the org file. Knows nothing of other objects
than `Context` tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct, field

from runner.diagnostics import Diagnostic
from runner.metadata.picklists import picklist
from runner.metadata.project import Component
from runner.metadata.values import Values
from runner.suggest import did_you_mean

Declaration = dict[str, object]
_TYPES = {
    "AutoNumber": "auto_number",
    "Checkbox": "checkbox",
    "Currency": "currency",
    "Date": "date",
    "DateTime": "datetime",
    "Email": "email",
    "EncryptedText": "encrypted_text",
    "ExternalLookup": "text",
    "Hierarchy": "lookup",
    "Html": "rich_text",
    "IndirectLookup": "text",
    "Location": "location",
    "LongTextArea": "long_text",
    "Lookup": "lookup",
    "MasterDetail": "master_detail",
    "MetadataRelationship": "lookup",
    "MultiselectPicklist": "multi_picklist",
    "Number": "number",
    "Percent": "percent",
    "Phone": "phone",
    "Picklist": "picklist",
    "Summary": "number",
    "Text": "text",
    "TextArea": "long_text",
    "Time": "time",
    "Url": "url",
}
_NOT_DECLARED = frozenset({"Address", "Array", "File"})
_TEXT_AREA = 255
_MOST_LABEL = 80
_NEVER_REQUIRED = frozenset({"checkbox", "auto_number", "master_detail", "location"})
_NUMBERS = frozenset({"number", "currency", "percent"})
_TEXTS = frozenset({"text", "email", "phone", "url"})
_DEFINITIONS = frozenset({"EntityDefinition", "EntityParticle", "FieldDefinition"})
"""What a MetadataRelationship may point to besides custom metadata; no org file has them."""
_OUTSIDE = frozenset({"ExternalLookup", "IndirectLookup"})
"""References to objects that no org file has."""
_ON_DELETE = {"Restrict": "restrict", "Cascade": "cascade"}
_QUOTED = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Context(Struct, frozen=True):
    """What the declaration of a field needs to know besides the field."""

    value_sets: Mapping[str, Component]
    """Global value sets by name in lower case."""
    summed: Callable[[str], Declaration | None]
    """How `Invoice__c.Amount__c`, which a roll-up sums up, is declared."""
    problems: list[Diagnostic] = field(default_factory=list)
    without_values: list[str] = field(default_factory=list)
    """Picklists whose value set is not there."""
    approximate: list[str] = field(default_factory=list)
    """Fields that are declared as another type than theirs, or may be."""


def declared_field(sobject: str, component: Component, context: Context) -> Declaration | None:
    """The declaration of a field; None if an org file cannot have it, or it is wrong."""
    values = Values(component, context.problems)
    kind = _kind(values)
    if kind is None:
        return None
    made: Declaration = {"type": kind}
    label = values.text("label")
    if label and len(label) <= _MOST_LABEL:
        made["label"] = label
    name = f"{sobject}.{component.name}"
    if values.text("type") in _OUTSIDE or values.text("referenceTo") in _DEFINITIONS:
        context.approximate.append(name)
    if is_calculated(component):
        made |= _calculated(name, values, context)
    else:
        made |= _of_kind(name, values, made, context)
    if values.text("inlineHelpText"):
        made["help"] = values.text("inlineHelpText")
    return made


def is_calculated(component: Component) -> bool:
    """Whether the org computes it: a formula or a roll-up."""
    element = component.element
    return bool(element.value("formula")) or element.value("type") == "Summary"


def _kind(values: Values) -> str | None:
    kind = values.text("type")
    if kind in _NOT_DECLARED:
        return None
    if not kind:
        values.report("metadata/missing", f"{values.component.name} has no type")
        return None
    if kind not in _TYPES:
        known = [*_TYPES, *_NOT_DECLARED]
        hint = did_you_mean(kind, known, "The types are those of CustomField in the Metadata API.")
        values.report("metadata/unknown-type", f"there is no field type {kind}", "type", hint)
        return None
    if values.text("referenceTo") in _DEFINITIONS:
        return "text"
    return _TYPES[kind]


def _calculated(name: str, values: Values, context: Context) -> Declaration:
    made: Declaration = {"access": "read_only"}
    if values.text("type") != "Summary":
        return made | _digits(values, _TYPES[values.text("type")])
    if values.text("summaryOperation") == "count":
        return made
    of = context.summed(values.text("summarizedField"))
    if of is None:
        context.approximate.append(name)
        return made
    kept = {key: of[key] for key in ("type", "precision", "scale") if key in of}
    return made | kept


def _of_kind(
    name: str, values: Values, declared: Mapping[str, object], context: Context
) -> Declaration:
    kind = str(declared["type"])
    made: Declaration = {}
    if kind not in _NEVER_REQUIRED and values.flag("required"):
        made["required"] = True
    made |= _length(values, kind) | _digits(values, kind)
    if kind in {"text", "email", "number"} and values.flag("unique"):
        made["unique"] = True
        if kind == "text" and values.flag("caseSensitive"):
            made["case_sensitive"] = True
    if kind in {"text", "email", "number", "auto_number"} and values.flag("externalId"):
        made["external_id"] = True
    if kind == "auto_number" and values.text("displayFormat"):
        made["format"] = values.text("displayFormat")
    if kind == "location" and (scale := values.whole("scale")) is not None:
        made["scale"] = scale
    if kind in {"picklist", "multi_picklist"}:
        return made | _picklist(name, values, context)
    if kind in {"lookup", "master_detail"}:
        return made | _reference(values, kind)
    return made | _default(values, kind)


def _length(values: Values, kind: str) -> Declaration:
    if values.text("type") == "TextArea":
        return {"length": _TEXT_AREA}
    if kind not in {"text", "long_text", "rich_text", "encrypted_text"}:
        return {}
    length = values.whole("length")
    return {} if length is None else {"length": length}


def _digits(values: Values, kind: str) -> Declaration:
    if kind not in _NUMBERS:
        return {}
    given = {"precision": values.whole("precision"), "scale": values.whole("scale")}
    return {key: value for key, value in given.items() if value is not None}


def _picklist(name: str, values: Values, context: Context) -> Declaration:
    found = picklist(values, context.value_sets)
    if not found.values:
        context.approximate.append(name)
        context.without_values.append(f"{name} ({found.value_set})" if found.value_set else name)
        return {"type": "text"}
    made: Declaration = {"values": list(found.values)}
    if found.restricted:
        made["restricted"] = True
    return made | ({"default": found.default} if found.default else {})


def _reference(values: Values, kind: str) -> Declaration:
    to = values.text("referenceTo") or ("User" if values.text("type") == "Hierarchy" else "")
    if not to:
        values.report("metadata/missing", f"{values.component.name} has no referenceTo")
    made: Declaration = {"to": to}
    if children := values.text("relationshipName"):
        made["child_relationship"] = f"{_namespace(values.component.name)}{children}__r"
    if kind == "master_detail":
        return made | ({"reparentable": True} if values.flag("reparentableMasterDetail") else {})
    on_delete = _ON_DELETE.get(values.text("deleteConstraint"))
    return made | ({"on_delete": on_delete} if on_delete else {})


def _namespace(name: str) -> str:
    parts = name.split("__")
    return f"{parts[0]}__" if len(parts) > 2 else ""  # noqa: PLR2004 - namespace, name, suffix


def _default(values: Values, kind: str) -> Declaration:
    """A default that is a literal; the local org computes no formulas."""
    text = values.text("defaultValue")
    if kind == "checkbox":
        return {"default": True} if text == "true" else {}
    if kind in _TEXTS and (quoted := _QUOTED.fullmatch(text)):
        return {"default": quoted[1] or quoted[2]} if quoted[1] or quoted[2] else {}
    if kind in _NUMBERS and _NUMBER.fullmatch(text):
        return {"default": float(text) if "." in text else int(text)}
    return {}
