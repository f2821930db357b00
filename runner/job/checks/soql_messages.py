"""What is wrong with the syntax of a query, in words.

Knows what people misspell. Knows nothing of jobs.
"""

from __future__ import annotations

import re

from runner.soql.errors import SoqlError
from runner.suggest import closest
from runner.wording import shortened

_FOUND = re.compile(r"'(?:[^'\\]|\\.)*'|\d[\w:.+-]*\w|[\w.]*\w|\\.|\S", re.DOTALL)
_LAST = re.compile(r"(\S+)\s*$")
_LONGEST_SHOWN = 40
_HELP = {
    "a field": "name a field, such as Name or Account.Name",
    "a value": "a value is 'text', a number, true, false, null, a date, or a param as :name",
    "an object": "write the object's API name",
    "an operator such as `=`": "write a condition as: field = value",
    "a condition": "write a condition as: field = value",
    "a whole number": "write a number such as 100, or a param as :name",
    "FROM": "separate fields with commas, and write FROM and the object after the last one",
    "BY": "write BY and the fields",
    "`(`": "put the list in parentheses",
    "`)`": "close the parenthesis",
}
GENERAL = "a query is SELECT fields FROM object WHERE … ORDER BY … LIMIT …, in this order"


def syntax_problem(text: str, error: SoqlError) -> tuple[str, str, int, int]:
    """The message, the help, and the first and last character to point at."""
    from runner.soql.parser import CLAUSES  # noqa: PLC0415 - few queries are wrong

    start, end = _place(text, error.at)
    found = text[start:end]
    general = next((_HELP[each] for each in error.expected if each in _HELP), GENERAL)
    if error.words is not None:
        message = f"{error.words[0].lower()}{error.words[1:]}"
        return message, error.help or _HELP["a value"], start, end
    if error.at >= len(text.rstrip()):
        message = f"the query ends where {_either(error.expected)} must follow"
        return message, error.help or general, start, end
    shown = "a backtick" if found == "`" else f"`{shortened(found, _LONGEST_SHOWN)}`"
    if error.alias and (meant := closest(error.alias, CLAUSES)):
        before = text.rindex(error.alias, 0, error.at)
        message = f"`{error.alias}` is not a clause"
        return message, f"did you mean `{meant}`?", before, before + len(error.alias)
    message = f"{shown} is not expected here"
    if error.expected:
        message = f"expected {_either(error.expected)}, found {shown}"
    help = error.help or _help(found, error.expected or CLAUSES) or general  # noqa: A001
    return message, help, start, end


def _place(text: str, at: int) -> tuple[int, int]:
    """Where to point: at what is found, or at the last word if nothing is."""
    found = _FOUND.search(text, at) or _LAST.search(text)
    return found.span(found.re.groups) if found else (0, len(text))


def _help(found: str, expected: tuple[str, ...]) -> str | None:
    from runner.soql.scanner import KEYWORDS  # noqa: PLC0415 - few queries are wrong

    words = tuple(word for word in expected if word.isupper())
    if found.lower() in KEYWORDS:
        return "a keyword cannot be an alias" if "`,`" in expected and words else None
    glued = next((word for word in words if found.upper().startswith(word)), None)
    if glued is not None:
        return f"put a space after {glued}"
    meant = closest(found, words)
    return f"did you mean `{meant}`?" if meant else None


def _either(expected: tuple[str, ...]) -> str:
    """What is expected, in words; keywords in backticks."""
    *first, last = (f"`{each}`" if each.isupper() else each for each in expected)
    return f"{', '.join(first)} or {last}" if first else last
