"""Which SQL expressions a `fields` mapping may hold.

Knows that an expression gives one value for one row and touches nothing but that row: no
statement, no subquery, no aggregate, no window, no table function. Decided on DuckDB's own syntax
tree, offline. Knows nothing of columns or values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

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
    """What a parsed expression is made of."""

    column: str | None
    """The column's name where the expression is nothing but a column."""
    columns: tuple[str, ...]
    volatile: bool
    """Gives another value each time, as `uuid()` does."""


def problem_of(expression: str) -> str | None:
    """Say why an expression cannot fill a field; None when nothing speaks against it.

    Columns are not looked up: the source need not exist.
    """
    if not expression.strip():
        return "the expression is empty"
    bare, enclosed = _parsed(f"SELECT {expression}\n"), _parsed(f"SELECT (\n{expression}\n)")
    for tree in (enclosed, bare):
        if tree.get("error"):
            return _syntax_problem(tree, expression)
    chosen = bare["statements"][0]["node"]["select_list"]
    if len(chosen) != 1:
        return "one expression is wanted, not a list"
    if chosen[0].get("alias"):
        return "a name after the expression is not possible here: the field names it"
    return next((text for node in _nodes(chosen[0]) if (text := _refusal(node))), None)


def problem_of_select(statement: str) -> str | None:
    """Say why SQL is no single SELECT; None when it is one."""
    tree = _parsed(statement)
    if tree.get("error"):
        message = str(tree["error_message"]).splitlines()[0]
        return "it is another statement" if message.startswith("Only SELECT") else message
    if len(tree["statements"]) != 1:
        return "one statement is wanted"
    return next((f"{each} is not possible here" for each in _outside(tree)), None)


def _outside(tree: object) -> Iterator[str]:
    """Table functions, which may read files; FROM 'file.csv' is a name that is not there."""
    if isinstance(tree, dict):
        if tree.get("type") == "TABLE_FUNCTION":
            yield f"{tree['function'].get('function_name', '')}()"
        for child in tree.values():
            yield from _outside(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _outside(child)


def columns_of(expression: str) -> tuple[str, ...]:
    """List the columns that a valid expression names, each once, as written."""
    return dissect(expression).columns


def is_steady(expression: str, columns: Sequence[str]) -> bool:
    """Whether a valid expression gives the same for the same row whenever it is asked.

    Args:
        expression: SQL.
        columns: Of the source: SQL takes `current_date` for a column where there is one.
    """
    tree = _parsed(f"SELECT (\n{expression}\n)")["statements"][0]["node"]["select_list"][0]
    own = {column.lower() for column in columns}
    named = {
        (n.get("function_name") or n.get("column_names", [""])[-1]).lower()
        for n in _nodes(tree)
        if n["class"] in {"FUNCTION", "COLUMN_REF"}
    }
    return (named - own).isdisjoint(_changing())


def dissect(expression: str) -> Expression:
    """Say what a valid expression is made of."""
    tree = _parsed(f"SELECT (\n{expression}\n)")["statements"][0]["node"]["select_list"][0]
    nodes = list(_nodes(tree))
    columns = [n["column_names"][-1] for n in nodes if n["class"] == "COLUMN_REF"]
    used = {n.get("function_name", "").lower() for n in nodes if n["class"] == "FUNCTION"}
    alone = columns[0] if tree["class"] == "COLUMN_REF" and len(tree["column_names"]) == 1 else None
    return Expression(alone, tuple(dict.fromkeys(columns)), not used.isdisjoint(_volatile()))


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


def _parsed(statement: str) -> dict[str, Any]:
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
def _volatile() -> frozenset[str]:
    return frozenset(f for f, _, stability in _catalogue() if stability == "VOLATILE")


@cache
def _changing() -> frozenset[str]:
    """Functions of the moment, and those of chance; some are written like columns."""
    unsteady = {"VOLATILE", "CONSISTENT_WITHIN_QUERY"}
    found = {f for f, _, stability in _catalogue() if stability in unsteady}
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
