"""Turns the describe of a field into its declaration: the inverse of `declared_fields`.

What describe does not tell is not declared: the format of an auto-number, a formula's text, and
defaults that are no constants. A formula is declared as a field of its
type that nobody can write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.local_org.catalog import names
from runner.local_org.catalog.declared_fields import default_among
from runner.local_org.catalog.described import DescribedField
from runner.local_org.catalog.model import Field

Declaration = dict[str, object]
_TEXT = 255
_MOST_DIGITS = 18
_LONG_TEXT = 131_072
_ENCRYPTED = 175
_MOST_LABEL = 80
_LOCATION_SCALE = 6
_TYPES = {
    "textarea": "long_text",
    "encryptedstring": "encrypted_text",
    "email": "email",
    "phone": "phone",
    "url": "url",
    "boolean": "checkbox",
    "double": "number",
    "int": "number",
    "long": "number",
    "currency": "currency",
    "percent": "percent",
    "date": "date",
    "datetime": "datetime",
    "time": "time",
    "picklist": "picklist",
    "combobox": "picklist",
    "multipicklist": "multi_picklist",
    "reference": "lookup",
    "location": "location",
}
"""By describe's type, where that decides it."""
_NOT_DECLARED = frozenset(
    {"id", "address", "base64", "anyType", "complexvalue", "DataCategoryGroupReference", "json"}
)
_WHOLE = frozenset({"int", "long"})
_TEXTS = frozenset({"text", "long_text", "rich_text", "email", "phone", "url"})
_NUMBERS = frozenset({"number", "currency", "percent"})
_DEFAULTS: Mapping[str, tuple[int, int]] = {
    "number": (18, 0),
    "currency": (18, 2),
    "percent": (18, 0),
}
"""Precision and scale that a declaration has if it names none."""


def pulled_field(
    field: DescribedField,
    *,
    parents: tuple[str, ...],
    children: str | None,
    scale: int | None = None,
    is_writable: bool = True,
) -> Declaration | None:
    """The declaration of a field that the local org lacks; None if an org file cannot declare it.

    Args:
        field: As described.
        parents: The objects that it refers to, as far as the local org has them.
        children: The name of the parents' list of these records, if known.
        scale: Of a location: that of its parts.
        is_writable: Whether fields of its object can be written at all.
    """
    kind = _kind(field, parents)
    if kind is None:
        return None
    made: Declaration = {"type": kind}
    label = field.label or ""
    if label and len(label) <= _MOST_LABEL and label != names.label(field.name):
        made["label"] = label
    made |= _of_type(field, kind, parents, children, scale)
    if field.inline_help_text:
        made["help"] = field.inline_help_text
    if is_writable and not field.auto_number and kind != "location" and not field.is_written:
        made["access"] = "read_only"
    return made


def pulled_change(field: DescribedField, standard: Field) -> Declaration:
    """What is different in a standard field of the local org; empty if nothing is."""
    made: Declaration = {}
    is_own = standard.createable or standard.updateable
    if field.label and field.label != standard.label and len(field.label) <= _MOST_LABEL:
        made["label"] = field.label
    if field.inline_help_text:
        made["help"] = field.inline_help_text
    if is_own and not field.is_written:
        made["access"] = "read_only"
    values = field.values
    known = [each.value for each in standard.picklist if each.active]
    restricted = bool(field.restricted_picklist)
    if values and (values != known or restricted != standard.restricted_picklist):
        made["values"] = values
        if restricted != standard.restricted_picklist:
            made["restricted"] = restricted
    if values and field.default_choice != default_among(values, standard):
        made["default"] = field.default_choice
    if field.is_required and standard.nillable and is_own:
        made["required"] = True
    return made


