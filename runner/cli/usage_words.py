"""What is said of a command line that cannot be read, in plain words instead of Typer's.

Knows Typer's errors by what they carry; a text that it does not know stays as it is. Knows nothing
of any verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

_ENVIRONMENT = re.compile(r" \(env var: '([^']*)'\)")
_NO_NUMBER = re.compile(r"(.+) is (?:not a valid int|not in the range).*")
_PLAIN = (
    (re.compile(r"is not a valid float\."), "is not a number."),
    (re.compile(r"is not a valid boolean\..*"), "is neither 1 nor 0."),
    (re.compile(r"(?<=^Invalid value for ')\[([^' ]+)\]'"), r"\1'"),
    (re.compile(r"Option '(.+)' requires an argument\."), r"Option '\1' needs a value."),
    (re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.+)\)"), r"Too many words: \1"),
)


def in_plain_words(error: Any) -> str:  # noqa: ANN401 - Typer's errors have no public names
    """The text of one of Typer's errors, without the verb's usage."""
    text: str = error.format_message()
    possible = getattr(error, "possibilities", None)
    if possible:
        near = " or ".join(filter(None, (", ".join(sorted(possible)[:-1]), max(possible))))
        return f"{error.message}. Did you mean {near}?"
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    text = _by_source(text, error)
    head, colon, rest = text.partition(": ")
    kind = getattr(getattr(error, "param", None), "type", None)
    found = _NO_NUMBER.fullmatch(rest)
    if colon and found is not None:
        return f"{head}: {found[1]} is not {number_between(kind)}."
    return text


def _by_source(text: str, error: Any) -> str:  # noqa: ANN401 - as above
    """Name the option or its variable, whichever the value is from."""
    variable = _ENVIRONMENT.search(text)
    if variable is None:
        return text
    source = error.ctx.get_parameter_source(error.param.name)
    if source is not None and source.name == "ENVIRONMENT":
        return f"Invalid value of the variable {variable[1]}{text[variable.end() :]}"
    return _ENVIRONMENT.sub("", text)


def number_between(kind: Any) -> str:  # noqa: ANN401 - as above
    """What a whole number has to be, by the bounds of its type, if it has some."""
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if least is None:
        return "a whole number"
    return (
        f"a whole number of at least {least}"
        if most is None
        else f"a whole number from {least} to {most}"
    )


def say_ranges(parameters: Iterable[Any]) -> None:
    """Let the help of numbers say `1 to 16` instead of `1<=x<=16`."""
    for each in parameters:
        kind = each.type
        least, most = getattr(kind, "min", None), getattr(kind, "max", None)
        if least is not None or most is not None:
            said = f"at least {least}" if most is None else f"{least} to {most}"
            kind._describe_range = partial(str, said)  # noqa: SLF001 - Typer has no other place
