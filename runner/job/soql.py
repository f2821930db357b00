"""As much of SOQL as the runner needs: literals, binds, and what a query selects.

A scanner, not a parser: the org judges the query. Knows nothing of params, tasks or how a query is
sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_WORD = re.compile(rf"{_LITERAL.pattern}|[(),]|[^\s(),']+", re.DOTALL)
_BIND = re.compile(r"(?<!:):([A-Za-z_]\w*)")
_SELECT = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_OBJECT = re.compile(r"[A-Za-z][\w.]*")
AGGREGATES = frozenset({"count", "count_distinct", "sum", "avg", "min", "max"})
CONVERSIONS = frozenset({"tolabel", "convertcurrency", "format"})
"""Functions whose result is named after the field, unless the query groups."""
_AFTER_FROM = frozenset(
    {"using", "where", "with", "group", "having", "order", "limit", "offset"}
    | {"for", "update", "all"}
)
_MAX_DEPTH = 10
"""Levels of subqueries that are read; the org allows 5."""


def masked(soql: str) -> str:
    """The query with every string literal blanked out, at the same length."""
    return _LITERAL.sub(lambda found: " " * len(found[0]), soql)


def literals(soql: str) -> Iterator[re.Match[str]]:
    """Each string literal, with its quotes."""
    return _LITERAL.finditer(soql)


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
    TYPEOF = "typeof"
    FIELDS = "fields"
    """FIELDS(…): the fields that the object has."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One item of a SELECT list."""

    kind: ItemKind
    column: str
    """Its header: the path as selected, an alias, `expr0`, a relationship's name."""
    path: str | None = None
    """The field it reads, from the object of the query on; of TYPEOF, the relationship."""
    member: tuple[str, ...] = ()
    """Where a record of a REST answer has it: `("Account", "Name")`."""
    functions: tuple[str, ...] = ()
    """Functions around the field in lower case, the outermost first."""
    inner: Selection | None = None
    """What a subquery selects; its `sobject` is the child relationship."""
    fields_of: str = ""
    """Of FIELDS(…), the word in parentheses, in lower case."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query selects."""

    sobject: str
    """The object after FROM; empty if there is none."""
    items: tuple[SelectItem, ...]
    is_grouped: bool = False
    """Whether it groups or aggregates, so that a result is not a record."""

    @property
    def is_open(self) -> bool:
        """Whether only the records show all of the columns."""
        return any(item.kind in {ItemKind.FIELDS, ItemKind.UNREADABLE} for item in self.items)

    @property
    def is_flat(self) -> bool:
        """Whether it selects plain fields only, as a Bulk query must."""
        plain = all(item.kind is ItemKind.FIELD and item.column == item.path for item in self.items)
        return plain and not self.is_grouped

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
        """Its subqueries by relationship, those inside them by path: `Contacts.Cases`."""
        return tuple(self.child_lists)

    @property
    def child_lists(self) -> Mapping[str, SelectItem]:
        """Its subqueries by the paths of `child_relationships`."""
        found: dict[str, SelectItem] = {}
        for item in self.items:
            if item.kind is ItemKind.CHILDREN and item.column and item.inner is not None:
                found[item.column] = item
                inner = item.inner.child_lists.items()
                found |= {f"{item.column}.{path}": each for path, each in inner}
        return found


def selection(soql: str) -> Selection:
    """Read the SELECT list; an unreadable query gives an open selection for the org to refuse."""
    return _selection(_WORD.findall(soql), _MAX_DEPTH)


def _selection(words: list[str], depth: int) -> Selection:
    end = _outer_from(words)
    if not words or end is None or not depth:
        return Selection("", (SelectItem(ItemKind.UNREADABLE, ""),))
    sobject = words[end + 1] if end + 1 < len(words) else ""
    rest = words[end + 2 :]
    parts = list(_parts(words[1:end]))
    called = {part[0].lower() for part in parts if len(part) > 1 and part[1] == "("}
    grouped = _groups(rest) or bool(called & AGGREGATES) or _aggregates_inside(parts)
    reader = _ItemReader(_aliases(sobject, rest), depth, grouped=grouped)
    items = tuple(reader.read(part) for part in parts)
    name = sobject if _OBJECT.fullmatch(sobject) else ""
    return Selection(name, items, grouped)


def _outer_from(words: Sequence[str]) -> int | None:
    return _outer(words, "from")


def _outer(words: Sequence[str], wanted: str) -> int | None:
    """Find a word outside all parentheses."""
    depth = 0
    for index, word in enumerate(words):
        depth = max(0, depth + (word == "(") - (word == ")"))
        if depth == 0 and word.lower() == wanted:
            return index
    return None


