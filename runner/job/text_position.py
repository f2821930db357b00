"""Points a problem at the words in a query, an expression or another text that cause it.

Knows how YAML spreads a text over lines. Knows nothing of SOQL or SQL.
"""

from __future__ import annotations

from dataclasses import replace

from runner.diagnostics import Diagnostic, Position
from runner.job.model import Origin


def narrowed(found: Diagnostic, origin: Origin, text: str, start: int, end: int) -> Diagnostic:
    """The same problem, pointing at `text[start:end]`; unchanged if YAML writes that differently.

    Args:
        found: A problem that points at the value.
        origin: The file.
        text: The value.
        start: First character of the cause.
        end: Its end; what is on further lines is not marked.
    """
    cause = text[start:end].split("\n", maxsplit=1)[0].rstrip()
    at = found.position
    if not cause or at is None:
        return found
    earlier = text[:start].count(cause)
    below = (each.line for each in origin.positions.values() if each.line > at.line)
    last = min(below, default=len(origin.lines) + 1)
    for number in range(at.line, last):
        line = origin.lines[number - 1]
        column = line.find(cause, at.column - 1 if number == at.line else 0)
        while column >= 0:
            if not earlier:
                position = Position(number, column + 1, column + 1 + len(cause))
                return replace(found, position=position, line_text=line)
            earlier -= 1
            column = line.find(cause, column + len(cause))
    return found
