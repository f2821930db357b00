"""How names and texts are written in SQL.

Knows quoting. Knows nothing of what is asked.
"""

from __future__ import annotations


def name(text: str) -> str:
    """Quote an identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"
