"""Messages for schema violations.

Pure: from a violation to diagnostics. Knows the annotations of the schemas (`title`, `description`,
`examples`, `errorMessage`). Knows nothing of the schema library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from runner.diagnostics import Diagnostic, Location
from runner.job.origin import Origin
from runner.suggest import closest, did_you_mean, in_words
from runner.wording import shortened

_LONGEST_QUOTE = 40
"""Characters of a value that a message repeats."""
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping (`key: value`)",
    "array": "a list",
    "null": "nothing",
}
_KEYS = frozenset(
    {
        "fields", "params", "options", "objects", "defaults", "numbers",
        "given", "seed", "sources", "expect", "files", "tasks", "counts",
    }
)  # fmt: skip
"""Titles that are what the mapping is called in the file."""
_YES_OR_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Violation(Struct, frozen=True):
    """One rule of a schema that a document breaks."""

    path: Location
    keyword: str
    """The keyword of the rule: `required`, `type`, …"""
    expected: Any
    """The value of the keyword."""
    instance: Any
    """The value in the document at `path`."""
    schema: Mapping[str, Any]
    """The part of the schema that contains the keyword."""

    @property
    def advice(self) -> str | None:
        """The schema's own help, as a clause like all other help."""
        sentence: str | None = self.schema.get("errorMessage")
        return sentence and f"{sentence[0].lower()}{sentence[1:].removesuffix('.')}"

    @property
    def subject(self) -> str:
        """What the value is called: by its key, or its number in a list."""
        if not self.path:
            return "the file"
        last = self.path[-1]
        if isinstance(last, str):
            return f"`{last}`"
        owner = self.path[-2] if len(self.path) > 1 else "the list"
        return f"element {last + 1} of `{owner}`"

    @property
    def example(self) -> str | None:
        """A valid value."""
        examples = self.schema.get("examples")
        return f"for example {json.dumps(examples[0], ensure_ascii=False)}" if examples else None

    @property
    def kind(self) -> str:
        """What the mapping at `path` is: `a job`, `an upsert task`."""
        title = self.schema.get("title") or str(self.path[-1] if self.path else "mapping")
        return _one(title)


def diagnose(
    violation: Violation, root: Mapping[str, Any], origin: Origin, prefix: str
) -> Iterator[Diagnostic]:
    """Diagnostics of one violation; codes begin with `prefix`."""
    if violation.keyword == "additionalProperties":
        yield from _unknown_keys(violation, root, origin, prefix)
    elif violation.keyword == "required":
        yield from _missing_keys(violation, origin, prefix)
    else:
        message_of = _MESSAGES.get(violation.keyword, _anything)
        code, message, hint = message_of(violation)
        yield origin.diagnose(violation.path, f"{prefix}/{code}", message, help=hint)


def _unknown_keys(
    violation: Violation, root: Mapping[str, Any], origin: Origin, prefix: str
) -> Iterator[Diagnostic]:
    known = list(violation.schema.get("properties", {}))
    extra = [key for key in violation.instance if key not in known]
    if "patternProperties" in violation.schema:
        yield from _misnamed(violation, origin, prefix)
        return
    absent = [key for key in known if key not in violation.instance]
    for key in extra:
        message = f"{_quoted(key)} is not a key of {violation.kind}"
        hint = _home_of(key, root) or did_you_mean(key, absent) or f"use {in_words(known)}"
        path = (*violation.path, key)
        yield origin.diagnose(path, f"{prefix}/unknown-key", message, help=hint, at_key=True)


def _misnamed(violation: Violation, origin: Origin, prefix: str) -> Iterator[Diagnostic]:

    patterns = list(violation.schema["patternProperties"])
    for key in violation.instance:
        if not any(re.search(pattern, key) for pattern in patterns):
            message = f"{_quoted(key)} is not a valid name in {violation.kind}"
            path = (*violation.path, key)
            code = f"{prefix}/bad-name"
            yield origin.diagnose(path, code, message, help=violation.advice, at_key=True)


def _home_of(key: str, root: Mapping[str, Any]) -> str | None:
    """Which kinds of mapping have the key."""
    definitions = root.get("$defs", {}).values()
    homes = [
        each["title"]
        for each in definitions
        if key in each.get("properties", {}) and "title" in each
    ]
    tasks = [home.removesuffix(" task") for home in homes if home.endswith(" task")]
    if tasks:
        return f"it is for {in_words(tasks, 'and')} tasks"
    return f"it belongs in {_one(homes[0])}" if homes else None


def _one(title: str) -> str:
    if title in _KEYS:
        return f"`{title}`"
    if title.endswith("s"):
        return f"the {title}"
    has_vowel = title[0] in "aeiou" and not title.startswith("user")
    return f"{'an' if has_vowel else 'a'} {title}"


