"""Which SQL expressions a `fields` mapping may hold, and what they are made of.

An expression gives one value for one row and sees nothing but that row: no statement, subquery,
aggregate, window or table function. Most are plain: columns, texts, a few functions, CASE; these
are recognized without DuckDB, which takes a tenth of a second to load. DuckDB's syntax tree decides
the others. Knows SQL's grammar. Knows nothing of a source's columns or values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from runner.tables import duckdb

_REFUSED = {
    "SUBQUERY": "a subquery is not possible here: an expression sees one row of its own source",
    "WINDOW": "a window function is not possible here: an expression sees one row at a time",
    "STAR": "`*` is not possible here: name one column",
    "PARAMETER": "`?` and `$1` are not possible here: write the value",
    "POSITIONAL_REFERENCE": "`#1` is not possible here: name the column",
    "DEFAULT": "DEFAULT is not possible here: write the value",
}
_ARROW = "SINGLE_ARROW"
_ROWWISE = ("scalar", "macro")

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\|\||<>|<=|>=|[-+*/=<>(),]))",
    re.ASCII,
)
_TEXT_WITHOUT_QUOTES = re.compile(
    r"[-+/.\d\s]*(?<![.\d])0\d[-+/.\d\s]*|\d{4}-\d\d?-\d\d?|\d\d?/\d\d?/\d{2,4}"
)
"""A date, a postcode or a phone number: SQL makes another number of it, such as 1994."""
_RESERVED = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create default deferrable desc describe distinct do else end except false fetch for
    foreign from group having in initially intersect into lambda lateral leading limit not null
    offset on only or order pivot pivot_longer pivot_wider placing primary qualify references
    returning select show some summarize symmetric table then to trailing true union unique unpivot
    using variadic when where window with anti asof at authorization binary by collation columns
    concurrently cross freeze full generated glob ilike inner is isnull join left like map natural
    notnull outer overlaps positional right semi similar struct tablesample try_cast tuple unpack
    verbose between bigint bit boolean char character coalesce dec decimal exists extract float
    grouping grouping_id inout int integer interval national nchar none nullif numeric out overlay
    position precision real row setof smallint substring time timestamp treat trim values varchar
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
"""
_KEYWORDS = frozenset(_RESERVED.split())
"""Words that cannot be a column's name, or not everywhere."""
_PLAIN = """
    abs coalesce concat length lower ltrim nullif regexp_replace replace round rtrim split_part
    substr trim upper
"""
_PLAIN_FUNCTIONS = frozenset(_PLAIN.split())
_JOINING = frozenset({"||", "+", "-", "*", "/"})
_COMPARING = frozenset({"=", "<>", "<", ">", "<=", ">="})
_MOST_PLAIN_LEVELS = 100


class Expression(Struct, frozen=True):
    """What a valid expression is made of."""

    column: str | None
    """The column's name where the expression is nothing but a column."""
    columns: tuple[str, ...]
    """Each column that it names, once, as written."""
    is_volatile: bool = False
    """Whether each evaluation gives another value, as `uuid()` does."""


def problem_of(expression: str) -> str | None:
    """Say why an expression cannot fill a field; None if it can.

    Columns are not looked up: the source need not exist.
    """
    return None if is_plain(expression) else problem_by_syntax_tree(expression)


def problem_by_syntax_tree(expression: str) -> str | None:
    """Like `problem_of`, decided by DuckDB whether the expression is plain or not."""
    from runner.tables.staging.nesting import too_deep_or

    return too_deep_or(_problem, expression)


def _problem(expression: str) -> str | None:
    if not expression.strip():
        return "the expression is empty"
    if _TEXT_WITHOUT_QUOTES.fullmatch(expression.strip()):
        return f"SQL would make another number of it; put text in quotes: '{expression.strip()}'"
    bare, enclosed = _syntax_tree(f"SELECT {expression}\n"), _enclosed(expression)
    for tree in (enclosed, bare):
        if tree.get("error"):
            return _syntax_problem(tree, expression)
    chosen = bare["statements"][0]["node"]["select_list"]
    return "write one expression, not a list" if len(chosen) != 1 else _problem_of_one(chosen[0])


