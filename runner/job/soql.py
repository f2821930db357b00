"""As much of SOQL as a job needs: where literals and binds stand, and the object after FROM.

A scanner, not a parser: the org is the judge of a query. Knows nothing of params or tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_BIND = re.compile(r"(?<!:):([A-Za-z_]\w*)")
_FROM = re.compile(r"\bFROM\s+([A-Za-z]\w*)", re.IGNORECASE)
_CHILDREN = re.compile(r"\(\s*SELECT\b[^()]*?\sFROM\s+([A-Za-z][\w.]*)", re.IGNORECASE)
_SELECTED = re.compile(r"\s*SELECT\s(.*?)\sFROM\s", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z][\w.]*")
_COUNT = re.compile(r"\s*SELECT\s+COUNT\s*\(\s*\)", re.IGNORECASE)
_SELECT = re.compile(r"\s*SELECT\b", re.IGNORECASE)


def masked(soql: str) -> str:
    """The query with every string literal blanked out, at the same length."""
    return _LITERAL.sub(lambda found: " " * len(found[0]), soql)


def binds(soql: str) -> Iterator[re.Match[str]]:
    """Each `:name` outside string literals; group 1 is the name."""
    return _BIND.finditer(masked(soql))


def has_open_literal(soql: str) -> bool:
    """Whether a quote is opened and never closed."""
    return "'" in masked(soql)


def is_select(soql: str) -> bool:
    """Whether the query begins as SOQL does."""
    return _SELECT.match(soql) is not None


def is_count(soql: str) -> bool:
    """Whether the query is `SELECT COUNT()`, which answers a number and no rows."""
    return _COUNT.match(soql) is not None


def from_object(soql: str) -> str | None:
    """The object after FROM, subqueries left aside; None where there is none."""
    found = _FROM.search(_outermost(masked(soql)))
    return found[1] if found else None


def selected(soql: str) -> tuple[str, ...] | None:
    """Names that the query selects, as written; None where they cannot be told."""
    bare = masked(soql)
    found = _SELECTED.match(_outermost(bare))
    if found is None or "(" in bare[: found.end()]:
        return None
    names = tuple(name.strip() for name in found[1].split(","))
    return names if all(_NAME.fullmatch(name) for name in names) else None


def child_lists(soql: str) -> tuple[str, ...]:
    """Relationships of the lists of children that the query selects, as written."""
    bare = masked(soql)
    top = _outermost(bare)
    end = _FROM.search(top)
    found = _CHILDREN.finditer(bare, 0, end.start() if end else len(bare))
    return tuple(each[1].rpartition(".")[2] for each in found if not top[each.start()].strip())


def _outermost(text: str) -> str:
    """The text with everything in parentheses blanked out."""
    depth = 0
    kept: list[str] = []
    for character in text:
        depth += character == "("
        kept.append(character if depth == 0 else " ")
        depth -= character == ")" and depth > 0
    return "".join(kept)
