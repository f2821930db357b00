"""Binds in SQL: where `:name` stands for a param's value, and where a colon is something else.

Values never become part of the SQL: whoever runs it hands them over beside it. Knows what SQL puts
in quotes and comments; nothing of databases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_PLACE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
    r"""|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    r"""|(?<![:\w'"\]]):(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)


def names(sql: str) -> tuple[str, ...]:
    """Names of the binds, each once, in the order of the SQL."""
    return tuple(dict.fromkeys(found["name"] for found in _binds(sql)))


def rewritten(
    sql: str, write: Callable[[str], str], around: Callable[[str], str] = lambda text: text
) -> str:
    """The SQL with something else in the place of each bind.

    Args:
        sql: As the job has it.
        write: From a bind's name to what stands there.
        around: What becomes of the text between binds.
    """
    pieces: list[str] = []
    end = 0
    for found in _binds(sql):
        pieces += (around(sql[end : found.start()]), write(found["name"]))
        end = found.end()
    return "".join((*pieces, around(sql[end:])))


def for_duckdb(sql: str) -> str:
    """The SQL as DuckDB takes it, the values being its variables."""
    return rewritten(sql, lambda name: f"getvariable('{name}')")


def _binds(sql: str) -> Iterator[re.Match[str]]:
    return (found for found in _PLACE.finditer(sql) if found["name"])