def _problem_of_one(chosen: dict[str, Any]) -> str | None:
    if chosen.get("alias"):
        return "an alias is not possible here: the field names the value"
    for names in _references(chosen, frozenset()):
        if len(names) > 1:
            return f"`{'.'.join(names)}` is a column of a table, and there are no tables here"
    return next((text for node in _nodes(chosen) if (text := _refusal(node))), None)


def problem_of_select(statement: str) -> str | None:
    """Say why SQL is not a single SELECT; None if it is."""
    from runner.tables.staging.nesting import too_deep_or

    return too_deep_or(_problem_of_select, statement)


def _problem_of_select(statement: str) -> str | None:
    tree = _syntax_tree(statement)
    if tree.get("error"):
        message = _first_line(tree)
        return "only SELECT is possible here" if message.startswith("Only SELECT") else message
    if len(tree["statements"]) != 1:
        return "write a single statement"
    return next((f"{each} is not possible here" for each in _table_functions(tree)), None)


def is_plain(expression: str) -> bool:
    """Whether an expression is certainly valid; False: only the syntax tree can tell."""
    return _plain(expression) is not None


@cache
def columns_in(expression: str) -> tuple[str, ...]:
    """The columns that an expression names; none if it is not valid."""
    return () if problem_of(expression) else parse(expression).columns


def parse(expression: str) -> Expression:
    """Take a valid expression apart."""
    return _plain(expression) or parse_by_syntax_tree(expression)


@cache
def _plain(expression: str) -> Expression | None:
    """A plain expression; None if it is not plain."""
    words = tokens(expression)
    if words is None or _TEXT_WITHOUT_QUOTES.fullmatch(expression.strip()):
        return None
    reader = _PlainReader(words)
    if not (reader.value() and reader.at_end):
        return None
    columns = tuple(dict.fromkeys(reader.columns))
    is_alone = [kind for kind, text, _ in words if text not in {"(", ")"}] == ["name"]
    return Expression(columns[0] if is_alone else None, columns)


def parse_by_syntax_tree(expression: str) -> Expression:
    """Like `parse`, done by DuckDB whether the expression is plain or not."""
    tree = _enclosed(expression)["statements"][0]["node"]["select_list"][0]
    nodes = list(_nodes(tree))
    columns = tuple(dict.fromkeys(_columns(tree)))
    functions = frozenset(n["function_name"].lower() for n in nodes if n["class"] == "FUNCTION")
    alone = columns[0] if tree["class"] == "COLUMN_REF" and len(tree["column_names"]) == 1 else None
    return Expression(alone, columns, not functions.isdisjoint(_volatile_functions()))


def _columns(tree: object) -> Iterator[str]:
    return (names[-1] for names in _references(tree, frozenset()))


def _references(tree: object, parameters: frozenset[str]) -> Iterator[list[str]]:
    """Columns that are named, in order, each as the parts of its name; a lambda's own are none."""
    if isinstance(tree, list):
        for child in tree:
            yield from _references(child, parameters)
    elif isinstance(tree, dict):
        if tree.get("class") == "COLUMN_REF":
            if tree["column_names"][0].lower() not in parameters:
                yield tree["column_names"]
        elif tree.get("class") == "LAMBDA" and tree["syntax_type"] != _ARROW:
            own = {each.lower() for each in _columns(tree["lhs"])}
            yield from _references(tree["expr"], parameters | own)
        else:
            for child in tree.values():
                yield from _references(child, parameters)


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
    if function in _lambda_functions() and any(map(_is_arrow, node["arguments"])):
        return "`x -> …` is not possible here: write `lambda x: …`"
    if not any(kind in kinds for kind in _ROWWISE):
        return f"{function}() is not possible here: an expression gives one value for one row"
    return None


def _is_arrow(argument: dict[str, Any]) -> bool:
    return bool(argument["expression"].get("syntax_type") == _ARROW)


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
    message = _first_line(tree)
    if 'near ")"' in message and ")" not in expression:
        return "syntax error at the end of the expression"
    return message


