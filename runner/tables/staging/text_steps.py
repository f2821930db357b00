"""Expressions that make a text of one column's in a few steps, which need no engine.

`trim`, `lower`, `upper`, and texts before and after: what a compiled function does while it looks
at the bytes. Knows expressions. Knows nothing of fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from runner.tables.plain_csv import is_bare
from runner.tables.staging.expressions import is_plain, tokens

_TRIMS, _LOWER, _UPPER, _QUOTES = 1, 2, 4, 8
_END = b"\0"


class TextSteps(Struct, frozen=True):
    """What is done to a text; a blank one stays blank."""

    trims: bool = False
    case: str = ""
    """`lower`, `upper`, or as it is."""
    before: str = ""
    after: str = ""

    @property
    def added(self) -> int:
        """How many bytes are added to it."""
        return len((self.before + self.after).encode())

    @property
    def encoded(self) -> bytes:
        """As the function takes it."""
        done = _TRIMS * self.trims + {"": 0, "lower": _LOWER, "upper": _UPPER}[self.case]
        done += 0 if is_bare(self.before + self.after) else _QUOTES
        texts = (each.replace('"', '""').encode() for each in (self.before, self.after))
        return bytes([ord("@") + done]) + b"".join(each + _END for each in texts)


def text_steps(expression: str) -> TextSteps | None:
    """The steps of an expression; None if it is another one."""
    words = tokens(expression) if is_plain(expression) else None
    parts = [_part(each) for each in _divided(words or [])]
    steps = [each for each in parts if isinstance(each, TextSteps)]
    if len(steps) != 1 or None in parts:
        return None
    at = parts.index(steps[0])
    before, after = (
        "".join(each for each in some if isinstance(each, str))
        for some in (parts[:at], parts[at + 1 :])
    )
    # A text that starts with white space may be blank, and CR becomes a line feed.
    if (before and before[0] < "!") or not {"\0", "\r"}.isdisjoint(before + after):
        return None
    return replace(steps[0], before=before, after=after)


def _divided(words: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """The operands of `||`, where parentheses are none of its own."""
    found: list[list[tuple[str, str, str]]] = [[]]
    depth = 0
    for word in words:
        depth += (word[1] == "(") - (word[1] == ")") if word[0] == "sign" else 0
        if word[:2] == ("sign", "||") and not depth:
            found.append([])
        else:
            found[-1].append(word)
    return found


def _part(words: Sequence[tuple[str, str, str]]) -> TextSteps | str | None:
    """A constant's text, or steps of a column; None if it is something else."""
    if len(words) == 1:
        kind, _, written = words[0]
        if kind == "text":
            return written[1:-1].replace("''", "'")
        return TextSteps() if kind == "name" else None
    if len(words) > 2 and words[-1][1] == ")" and words[1][1] == "(":  # noqa: PLR2004
        inner = _part(words[2:-1])
        if isinstance(inner, TextSteps) and words[0][0] == "name":
            function = words[0][1]
            if function == "trim":
                return replace(inner, trims=True)
            if function in {"lower", "upper"}:
                return replace(inner, case=function)
    return None
