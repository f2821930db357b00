"""Lookups: fields whose values are Ids of other records, found by what the rows say of them.

Frozen values. Knows nothing of the org or of SQL beyond what a quoted text is.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

_USERNAME = re.compile(r"[^\s'\"()]+@[^\s'\"()]+")
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Missing(StrEnum):
    """What happens to a row whose record does not exist."""

    ERROR = "error"
    """It fails."""
    BLANK = "blank"
    """It is sent as if the value were blank."""
    SKIP = "skip"
    """It is not sent."""


class Many(StrEnum):
    """What happens to a row that matches several records."""

    ERROR = "error"
    """It fails."""
    FIRST = "first"
    """It gets the one with the lowest Id."""


class Place(Struct, frozen=True):
    """Where records are looked up."""

    sobject: str
    by: tuple[str, ...]
    """Fields that the values are compared with, one for each value."""
    where: str = ""
    """What else must be true of a record, in SOQL with binds; may be empty."""


class Lookup(Struct, frozen=True):
    """How the records of one field are found."""

    places: tuple[Place, ...]
    """A record of any of them counts."""
    values: tuple[str, ...]
    """SQL expressions over the source's columns."""
    missing: Missing = Missing.ERROR
    many: Many = Many.ERROR
    word: str = "lookup"
    """The key that declares it: `lookup`, `record_type` or `owner`."""

    @property
    def allows_words(self) -> bool:
        """Whether a bare word that is not a column is a fixed text."""
        return self.word != "lookup"

    def text_of(self, header: tuple[str, ...]) -> tuple[str, ...]:
        """The values as expressions, where the source has these columns."""
        columns = {each.lower() for each in header}
        return tuple(
            quoted(each)
            if self.allows_words and is_word(each) and each.strip().lower() not in columns
            else each
            for each in self.values
        )


def record_type(sobject: str, name: str) -> Lookup:
    """The lookup of `{record_type: …}`: an active record type of the object, by DeveloperName."""
    where = f"SobjectType = '{sobject}' AND IsActive = true"
    return Lookup((Place("RecordType", ("DeveloperName",), where),), (name,), word="record_type")


def owner(name: str) -> Lookup:
    """The lookup of `{owner: …}`: a user by Username, or a queue by DeveloperName or label."""
    queue = "Type = 'Queue'"
    places = (
        Place("User", ("Username",)),
        Place("Group", ("DeveloperName",), queue),
        Place("Group", ("Name",), queue),
    )
    return Lookup(places, (quoted(name) if _USERNAME.fullmatch(name) else name,), word="owner")


def is_word(expression: str) -> bool:
    """Whether an expression is a single word, which may be meant as a text."""
    return _WORD.fullmatch(expression.strip()) is not None


def quoted(text: str) -> str:
    """A text as SQL."""
    return f"'{text.strip()}'"