def _groups(rest: Sequence[str]) -> bool:
    at = _outer(rest, "group")
    return at is not None and [word.lower() for word in rest[at + 1 : at + 2]] == ["by"]


def _aggregates_inside(parts: Sequence[list[str]]) -> bool:
    """Whether an aggregate is inside a function: `FORMAT(MAX(Amount))`."""
    return any(AGGREGATES & set(_functions(part)[0]) for part in parts)


def _aliases(sobject: str, rest: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What may precede a field, in lower case: names of objects and the paths that they mean."""
    aliases: dict[str, tuple[str, ...]] = {sobject.rpartition(".")[2].lower(): ()}
    sources: list[list[str]] = [[sobject]]
    for word in rest:
        if word.lower() in _AFTER_FROM or word in {"(", ")"}:
            break
        if word == ",":
            sources.append([])
        elif word.lower() != "as":
            sources[-1].append(word)
    for source in sources:
        if len(source) > 1:
            is_root = source is sources[0]
            aliases[source[1].lower()] = () if is_root else _steps(source[0], aliases)
    return aliases


def _steps(path: str, aliases: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A path from the object of the query on."""
    head, *tail = path.split(".")
    return (*aliases[head.lower()], *tail) if tail and head.lower() in aliases else (head, *tail)


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


def _functions(part: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The functions of an item, outermost first, and the first argument of the innermost."""
    found: list[str] = []
    at = 0
    while at + 1 < len(part) and part[at + 1] == "(":
        found.append(part[at].lower())
        at += 2
    argument = part[at] if at < len(part) and part[at] not in {"(", ")", ","} else None
    return tuple(found), argument


class _ItemReader:
    """Reads the items of one SELECT list and names them as the org does."""

    def __init__(
        self, aliases: Mapping[str, tuple[str, ...]], depth: int, *, grouped: bool
    ) -> None:
        self._aliases = aliases
        self._depth = depth
        self._grouped = grouped
        self._unnamed = 0

    def read(self, part: list[str]) -> SelectItem:
        word = part[0].lower() if part else ""
        if not word:
            return SelectItem(ItemKind.UNREADABLE, "")
        if word == "typeof" and len(part) > 1:
            steps = _steps(part[1], self._aliases)
            return SelectItem(ItemKind.TYPEOF, ".".join(steps), ".".join(steps), steps)
        if word == "(":
            inner = _selection(part[1:-1], self._depth - 1)
            name = inner.sobject.rpartition(".")[2]
            return SelectItem(ItemKind.CHILDREN, name, None, (name,), inner=inner)
        if len(part) > 1 and part[1] == "(":
            return self._function(part)
        return self._field(part)

    def _field(self, part: Sequence[str]) -> SelectItem:
        steps = _steps(part[0], self._aliases)
        path = ".".join(steps)
        if len(part) > 1:
            return SelectItem(ItemKind.FIELD, part[1], path, (part[1],))
        return SelectItem(ItemKind.FIELD, path, path, steps[-1:] if self._grouped else steps)

    def _function(self, part: Sequence[str]) -> SelectItem:
        functions, argument = _functions(part)
        if functions == ("fields",):
            word = (argument or "").lower()
            return SelectItem(ItemKind.FIELDS, "", fields_of=word)
        if functions == ("count",) and argument is None:
            return SelectItem(ItemKind.FUNCTION, "COUNT()", "COUNT()", ("COUNT()",), functions)
        steps = _steps(argument, self._aliases) if argument else ()
        path = ".".join(steps) or None
        close = len(part) - 1 - part[::-1].index(")") if ")" in part else len(part) - 1
        if close + 1 < len(part):
            alias = part[close + 1]
            return SelectItem(ItemKind.FUNCTION, alias, path, (alias,), functions)
        if path and not self._grouped and CONVERSIONS.issuperset(functions):
            return SelectItem(ItemKind.FUNCTION, path, path, steps, functions)
        name = f"expr{self._unnamed}"
        self._unnamed += 1
        return SelectItem(ItemKind.FUNCTION, name, path, (name,), functions)


_CLAUSE = re.compile(r"\b(SELECT|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT)\b", re.IGNORECASE)


def longest_clause(soql: str) -> tuple[str, int]:
    """The clause of a query that takes the most characters, for messages: its name and length."""
    starts = [(found.start(), found[1].upper()) for found in _CLAUSE.finditer(soql)]
    ends = [*(start for start, _ in starts[1:]), len(soql)]
    lengths: dict[str, int] = {"SELECT": 0}
    for (start, name), end in zip(starts, ends, strict=True):
        lengths[name] = lengths.get(name, 0) + end - start
    return max(lengths.items(), key=lambda each: each[1])
