"""Points a problem at the words in a query, an expression or another text that cause it.

Knows how YAML spreads a text over lines. Knows nothing of SOQL or SQL.
"""

from __future__ import annotations

from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Position
from runner.job.origin import Origin


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
    if not cause or found.position is None:
        return found
    # A folded text has a blank where the file has a new line, perhaps within the cause.
    for words in dict.fromkeys((cause, cause.split()[0])):
        at = _place(found.position, origin, words, text[:start].count(words))
        if at is not None:
            return replace(found, position=at, line_text=origin.lines[at.line - 1])
    return found


def _place(at: Position, origin: Origin, cause: str, earlier: int) -> Position | None:
    """Find a text below the beginning of its value, after so many others like it."""
    below = (each.line for each in origin.positions.values() if each.line > at.line)
    last = min(below, default=len(origin.lines) + 1)
    for number in range(at.line, last):
        line = origin.lines[number - 1]
        column = line.find(cause, at.column - 1 if number == at.line else 0)
        while column >= 0:
            if not earlier:
                return Position(number, column + 1, column + 1 + len(cause))
            earlier -= 1
            column = line.find(cause, column + len(cause))
    return None
