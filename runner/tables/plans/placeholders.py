"""Ids that stand for records that do not exist yet, while a plan is made.

They have the form of Ids, so that rows with them are staged like any other, and no record has
them: in the seventh place of an Id the org writes `0`. None is ever sent.
"""

from __future__ import annotations

from runner.tables.sql import literal

_MARK = "PLAN"
_DIGITS = 8
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BLOCK = 5


def placeholder(prefix: str, number: str) -> str:
    """SQL of the Id of a record that a row creates.

    Args:
        prefix: The first three characters of each Id of the object; empty if it has none.
        number: SQL of a number that no other row of the plan has.
    """
    start = f"{prefix or '000'}{_MARK}"
    check = _check(start[:_BLOCK]) + _check(f"{start[_BLOCK:]}000") + _check("00000")
    digits = f"lpad(CAST({number} AS VARCHAR), {_DIGITS}, '0')"
    return f"{literal(start)} || {digits} || {literal(check)}"


def is_placeholder(value: str) -> str:
    """SQL of whether a text is such an Id; never NULL."""
    is_marked = f"substr({value}, 4, {len(_MARK)}) = {literal(_MARK)}"
    return f"coalesce({is_marked} AND length({value}) = 18, false)"


def is_planned(text: str | None) -> bool:
    """Whether a text is such an Id."""
    return text is not None and len(text) == len(_MARK) + _DIGITS + 6 and text[3:7] == _MARK


def _check(block: str) -> str:
    """The check character of five characters: a bit for each capital letter."""
    return _ALPHABET[sum(1 << at for at, char in enumerate(block) if char.isupper())]
