"""Which SQL expressions a `fields` mapping may hold, and what they are made of.

An expression gives one value for one row and sees nothing but that row: no statement, subquery,
aggregate, window or table function. Plain expressions are recognized without DuckDB
(`expressions_fast_path`); DuckDB's syntax tree decides the others. Knows SQL's grammar. Knows
nothing of a source's columns or values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.tables.staging.expressions_fast_path import is_plain

if TYPE_CHECKING:
    import duckdb

_REFUSED = {
    "SUBQUERY": "a subquery is not possible here: an expression sees one row of its own source",
    "WINDOW": "a window function is not possible here: an expression sees one row at a time",
    "STAR": "`*` is not possible here: name one column",
    "PARAMETER": "`?` and `$1` are not possible here: write the value",
    "POSITIONAL_REFERENCE": "`#1` is not possible here: name the column",
    "DEFAULT": "DEFAULT is not possible here: write the value",
}
_ROWWISE = ("scalar", "macro")


@dataclass(frozen=True, slots=True)
class Expression:
    """What a valid expression is made of."""

    column: str | None
    """The column's name where the expression is nothing but a column."""
    columns: tuple[str, ...]
    """Each column that it names, once, as written."""
    functions: frozenset[str]
    """In lower case."""

    @property
    def is_volatile(self) -> bool:
        """Whether each evaluation gives another value, as `uuid()` does."""
        return not self.functions.isdisjoint(_volatile_functions())

    def is_repeatable(self, source_columns: Sequence[str]) -> bool:
        """Whether the same row gives the same value at any time; `now()` does not.

        Args:
            source_columns: Where one is called `current_date`, SQL takes the name for the column.
        """
        known = {column.lower() for column in source_columns}
        bare = {column.lower() for column in self.columns} - known
        return (self.functions | bare).isdisjoint(_unrepeatable_functions())


def problem_of(expression: str) -> str | None:
    """Say why an expression cannot fill a field; None if it can.

    Columns are not looked up: the source need not exist.
    """
    return None if is_plain(expression) else problem_by_syntax_tree(expression)


def problem_by_syntax_tree(expression: str) -> str | None:
    """Like `problem_of`, decided by DuckDB whether the expression is plain or not."""
    if not expression.strip():
        return "the expression is empty"
    bare, enclosed = _syntax_tree(f"SELECT {expression}\n"), _enclosed(expression)
    for tree in (enclosed, bare):
        if tree.get("error"):
            return _syntax_problem(tree, expression)
    chosen = bare["statements"][0]["node"]["select_list"]
    if len(chosen) != 1:
        return "write one expression, not a list"
    if chosen[0].get("alias"):
        return "an alias is not possible here: the field names the value"
    return next((text for node in _nodes(chosen[0]) if (text := _refusal(node))), None)


def problem_of_select(statement: str) -> str | None:
    """Say why SQL is not a single SELECT; None if it is."""
    tree = _syntax_tree(statement)
    if tree.get("error"):
        message = str(tree["error_message"]).splitlines()[0]
        return "only SELECT is possible here" if message.startswith("Only SELECT") else message
    if len(tree["statements"]) != 1:
        return "write a single statement"
    return next((f"{each} is not possible here" for each in _table_functions(tree)), None)


@cache
def parse(expression: str) -> Expression:
    """Take a valid expression apart."""
    tree = _enclosed(expression)["statements"][0]["node"]["select_list"][0]
    nodes = list(_nodes(tree))
    columns = [n["column_names"][-1] for n in nodes if n["class"] == "COLUMN_REF"]
    functions = frozenset(n["function_name"].lower() for n in nodes if n["class"] == "FUNCTION")
    alone = columns[0] if tree["class"] == "COLUMN_REF" and len(tree["column_names"]) == 1 else None
    return Expression(alone, tuple(dict.fromkeys(columns)), functions)


def _table_functions(tree: object) -> Iterator[str]:
    """Calls that may read files; FROM 'file.csv' only names a table that does not exist."""
    if isinstance(tree, dict):
        if tree.get("type") == "TABLE_FUNCTION":
            yield f"{tree['function'].get('function_name', '')}()"
        for child in tree.values():
            yield from _table_functions(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _table_functions(child)


def _refusal(node: dict[str, Any]) -> str | None:
    kind = node["class"]
    if kind == "OPERATOR" and node["type"] == "GROUPING_FUNCTION":
        return "grouping() is not possible here: an expression sees one row at a time"
    if kind != "FUNCTION":
        return _REFUSED.get(kind)
    function = node["function_name"].lower()
    kinds = _functions().get(function)
    if kinds is None:
        return f"there is no function {function}()"
    if not any(kind in kinds for kind in _ROWWISE):
        return f"{function}() is not possible here: an expression gives one value for one row"
    return None


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)


def _syntax_problem(tree: dict[str, Any], expression: str) -> str:
    message = str(tree["error_message"]).splitlines()[0]
    if 'near ")"' in message and ")" not in expression:
        return "syntax error at the end of the expression"
    return message


def _enclosed(expression: str) -> dict[str, Any]:
    return _syntax_tree(f"SELECT (\n{expression}\n)")


def _syntax_tree(statement: str) -> dict[str, Any]:
    with _parser().cursor() as cursor:
        rows = cursor.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    tree: dict[str, Any] = json.loads(rows[0][0])
    return tree


@cache
def _functions() -> dict[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for function, kind, _ in _catalogue():
        kinds.setdefault(function, set()).add(kind)
    return {function: frozenset(found) for function, found in kinds.items()}


@cache
def _volatile_functions() -> frozenset[str]:
    return frozenset(f for f, _, stability in _catalogue() if stability == "VOLATILE")


@cache
def _unrepeatable_functions() -> frozenset[str]:
    """Functions of time and chance; some are written like columns."""
    stabilities = {"VOLATILE", "CONSISTENT_WITHIN_QUERY"}
    found = {f for f, _, stability in _catalogue() if stability in stabilities}
    moments = {"age", "current_time", "current_timestamp", "localtime", "localtimestamp"}
    return frozenset(found | moments)


@cache
def _catalogue() -> tuple[tuple[str, str, str | None], ...]:
    asked = "SELECT DISTINCT lower(function_name), function_type, stability FROM duckdb_functions()"
    with _parser().cursor() as cursor:
        return tuple(cursor.execute(asked).fetchall())


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:", config={"threads": "1"})
