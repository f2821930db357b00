"""What a job schema says of an org's field: its label, type and help text, and what fits it.

Knows describes and JSON Schema, as far as editors use both. Knows nothing of tasks or files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.job.endpoints import EXPLICIT_NULL
from runner.salesforce.described import FieldDescribe
from runner.suggest import in_words

Schema = dict[str, object]
VALUE = "field_value"
"""The definition of what a field may be filled with: an expression, a lookup and so on."""
LOOKUP = "lookup_org"
"""The definition of a lookup that knows the org's objects."""
_MOST_VALUES = 200
"""Values of a picklist that are completed and compared; more would make editors slow."""
_SHOWN_VALUES = 8
_WORDS = {
    "string": "text",
    "textarea": "long text",
    "encryptedstring": "encrypted text",
    "boolean": "checkbox",
    "double": "number",
    "int": "whole number",
    "long": "whole number",
    "datetime": "date and time",
    "multipicklist": "multi-select picklist",
    "base64": "file",
    "phone": "phone number",
    "email": "e-mail address",
    "url": "URL",
    "id": "Id",
}
"""Of describe's types; the others are words already."""
_SIZED = frozenset({"string", "textarea", "encryptedstring"})
_DIGITS = frozenset({"double", "currency", "percent"})


def mappings() -> list[Schema]:
    """What a field may be filled with besides a SQL expression."""
    return [{"$ref": f"#/$defs/{name}"} for name in ("file_body", LOOKUP, "record_type", "owner")]


def field_schema(field: FieldDescribe) -> Schema:
    """What `fields` may fill the field with, and what an editor shows about it."""
    about: Schema = {"title": field.name, "description": described(field)}
    if field.createable or field.updateable or field.identifies:
        return about | _value_of(field)
    return about | {
        "type": "null",
        "doNotSuggest": True,
        "errorMessage": f"{field.name} cannot be written.",
    }


def described(field: FieldDescribe) -> str:
    """What people need to know of a field: its label, what it holds, and its help text."""
    said = "; ".join(_facts(field))
    lines = (field.label, f"{said[:1].upper()}{said[1:]}.", field.inline_help_text)
    return "\n".join(each for each in lines if each)


def any_case(names: Iterable[str]) -> str:
    """A regular expression for these texts in any letter case, without a group."""
    return "|".join("".join(map(_any_case, name)) for name in names)


def _facts(field: FieldDescribe) -> Iterator[str]:
    yield _kind(field)
    if field.external_id:
        yield "external Id"
    if field.unique:
        yield "unique"
    if field.required:
        yield "required"
    if field.calculated:
        yield "calculated"
    if not field.createable and not field.updateable:
        yield "read only"
    elif not field.updateable:
        yield "cannot be changed later"
    elif not field.createable:
        yield "can only be changed"


def _kind(field: FieldDescribe) -> str:
    word = _WORDS.get(field.type, field.type)
    if field.reference_to:
        return f"reference to {', '.join(field.reference_to[:_SHOWN_VALUES])}"
    if field.type in _SIZED and field.length:
        return f"{word}, at most {field.length:,} characters"
    if field.type in _DIGITS and field.precision:
        places = f", {field.scale} of them decimal places" if field.scale else ""
        return f"{word}, at most {field.precision} digits{places}"
    values = _values(field)
    if values:
        more = ", …" if len(values) > _SHOWN_VALUES else ""
        only = "only " if field.choices else ""
        return f"{word}, {only}{', '.join(values[:_SHOWN_VALUES])}{more}"
    return word


def _values(field: FieldDescribe) -> tuple[str, ...]:
    return field.choices or field.values


def _value_of(field: FieldDescribe) -> Schema:
    """What fits the field; constants of a picklist are completed."""
    values = _values(field)[:_MOST_VALUES]
    if not values:
        return {"$ref": f"#/$defs/{VALUE}"}
    snippets = [
        {"label": each, "description": "Value of the picklist.", "bodyText": _constant(each)}
        for each in values
    ]
    text = {"type": "string", "minLength": 1, "defaultSnippets": snippets}
    made: Schema = {"anyOf": [*mappings(), text]}
    if field.choices and len(field.choices) <= _MOST_VALUES:
        made["if"] = {"type": "string"}
        made["then"] = {
            "type": "string",
            "pattern": _no_other_constant(field),
            "errorMessage": f"{field.name} only has {in_words(field.choices, 'and')}.",
        }
    return made


def _no_other_constant(field: FieldDescribe) -> str:
    """A pattern for every expression but a constant that the restricted picklist lacks."""
    texts = (each.replace("'", "''") for each in (*field.choices, EXPLICIT_NULL))
    one = f"(?:{any_case(texts)}|\\s*)"
    known = f"{one}(?:;{one})*" if field.type == "multipicklist" else one
    return f"^(?!\\s*'(?!{known}'\\s*$)(?:[^']|'')*'\\s*$)"


def _constant(value: str) -> str:
    """A text as an expression in YAML, as a snippet of an editor."""
    quoted = value.replace("'", "''").replace("\\", "\\\\").replace('"', '\\"')
    return re.sub(r"[\\$}]", r"\\\g<0>", f"\"'{quoted}'\"")


def _any_case(char: str) -> str:
    cases = dict.fromkeys((char, char.upper(), char.lower()))
    alone = [each for each in cases if len(each) == 1]
    if len(alone) > 1:
        return f"[{''.join(alone)}]"
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", char)
