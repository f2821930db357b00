"""As much of SOQL as the runner needs: literals, binds, and what a query selects.

A scanner, not a parser: the org judges the query. Knows nothing of params, tasks or how a query is
sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_WORD = re.compile(rf"{_LITERAL.pattern}|[(),]|[^\s(),']+", re.DOTALL)
_BIND = re.compile(r"(?<!:):([A-Za-z_]\w*)")
_SELECT = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_OBJECT = re.compile(r"[A-Za-z][\w.]*")
_NAMED_BY_ARGUMENT = frozenset({"tolabel", "convertcurrency", "format"})
_AFTER_FROM = frozenset(
    {"using", "where", "with", "group", "having", "order", "limit", "offset"}
    | {"for", "update", "all"}
)
_MAX_DEPTH = 10
"""Levels of subqueries that are read; the org allows 5."""


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
    """Whether the query begins with SELECT."""
    return _SELECT.match(soql) is not None


class ItemKind(StrEnum):
    """What one item of a SELECT list is."""

    FIELD = "field"
    FUNCTION = "function"
    CHILDREN = "children"
    OPEN = "open"
    """FIELDS(…) or TYPEOF: only the records show which fields."""


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One item of a SELECT list."""

    kind: ItemKind
    column: str
    """Its name in the result: the path as selected, an alias, `expr0`, a relationship's name."""
    path: str | None = None
    """The field it reads, if it reads one."""
    inner: Selection | None = None
    """What a subquery selects; its `sobject` is the child relationship."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query selects."""

    sobject: str
    """The object after FROM; empty if there is none."""
    items: tuple[SelectItem, ...]

    @property
    def is_open(self) -> bool:
        """Whether only the records show the columns."""
        return any(item.kind is ItemKind.OPEN for item in self.items)

    @property
    def is_flat(self) -> bool:
        """Whether it selects plain fields only, as a Bulk query must."""
        return all(item.kind is ItemKind.FIELD and item.column == item.path for item in self.items)

    @property
    def counts_only(self) -> bool:
        """Whether it is `SELECT COUNT() FROM …`, which returns a number and no rows."""
        return [item.path for item in self.items] == ["COUNT()"]

    @property
    def field_names(self) -> tuple[str, ...] | None:
        """The fields, if it selects nothing else."""
        return tuple(item.column for item in self.items) if self.is_flat else None

    @property
    def child_relationships(self) -> tuple[str, ...]:
        """Relationships of its subqueries."""
        children = (item.column for item in self.items if item.kind is ItemKind.CHILDREN)
        return tuple(name for name in children if name)


def selection(soql: str) -> Selection:
    """Read the SELECT list; an unreadable query gives an open selection for the org to refuse."""
    return _selection(_WORD.findall(soql), _MAX_DEPTH)


def _selection(words: list[str], depth: int) -> Selection:
    end = _outer_from(words)
    if not words or end is None or not depth:
        return Selection("", (SelectItem(ItemKind.OPEN, ""),))
    sobject = words[end + 1] if end + 1 < len(words) else ""
    alias = _alias(words[end + 2 :])
    number = iter(range(len(words)))
    items = (_item(part, alias, number, depth) for part in _parts(words[1:end]))
    return Selection(sobject if _OBJECT.fullmatch(sobject) else "", tuple(items))


def _outer_from(words: list[str]) -> int | None:
    depth = 0
    for index, word in enumerate(words):
        depth = max(0, depth + (word == "(") - (word == ")"))
        if depth == 0 and word.lower() == "from":
            return index
    return None


def _alias(rest: list[str]) -> str | None:
    named = bool(rest) and rest[0].lower() not in _AFTER_FROM and rest[0] not in {",", "(", ")"}
    return rest[0] if named else None


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Split at the commas of the outermost level."""
    part: list[str] = []
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _item(part: list[str], alias: str | None, number: Iterator[int], depth: int) -> SelectItem:
    if not part or part[0].lower() in {"typeof", "fields"}:
        return SelectItem(ItemKind.OPEN, "")
    if part[0] == "(":
        inner = _selection(part[1:-1], depth - 1)
        name = inner.sobject.rpartition(".")[2]
        return SelectItem(ItemKind.CHILDREN, name, inner=inner)
    if len(part) > 1 and part[1] == "(":
        return _function(part, alias, number)
    path = _without_alias(part[0], alias)
    return SelectItem(ItemKind.FIELD, part[1] if len(part) > 1 else path, path)


def _function(part: list[str], alias: str | None, number: Iterator[int]) -> SelectItem:
    close = len(part) - 1 - part[::-1].index(")") if ")" in part else len(part) - 1
    given = part[close + 1] if close + 1 < len(part) else None
    argument = _without_alias(part[2], alias) if close == 3 else None  # noqa: PLR2004 - name ( x )
    if part[0].lower() in _NAMED_BY_ARGUMENT and argument:
        return SelectItem(ItemKind.FUNCTION, given or argument, argument)
    if part[0].lower() == "count" and close == 2:  # noqa: PLR2004 - name ( )
        return SelectItem(ItemKind.FUNCTION, "COUNT()", "COUNT()")
    return SelectItem(ItemKind.FUNCTION, given or f"expr{next(number)}")


def _without_alias(path: str, alias: str | None) -> str:
    head, dot, tail = path.partition(".")
    return tail if dot and alias and head.lower() == alias.lower() else path
