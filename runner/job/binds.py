"""Binds: `:name` in a query, filled with a correctly quoted literal.

There is no other way for a value to get into a query, so nothing in a value can change what the
query does. Knows SOQL's literals; nothing of where the values come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from runner.job.model import ParamValue
from runner.job.soql import binds

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


def names(soql: str) -> tuple[str, ...]:
    """Names of the binds, each once, in the order of the query."""
    return tuple(dict.fromkeys(found[1] for found in binds(soql)))


def bind(soql: str, params: Mapping[str, ParamValue]) -> str:
    """Put a literal in the place of each `:name` outside string literals.

    After a date function (`LAST_N_DAYS:days`) the colon stays, since there it is SOQL's own.

    Raises:
        KeyError: A bind has no param; validation has seen to it that each has one.
    """
    pieces: list[str] = []
    end = 0
    for found in binds(soql):
        colon = ":" if _follows_word(soql, found.start()) else ""
        pieces += (soql[end : found.start()], colon, literal(params[found[1]]))
        end = found.end()
    return "".join((*pieces, soql[end:]))


def _follows_word(soql: str, at: int) -> bool:
    before = soql[at - 1 : at]
    return before == "_" or before.isalnum()


def literal(value: ParamValue) -> str:
    """Write a value as SOQL does."""
    match value:
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


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}"
