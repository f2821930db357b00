"""What a SOQL text selects, as far as naming the columns of its result goes.

A scanner, not a parser: the org judges the query. Knows nothing of binds or of how it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_WORD = re.compile(r"'(?:[^'\\]|\\.)*'|[(),]|[^\s(),']+", re.DOTALL)
_NAMED_BY_ARGUMENT = frozenset({"tolabel", "convertcurrency", "format"})


class ItemKind(StrEnum):
    """What one item of a SELECT list is."""

    FIELD = "field"
    FUNCTION = "function"
    CHILDREN = "children"
    OPEN = "open"
    """FIELDS(…) or TYPEOF: only the records tell which fields."""


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One item of a SELECT list."""

    kind: ItemKind
    column: str
    """Its name in the result: the path as selected, an alias, `expr0`, a relationship's name."""
    path: str | None = None
    """The field it reads, where it is one."""
    inner: Selection | None = None
    """What a list of children selects; its object is that of the relationship."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query selects."""

    sobject: str
    items: tuple[SelectItem, ...]

    @property
    def is_open(self) -> bool:
        """Whether only the records tell the columns."""
        return any(item.kind is ItemKind.OPEN for item in self.items)

    @property
    def is_flat(self) -> bool:
        """Whether it selects plain fields only, which is what a Bulk query can carry."""
        return all(item.kind is ItemKind.FIELD and item.column == item.path for item in self.items)

    @property
    def counts_only(self) -> bool:
        """Whether it is `SELECT COUNT() FROM …`, which gives a number and no rows."""
        return [item.path for item in self.items] == ["COUNT()"]


def selection(soql: str) -> Selection:
    """Read the SELECT list; an unreadable text gives an open selection for the org to refuse."""
    return _selection(_WORD.findall(soql))


def _selection(words: list[str]) -> Selection:
    end = _outer_from(words)
    if not words or end is None:
        return Selection("", (SelectItem(ItemKind.OPEN, ""),))
    sobject = words[end + 1] if end + 1 < len(words) else ""
    alias = _alias(words[end + 2 :])
    number = iter(range(len(words)))
    items = (_item(part, alias, number) for part in _parts(words[1:end]))
    return Selection(sobject, tuple(items))


def _outer_from(words: list[str]) -> int | None:
    depth = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.lower() == "from":
            return index
    return None


_AFTER_FROM = frozenset(
    {"using", "where", "with", "group", "having", "order", "limit", "offset"}
    | {"for", "update", "all"}
)


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


def _item(part: list[str], alias: str | None, number: Iterator[int]) -> SelectItem:
    if not part or part[0].lower() in {"typeof", "fields"}:
        return SelectItem(ItemKind.OPEN, "")
    if part[0] == "(":
        inner = _selection(part[1:-1])
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
