"""Statements for parsers: valid ones, invalid ones, and the valid ones with a word changed.

Which of the changed ones are valid, only a parser can tell. Names need not exist.
"""

import re
from collections.abc import Iterator
from pathlib import Path


def _lines(name: str) -> list[str]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return text.rstrip("\n").split("\n")


VALID = _lines("valid.soql")
INVALID = _lines("invalid.soql")
WITH_BINDS = _lines("with_binds.soql")
LOOSER = {
    "SELECT Id FROM Account WHERE a-b = 5": "no name in an org has a hyphen",
    "SELECT Id. FROM Account": "no path ends with a dot",
    "SELECT Account..Name FROM Contact": "no name is empty",
    "SELECT Id FROM Account WHERE a = 2024-13-45": "no such day",
    "SELECT Id FROM Account WHERE a = 1600-01-01": "the reference starts dates in 1700",
    "SELECT Id FROM Account WHERE a = 2024-01-01T25:00:00Z": "no such hour",
    "SELECT Id FROM Account WHERE a = 25:00:00Z": "no such hour",
    "SELECT Id FROM Account WHERE a = LAST_N_DAYS": "the reference has it with a number only",
    "SELECT Id FROM Account WHERE a = TODAY:3": "the reference has it without a number only",
    "SELECT Id FROM Account WHERE Name = '\\uD83D'": "half a character",
    "SELECT Id FROM Account LIMIT -1": "no number of records is negative",
    "SELECT Id FROM Account UPDATE OTHER": "the reference has TRACKING and VIEWSTAT only",
    "SELECT Id FROM Account USING SCOPE mine, LOOKUP x": "LOOKUP is not in the reference",
    "SELECT Id FROM Account BIND x = 1": "BIND is not in the reference",
}
"""What soql-common takes and the runner refuses, and why it may."""

STRICTER = {
    "SELECT Id FROM Account FOR UPDATE": "the reference has it, for Apex",
    "SELECT Id FROM Account WHERE Name = '\\f\\F'": "the reference has it",
    "SELECT Id FROM Account WHERE DISTANCE(A__c, B__c, 'mi') < 5": "the reference has it",
}
"""What soql-common refuses and the runner takes, and why it may."""

_WORD = re.compile(r"'(?:[^'\\]|\\.)*'|[\w.]+|\s+|\S")


def changed(statement: str) -> Iterator[str]:
    """The statement with a word left out, doubled, swapped with the next one, or glued to it."""
    words = _WORD.findall(statement)
    for at, word in enumerate(words):
        before, after = words[:at], words[at + 1 :]
        yield "".join([*before, *after])
        if not word.isspace():
            yield "".join([*before, word, " ", word, *after])
        if len(after) > 1:
            yield "".join([*before, after[1], after[0], word, *after[2:]])
