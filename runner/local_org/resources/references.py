"""`@{a.id}`: references of a composite's subrequest to the answer of another.

Knows the notation. Knows nothing of requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.local_org import exact_numbers

_REFERENCE = re.compile(r"@\{([^}]*)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class InvalidReferenceError(LookupError):
    """A reference without a value; its argument is the text between the braces."""


def resolved(value: object, answers: Mapping[str, object], *, nulls: bool = True) -> object:
    """A value with every reference in its texts replaced.

    `answers` maps referenceIds to the bodies so far. A text that is only one reference becomes the
    value; inside other text a reference becomes the value's text. Without `nulls` there must be a
    value that is not null.

    Raises:
        InvalidReferenceError: a reference has no value.
    """
    match value:
        case str():
            return _resolved_text(value, answers, nulls=nulls)
        case dict():
            return {key: resolved(each, answers, nulls=nulls) for key, each in value.items()}
        case list():
            return [resolved(each, answers, nulls=nulls) for each in value]
        case _:
            return value


def referred(value: object) -> set[str]:
    """The referenceIds that a value refers to."""
    match value:
        case str():
            return {found.split(".")[0].split("[")[0] for found in _REFERENCE.findall(value)}
        case dict():
            return set().union(*(referred(each) for each in value.values()))
        case list():
            return set().union(*(referred(each) for each in value))
        case _:
            return set()


def _resolved_text(text: str, answers: Mapping[str, object], *, nulls: bool) -> object:
    def value_of(path: str) -> object:
        value = _found(path, answers)
        if value is None and not nulls:
            raise InvalidReferenceError(path)
        return value

    whole = _REFERENCE.fullmatch(text)
    if whole is not None:
        return value_of(whole[1])
    return _REFERENCE.sub(lambda match: _text_of(value_of(match[1])), text)


def _text_of(value: object) -> str:
    """A value inside a text, as JSON has it."""
    return exact_numbers.unmarked(value if isinstance(value, str) else exact_numbers.dumps(value))


def _found(path: str, answers: Mapping[str, object]) -> object:
    value: object = answers
    for name, index in _STEP.findall(path):
        if name and isinstance(value, Mapping) and name in value:
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            raise InvalidReferenceError(path)
    return value