def _first_line(tree: dict[str, Any]) -> str:
    from runner.tables.staging.nesting import in_plain_words

    return in_plain_words(str(tree["error_message"]).splitlines()[0])


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
def _lambda_functions() -> frozenset[str]:
    """Functions that take a lambda; as an argument of others, an arrow reads JSON."""
    asked = (
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        " WHERE list_contains(parameter_types, 'LAMBDA')"
    )
    with _parser().cursor() as cursor:
        return frozenset(name for (name,) in cursor.execute(asked).fetchall())


@cache
def _volatile_functions() -> frozenset[str]:
    return frozenset(f for f, _, stability in _catalogue() if stability == "VOLATILE")


@cache
def _catalogue() -> tuple[tuple[str, str, str | None], ...]:
    asked = "SELECT DISTINCT lower(function_name), function_type, stability FROM duckdb_functions()"
    with _parser().cursor() as cursor:
        return tuple(cursor.execute(asked).fetchall())


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    from runner.tables import duckdb
    from runner.tables.staging.nesting import MOST_LEVELS

    parser = duckdb.connect(":memory:", config={"threads": "1"})
    parser.execute(f"SET GLOBAL max_expression_depth = {MOST_LEVELS}")
    return parser


def tokens(expression: str) -> list[tuple[str, str, str]] | None:
    """Kind, lower-case text and text of each token; None if something else is in between."""
    found: list[tuple[str, str, str]] = []
    place, end = 0, len(expression.rstrip())
    while place < end:
        token = _TOKEN.match(expression, place)
        if token is None:
            return None
        kind = token.lastgroup or ""
        found.append((kind, token[kind].lower(), token[kind]))
        place = token.end()
    return found


class _PlainReader:
    """Reads tokens in order; each method returns whether it found what it is named for."""

    def __init__(self, tokens: list[tuple[str, str, str]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._levels = 0
        self.columns: list[str] = []
        """Those that were read, as written."""

    @property
    def at_end(self) -> bool:
        return self._place == len(self._tokens)

    def value(self) -> bool:
        before = self._levels
        while self._levels < _MOST_PLAIN_LEVELS:
            self._levels += 1  # each operand after a sign is one level deeper in SQL's tree
            if not self._operand():
                return False
            if not self._sign(_JOINING):
                self._levels = before
                return True
        return False

    def _operand(self) -> bool:
        kind, text, written = self._next()
        if kind in {"text", "number"}:
            return True
        if text == "case":
            return self._branches()
        if kind == "name" and self._sign({"("}):
            return self._arguments(text)
        if kind == "name":
            self.columns.append(written)
            return text not in _KEYWORDS
        return text == "(" and self.value() and self._sign({")"})

    def _arguments(self, function: str) -> bool:
        if function not in _PLAIN_FUNCTIONS or not self.value():
            return False
        while self._sign({","}):
            if not self.value():
                return False
        return self._sign({")"})

    def _branches(self) -> bool:
        compared = self._peek() != "when"
        if compared and not self.value():
            return False
        branches = 0
        while self._word("when"):
            fits = self.value() if compared else self._comparison()
            if not (fits and self._word("then") and self.value()):
                return False
            branches += 1
        if self._word("else") and not self.value():
            return False
        return branches > 0 and self._word("end")

    def _comparison(self) -> bool:
        return self.value() and self._sign(_COMPARING) and self.value()

    def _sign(self, wanted: frozenset[str] | set[str]) -> bool:
        return self._skip("sign", wanted)

    def _word(self, wanted: str) -> bool:
        return self._skip("name", {wanted})

    def _skip(self, kind: str, wanted: frozenset[str] | set[str]) -> bool:
        found = not self.at_end and self._tokens[self._place][:2] in {(kind, one) for one in wanted}
        self._place += found
        return found

    def _next(self) -> tuple[str, str, str]:
        found = ("", "", "") if self.at_end else self._tokens[self._place]
        self._place += 1
        return found

    def _peek(self) -> str:
        return "" if self.at_end else self._tokens[self._place][1]
