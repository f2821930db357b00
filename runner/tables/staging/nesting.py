"""How deep an SQL text is nested, found in one pass: DuckDB's parser needs minutes for some.

The time that it takes to refuse a text grows with the square of the brackets that are open, or of
the signs before a value. Knows brackets, signs, quotes and comments. Knows nothing else of SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MOST_LEVELS = 200
"""Of an expression in another: its syntax tree is read by recursion, which Python limits."""
TOO_DEEP = f"it is nested more than {MOST_LEVELS} levels deep"

_OPENING = "([{"
_PART = re.compile(
    r"""'(?:[^']|'')*'?|"(?:[^"]|"")*"?|--[^\n]*|/\*.*?(?:\*/|$)"""
    r"""|(?P<signs>[-+~!@]\s*)|(?P<bracket>[][(){}])|\s+|[^][(){}'"/~!@+\s-]+|.""",
    re.DOTALL,
)


def is_too_deep(sql: str) -> bool:
    """Whether more than `MOST_LEVELS` brackets are open, or that many signs follow each other."""
    if len(sql) <= MOST_LEVELS:
        return False
    brackets = signs = 0
    for found in _PART.finditer(sql):
        if bracket := found["bracket"]:
            brackets = max(0, brackets + (1 if bracket in _OPENING else -1))
        signs = signs + 1 if found["signs"] else 0
        if max(brackets, signs) > MOST_LEVELS:
            return True
    return False


def too_deep_or(check: Callable[[str], str | None], sql: str) -> str | None:
    """That a text is nested too deeply, or else what `check` finds."""
    try:
        return TOO_DEEP if is_too_deep(sql) else check(sql)
    except RecursionError:  # of what DuckDB counts as fewer levels
        return TOO_DEEP


def in_plain_words(message: str) -> str:
    """A message of DuckDB's parser, unless it says that a text is nested too deeply."""
    return TOO_DEEP if message.startswith("Max expression depth") else message
