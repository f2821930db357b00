"""The shipped schemas, and a quick check whether a document is valid.

Nearly every document is; then jsonschema, which takes a tenth of a second to load, is not needed.
What is wrong with the others is found by `validate`. Knows the keywords that the shipped schemas
use. Knows nothing of any other keyword, which makes a document not surely valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")
"""In an installed wheel; in a checkout."""

Schema = Mapping[str, Any]


def schema_text(name: str) -> str:
    """Text of a shipped schema, such as `job`: `NAME.schema.json`."""
    files = [folder / f"{name}.schema.json" for folder in _FOLDERS]
    file = next((file for file in files if file.is_file()), files[0])
    return file.read_text(encoding="utf-8")


@cache
def schema_of(name: str) -> dict[str, Any]:
    """A shipped schema as a mapping, which must not be changed."""
    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema


def is_valid(values: object, schema: str, *, definition: str | None = None) -> bool:
    """Whether a document is surely valid; False if it is not, or might not be."""
    root = schema_of(schema)
    return _QuickCheck(root).accepts(
        values, root if definition is None else root["$defs"][definition]
    )


def matches(pattern: str, text: str) -> bool:
    """Match as JSON Schema does: `$` is the very end, unlike in Python."""
    return re.search(pattern.replace("$", r"\Z"), text) is not None


class _QuickCheck:
    """Checks values against one schema."""

    def __init__(self, root: Schema) -> None:
        self._definitions: Mapping[str, Schema] = root.get("$defs", {})

    def accepts(self, value: object, schema: Schema) -> bool:
        for keyword, expected in schema.items():
            if keyword in _ANNOTATIONS:
                continue
            rule = _RULES.get(keyword)
            if rule is None or not rule(self, value, expected, schema):
                return False
        return True

    def _type(self, value: object, expected: str | list[str], _schema: Schema) -> bool:
        kinds = [expected] if isinstance(expected, str) else expected
        return any(_is(value, kind) for kind in kinds)

    def _reference(self, value: object, expected: str, _schema: Schema) -> bool:
        definition = self._definitions.get(expected.removeprefix("#/$defs/"))
        return definition is not None and self.accepts(value, definition)

    def _properties(self, value: object, expected: Schema, _schema: Schema) -> bool:
        if not isinstance(value, dict):
            return True
        return all(
            part is True or self.accepts(value[key], part)
            for key, part in expected.items()
            if key in value
        )

    def _by_pattern(self, value: object, expected: Schema, _schema: Schema) -> bool:
        if not isinstance(value, dict):
            return True
        return all(
            self.accepts(value[key], part)
            for pattern, part in expected.items()
            for key in value
            if matches(pattern, key)
        )

    def _additional(self, value: object, expected: bool | Schema, schema: Schema) -> bool:  # noqa: FBT001 - a value of JSON Schema
        if not isinstance(value, dict) or expected is True:
            return True
        patterns = schema.get("patternProperties", {})
        others = (
            key
            for key in value
            if key not in schema.get("properties", {})
            and not any(matches(pattern, key) for pattern in patterns)
        )
        if expected is False:
            return next(others, None) is None
        return all(self.accepts(value[key], expected) for key in others)

    def _items(self, value: object, expected: Schema, _schema: Schema) -> bool:
        return not isinstance(value, list) or all(self.accepts(each, expected) for each in value)

    def _any_of(self, value: object, expected: list[Schema], _schema: Schema) -> bool:
        return any(self.accepts(value, branch) for branch in expected)

    def _if(self, value: object, expected: Schema, schema: Schema) -> bool:
        branch = "then" if self.accepts(value, expected) else "else"
        return branch not in schema or self.accepts(value, schema[branch])


def _is(value: object, kind: str) -> bool:
    if kind in {"integer", "number"} and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES.get(kind, ()))


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _unique(value: object, expected: bool) -> bool:  # noqa: FBT001 - a value of JSON Schema
    if not isinstance(value, list) or not expected:
        return True
    texts = [json.dumps(each, sort_keys=True, default=repr) for each in value]
    return len(set(texts)) == len(texts)


def _counted(kind: type, fits: Callable[[int, int], bool]) -> Callable[..., bool]:
    def rule(_self: _QuickCheck, value: object, expected: int, _schema: Schema) -> bool:
        return not isinstance(value, kind) or fits(len(value), expected)  # type: ignore[arg-type]

    return rule


def _compared(fits: Callable[[float, float], bool]) -> Callable[..., bool]:
    def rule(_self: _QuickCheck, value: object, expected: float, _schema: Schema) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return not is_number or fits(value, expected)  # type: ignore[arg-type]

    return rule


def _at_least(value: float, expected: float) -> bool:
    return value >= expected


def _at_most(value: float, expected: float) -> bool:
    return value <= expected


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_ANNOTATIONS = frozenset(
    {
        "$schema", "$id", "$defs", "title", "description", "markdownDescription", "default",
        "examples", "errorMessage", "defaultSnippets", "format", "then", "else",
    }
)  # fmt: skip
_RULES: dict[str, Callable[..., bool]] = {
    "type": _QuickCheck._type,  # noqa: SLF001 - this module's own
    "$ref": _QuickCheck._reference,  # noqa: SLF001
    "properties": _QuickCheck._properties,  # noqa: SLF001
    "patternProperties": _QuickCheck._by_pattern,  # noqa: SLF001
    "additionalProperties": _QuickCheck._additional,  # noqa: SLF001
    "items": _QuickCheck._items,  # noqa: SLF001
    "anyOf": _QuickCheck._any_of,  # noqa: SLF001
    "if": _QuickCheck._if,  # noqa: SLF001
    "required": lambda _self, value, expected, _schema: (
        not isinstance(value, dict) or all(key in value for key in expected)
    ),
    "const": lambda _self, value, expected, _schema: _same(value, expected),
    "enum": lambda _self, value, expected, _schema: any(_same(value, one) for one in expected),
    "pattern": lambda _self, value, expected, _schema: (
        not isinstance(value, str) or matches(expected, value)
    ),
    "uniqueItems": lambda _self, value, expected, _schema: _unique(value, expected),
    "minLength": _counted(str, _at_least),
    "maxLength": _counted(str, _at_most),
    "minItems": _counted(list, _at_least),
    "maxItems": _counted(list, _at_most),
    "minProperties": _counted(dict, _at_least),
    "maxProperties": _counted(dict, _at_most),
    "minimum": _compared(_at_least),
    "maximum": _compared(_at_most),
    "exclusiveMinimum": _compared(lambda value, expected: value > expected),
}