def _kind(field: DescribedField, parents: tuple[str, ...]) -> str | None:
    """The type in an org file; None if it has none for the field."""
    if field.type in _NOT_DECLARED:
        return None
    if field.auto_number:
        return "auto_number"
    kind = _TYPES.get(field.type, "text")
    lacks_parents = kind == "lookup" and not parents
    lacks_values = kind in {"picklist", "multi_picklist"} and not field.values
    if lacks_parents or lacks_values:
        return "text"
    if kind == "lookup" and field.relationship_order is not None:
        return "master_detail"
    if kind == "long_text" and field.html_formatted:
        return "rich_text"
    too_long = kind == "text" and (field.length or 0) > _TEXT and not field.calculated
    return "long_text" if too_long else kind


def _of_type(
    field: DescribedField,
    kind: str,
    parents: tuple[str, ...],
    children: str | None,
    scale: int | None,
) -> Declaration:
    made: Declaration = _required(field, kind)
    if kind in {"text", "long_text", "rich_text", "encrypted_text"}:
        made |= _length(field, kind)
    if kind in _NUMBERS:
        made |= _digits(field, kind)
    if kind in {"text", "email", "number"} and field.unique:
        made["unique"] = True
    if kind == "text" and field.unique and field.case_sensitive:
        made["case_sensitive"] = True
    if kind in {"text", "email", "number", "auto_number"} and field.external_id:
        made["external_id"] = True
    if kind in {"picklist", "multi_picklist"}:
        made |= _picklist(field)
    if kind in {"lookup", "master_detail"}:
        made |= _reference(field, kind, parents, children)
    if kind == "location" and scale not in {None, _LOCATION_SCALE}:
        made["scale"] = scale
    if kind == "checkbox" and field.default_value is True:
        made["default"] = True
    default = _constant(field.default_value_formula or "", kind)
    return made if default is None else {**made, "default": default}


def _constant(formula: str, kind: str) -> str | int | float | None:
    """The value of a default that is a constant."""
    if kind in _NUMBERS and re.fullmatch(r"-?\d+(\.\d+)?", formula):
        return float(formula) if "." in formula else int(formula)
    text = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', formula, re.DOTALL)
    if text is None or kind not in _TEXTS:
        return None
    return re.sub(r"\\(.)", r"\1", text[1], flags=re.DOTALL)


def _required(field: DescribedField, kind: str) -> Declaration:
    if kind in {"checkbox", "auto_number", "master_detail"} or not field.is_required:
        return {}
    return {"required": True}


def _length(field: DescribedField, kind: str) -> Declaration:
    usual, most = {
        "text": (_TEXT, _TEXT),
        "encrypted_text": (_ENCRYPTED, _ENCRYPTED),
    }.get(kind, (32_768, _LONG_TEXT))
    length = min(field.length or usual, most)
    return {} if length == usual else {"length": length}


def _digits(field: DescribedField, kind: str) -> Declaration:
    given = field.digits if field.type in _WHOLE else field.precision
    precision = min(given or _MOST_DIGITS, _MOST_DIGITS)
    scale = min(field.scale or 0, precision, _MOST_DIGITS - 1)
    usual = _DEFAULTS[kind]
    made: Declaration = {} if precision == usual[0] else {"precision": precision}
    return made if scale == usual[1] else {**made, "scale": scale}


def _picklist(field: DescribedField) -> Declaration:
    made: Declaration = {"values": field.values}
    if field.restricted_picklist:
        made["restricted"] = True
    default = field.default_choice
    return made | ({} if default is None else {"default": default})


def _reference(
    field: DescribedField, kind: str, parents: tuple[str, ...], children: str | None
) -> Declaration:
    made: Declaration = {"to": parents[0] if len(parents) == 1 else list(parents)}
    relationship = field.relationship_name
    if relationship and relationship != names.parent_relationship(field.name):
        made["relationship"] = relationship
    if children:
        made["child_relationship"] = children
    if kind == "master_detail":
        return made | ({"reparentable": True} if field.updateable else {})
    if field.cascade_delete or field.restricted_delete:
        made["on_delete"] = "cascade" if field.cascade_delete else "restrict"
    return made