def _missing_keys(violation: Violation, origin: Origin, prefix: str) -> Iterator[Diagnostic]:
    properties = violation.schema.get("properties", {})
    missing = [
        key
        for key in violation.expected
        if key not in violation.instance and not _is_misspelt(key, violation.instance, properties)
    ]
    if missing:
        # The schema library reports each missing key; here they are one problem.
        message = f"{violation.kind} needs {in_words(missing, 'and')}"
        code, hint = (
            f"{prefix}/missing-key",
            f"add {in_words([f'{key}:' for key in missing], 'and')}",
        )
        yield origin.diagnose(violation.path, code, message, help=hint, at_key=True)


def _is_misspelt(key: str, instance: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether an unknown key was meant to be this one, which is reported already."""
    absent = [name for name in known if name not in instance]
    return any(closest(each, absent) == key for each in instance if each not in known)


def _wrong_type(violation: Violation) -> tuple[str, str, str | None]:
    expected = violation.expected
    types = [expected] if isinstance(expected, str) else list(expected)
    wanted = " or ".join(dict.fromkeys(_TYPES[each] for each in types))
    value = violation.instance
    if value is None:
        advice = violation.advice or violation.example or f"write {wanted}"
        return "no-value", f"{violation.subject} has no value", advice
    message = f"{violation.subject} must be {wanted}, not {_named(value)}"
    hint = _type_hint(value, types, violation.schema) or violation.advice or violation.example
    return "wrong-type", message, hint


def _type_hint(value: object, types: Sequence[str], schema: Mapping[str, Any]) -> str | None:
    if isinstance(value, bool | int | float) and types == ["string"]:
        text = json.dumps(value)
        fits = re.search(schema.get("pattern", ""), text)
        return f'put it in quotes: "{text}"' if fits else None
    if isinstance(value, str) and "boolean" in types:
        known = _YES_OR_NO.get(value.casefold()) or value.casefold()
        return f"write `{known}`" if known in {"true", "false"} else "write `true` or `false`"
    if isinstance(value, str) and {"integer", "number"} & set(types) and value.isdecimal():
        return f"write it without quotes: {value[:_LONGEST_QUOTE]}"
    if isinstance(value, str) and types == ["array"]:
        return f"write it as a list: [{value[:_LONGEST_QUOTE]}]"
    return None


def _unknown_value(violation: Violation) -> tuple[str, str, str | None]:
    options = ["null" if each is None else str(each) for each in violation.expected]
    if violation.instance is None:
        return "no-value", f"{violation.subject} has no value", f"use {in_words(options)}"
    message = f"{violation.subject} cannot be {_named(violation.instance)}"
    hint = f"use {in_words(options)}"
    return "unknown-value", message, did_you_mean(str(violation.instance), options, hint)


def _wrong_constant(violation: Violation) -> tuple[str, str, str | None]:
    message = f"{violation.subject} cannot be {_named(violation.instance)}"
    return "unknown-value", message, f"this release reads version {json.dumps(violation.expected)}"


def _bad_text(violation: Violation) -> tuple[str, str, str | None]:
    if violation.instance == "":
        return "no-value", f"{violation.subject} is empty", violation.advice
    message = f"{_quoted(violation.instance)} is not valid for {violation.subject}"
    return "bad-value", message, violation.advice or violation.schema.get("description")


def _out_of_range(violation: Violation) -> tuple[str, str, str | None]:
    schema = violation.schema
    least, most = schema.get("minimum"), schema.get("maximum")
    message = f"{violation.subject} cannot be {_named(violation.instance)}"
    hint = f"use {least:,} to {most:,}" if most is not None else f"use {least} or more"
    return "out-of-range", message, hint


def _wrong_length(violation: Violation) -> tuple[str, str, str | None]:
    if not violation.instance:
        return "no-value", f"{violation.subject} is empty", violation.advice or violation.example
    unit = "characters" if isinstance(violation.instance, str) else "elements"
    most = f"use at most {violation.expected:,} {unit}"
    return "too-long", f"{violation.subject} is too long", most


def _repeated(violation: Violation) -> tuple[str, str, str | None]:
    return "repeated", f"{violation.subject} has a value twice", "write each value once"


def _anything(violation: Violation) -> tuple[str, str, str | None]:
    return "bad-value", f"{violation.subject} is not valid", violation.advice


_MESSAGES: dict[str, Callable[[Violation], tuple[str, str, str | None]]] = {
    "type": _wrong_type,
    "enum": _unknown_value,
    "const": _wrong_constant,
    "pattern": _bad_text,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "minLength": _wrong_length,
    "maxLength": _wrong_length,
    "minItems": _wrong_length,
    "maxItems": _wrong_length,
    "minProperties": _wrong_length,
    "uniqueItems": _repeated,
}


def _named(value: object) -> str:
    """A value with its type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return json.dumps(value)
        case int() | float():
            return f"the number {json.dumps(value)[:_LONGEST_QUOTE]}"
        case str():
            return _quoted(value)
        case list():
            return "a list"
    return "a mapping"


def _quoted(text: str) -> str:
    first = text.splitlines()[0] if text.strip() else text.strip()
    return f"`{shortened(first, _LONGEST_QUOTE)}`"
