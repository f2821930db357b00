"""What a job needs to know of a query: literals, binds, and what it selects.

Knows nothing of params, tasks or how a query is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from runner.soql.errors import SoqlError, TooDeepError
from runner.soql.syntax import (
    Call,
    ChildItem,
    Distance,
    FieldItem,
    Item,
    Operand,
    Path,
    Query,
    TypeofItem,
)

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_BIND = re.compile(r"(?<!:):([A-Za-z_]\w*)")
_SELECT = re.compile(r"\s*SELECT\b", re.IGNORECASE)
AGGREGATES = frozenset({"count", "count_distinct", "sum", "avg", "min", "max"})
CONVERSIONS = frozenset({"tolabel", "convertcurrency", "format"})
"""Functions whose result is named after the field, unless the query groups."""


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


class SelectItem(Struct, frozen=True):
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


class Selection(Struct, frozen=True):
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


@lru_cache(maxsize=256)
def _parsed(soql: str) -> Query | SoqlError:
    from runner.soql.parser import parse  # noqa: PLC0415 - few jobs have queries

    try:
        return parse(soql, binds=True)
    except SoqlError as error:
        return error


def parsed(soql: str) -> Query | None:
    """The parts of a query, which may have binds; None if it cannot be read."""
    found = _parsed(soql)
    return found if isinstance(found, Query) else None


def syntax_error(soql: str) -> SoqlError | None:
    """Why a query, which may have binds, is not SOQL; None if it is, or may be."""
    found = _parsed(soql)
    return found if isinstance(found, SoqlError) and not isinstance(found, TooDeepError) else None


def selection(soql: str) -> Selection:
    """Read the SELECT list; an unreadable query gives an open selection."""
    query = parsed(soql)
    if query is None:
        return Selection("", (SelectItem(ItemKind.UNREADABLE, ""),))
    return _selection(query)


def columns_of_query(soql: str) -> tuple[str, ...] | None:
    """The columns of a query's rows; None if only the records show them."""
    selected = selection(soql)
    if selected.is_open or selected.counts_only or not selected.sobject:
        return None
    return tuple(item.column for item in selected.items)


def _selection(query: Query) -> Selection:
    functions = {name for item in query.items for name in functions_of(item)[0]}
    grouped = bool(query.group) or bool(functions & AGGREGATES)
    reader = _ItemReader(aliases_of(query), grouped=grouped)
    items = tuple(reader.read(item) for item in query.items)
    return Selection(str(query.source.path), items, grouped)


def aliases_of(query: Query) -> dict[str, tuple[str, ...]]:
    """What may precede a field, in lower case: names of objects and the paths that they mean."""
    source = query.source
    aliases: dict[str, tuple[str, ...]] = {source.path.names[-1].lower(): ()}
    if source.alias:
        aliases[source.alias.lower()] = ()
    for each in query.joined:
        if each.alias:
            aliases[each.alias.lower()] = steps_of(each.path, aliases)
    return aliases


def steps_of(path: Path, aliases: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A path from the object of the query on."""
    head, *tail = path.names
    return (*aliases[head.lower()], *tail) if tail and head.lower() in aliases else path.names


def functions_of(item: Item) -> tuple[tuple[str, ...], Path | None]:
    """The functions of an item in lower case, outermost first, and the field in them."""
    found: list[str] = []
    operand: Operand | None = item.operand if isinstance(item, FieldItem) else None
    while isinstance(operand, Call):
        found.append(operand.name.lower())
        operand = operand.argument
    if isinstance(operand, Distance):
        return (*found, "distance"), operand.field
    return tuple(found), operand


class _ItemReader:
    """Names the items of one SELECT list as the org does."""

    def __init__(self, aliases: Mapping[str, tuple[str, ...]], *, grouped: bool) -> None:
        self._aliases = aliases
        self._grouped = grouped
        self._unnamed = 0

    def read(self, item: Item) -> SelectItem:
        match item:
            case TypeofItem(relationship):
                steps = steps_of(relationship, self._aliases)
                return SelectItem(ItemKind.TYPEOF, ".".join(steps), ".".join(steps), steps)
            case ChildItem(query):
                name = query.source.path.names[-1]
                inner = _selection(query)
                return SelectItem(ItemKind.CHILDREN, name, None, (name,), inner=inner)
            case FieldItem(Path() as field, alias):
                return self._field(field, alias)
            case FieldItem(_, alias):
                return self._function(item, alias)

    def _field(self, field: Path, alias: str | None) -> SelectItem:
        steps = steps_of(field, self._aliases)
        path = ".".join(steps)
        if alias:
            return SelectItem(ItemKind.FIELD, alias, path, (alias,))
        return SelectItem(ItemKind.FIELD, path, path, steps[-1:] if self._grouped else steps)

    def _function(self, item: FieldItem, alias: str | None) -> SelectItem:
        functions, argument = functions_of(item)
        if functions == ("fields",):
            return SelectItem(ItemKind.FIELDS, "", fields_of=str(argument).lower())
        if argument is None:
            return SelectItem(ItemKind.FUNCTION, "COUNT()", "COUNT()", ("COUNT()",), functions)
        steps = steps_of(argument, self._aliases)
        path = ".".join(steps)
        if alias:
            return SelectItem(ItemKind.FUNCTION, alias, path, (alias,), functions)
        if not self._grouped and CONVERSIONS.issuperset(functions):
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
