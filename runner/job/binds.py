"""Binds: `:name` in SOQL or SQL, filled with a param's value.

In SOQL a value becomes a quoted literal, in SQL it is passed beside the text: no value can change
what a query does. Knows the literals of SOQL and the quotes of SQL. Knows nothing of where values
come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from runner.job.model import ParamValue
from runner.job.soql import binds, masked

_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
}
_ESCAPED = re.compile(r"[\\'\x00-\x1f]")
_IN_PATTERN = re.compile(rf"\\[%_\\]|{_ESCAPED.pattern}")
_AFTER_LIKE = re.compile(r"\bLIKE\s*\(?\s*$", re.IGNORECASE)
_AFTER_IN = re.compile(r"\bIN\s*$", re.IGNORECASE)
_WITH_SEVERAL = re.compile(r"\b(IN|INCLUDES|EXCLUDES)\s*(\((?:[^()]*,)?)?\s*$", re.IGNORECASE)
_IN_SQL = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
    r"""|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    r"""|(?<![:\w'"\]]):(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)


def names(soql: str) -> tuple[str, ...]:
    """Names of the binds in SOQL, each once, in the order of the query."""
    return tuple(dict.fromkeys(found[1] for found in binds(soql)))


def bind(soql: str, params: Mapping[str, ParamValue]) -> str:
    r"""Replace each `:name` in SOQL, outside string literals, with a literal.

    After IN, the literals of a list get parentheses if they have none. After a date function
    (`LAST_N_DAYS:days`) the colon stays: there it is part of SOQL. After LIKE, `\\%` and `\\_` in
    the value are these characters, as in SOQL.

    Raises:
        KeyError: A bind has no param; a validated job has one for each.
    """
    pieces: list[str] = []
    end = 0
    for found in binds(soql):
        before = masked(soql[: found.start()])
        value = params[found[1]]
        if _AFTER_LIKE.search(before) and isinstance(value, str):
            written = f"'{_IN_PATTERN.sub(_escape_in_pattern, value)}'"
        else:
            written = literal(value)
        colon = ":" if _follows_word(soql, found.start()) else ""
        if _AFTER_IN.search(before):
            written, colon = f"({written})", ""
        pieces += (soql[end : found.start()], colon, written)
        end = found.end()
    return "".join((*pieces, soql[end:]))


def _follows_word(soql: str, at: int) -> bool:
    before = soql[at - 1 : at]
    return before == "_" or before.isalnum()


def takes_list(soql: str, at: int) -> bool:
    """Whether the bind at an offset is where SOQL takes several values."""
    return _WITH_SEVERAL.search(masked(soql[:at])) is not None


def literal(value: ParamValue) -> str:
    """Write a value as a SOQL literal; of a list, its values with commas."""
    match value:
        case tuple():
            return ", ".join(map(literal, value))
        case None | bool() | int():
            return json.dumps(value)
        case float():
            return format(Decimal(repr(value)), "f")
        case datetime():
            naive = _utc(value).replace(tzinfo=None)
            return f"{naive.isoformat(timespec='milliseconds')}Z"
        case date():
            return value.isoformat()
    return f"'{_ESCAPED.sub(_escape, value)}'"


def _escape_in_pattern(found: re.Match[str]) -> str:
    return found[0] if len(found[0]) > 1 else _escape(found)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}"


def sql_names(sql: str) -> tuple[str, ...]:
    """Names of the binds in SQL, each once, in the order of the SQL."""
    return tuple(dict.fromkeys(found["name"] for found in _sql_binds(sql)))


def rewrite_sql(
    sql: str, write: Callable[[str], str], around: Callable[[str], str] = lambda text: text
) -> str:
    """Replace each bind in SQL.

    Args:
        sql: As the job has it.
        write: From a bind's name to what replaces it.
        around: Changes the text between binds.
    """
    pieces: list[str] = []
    end = 0
    for found in _sql_binds(sql):
        pieces += (around(sql[end : found.start()]), write(found["name"]))
        end = found.end()
    return "".join((*pieces, around(sql[end:])))


def for_duckdb(sql: str) -> str:
    """SQL for DuckDB, with its variables in place of binds."""
    return rewrite_sql(sql, lambda name: f"getvariable('{name}')")


def _sql_binds(sql: str) -> Iterator[re.Match[str]]:
    return (found for found in _IN_SQL.finditer(sql) if found["name"])
