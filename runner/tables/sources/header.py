"""Names of a source's columns, in any format.

Names have no blanks around them, and letter case does not tell two apart: Salesforce and SQL treat
`Name` and `NAME` as the same. Knows nothing of fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from runner.errors import SourceError

_INVISIBLE = "\ufeff\u200b"
"""A byte order mark inside quotes, or a second one; a space of no width, out of a web page."""


class EmptySourceError(SourceError):
    """A file that has not even a header."""


def clean_name(name: str) -> str:
    """A column's name without what surrounds it invisibly."""
    return name.strip().strip(_INVISIBLE).strip()


def named_columns(names: Sequence[str]) -> int:
    """How many columns there are up to the last one with a name."""
    return max((at for at, name in enumerate(names, start=1) if clean_name(name)), default=0)


def empty(path: Path) -> EmptySourceError:
    """The error for a source that has not even a header."""
    return EmptySourceError(
        f"{path} is empty.",
        hint="An export that failed may have left it so. A table without rows still has its "
        "header, and in JSON it is `[]`.",
    )


def check_header(
    path: Path, names: Sequence[str], *, hint: str = "Give every column a name."
) -> tuple[str, ...]:
    """Clean names, and reject blank and repeated ones.

    Raises:
        SourceError: Gives the column and its position.
    """
    seen: dict[str, int] = {}
    cleaned = tuple(map(clean_name, names))
    for place, name in enumerate(cleaned, start=1):
        if not name:
            raise SourceError(
                f"{path}: column {place} of {len(names)} has no name.",
                hint=hint,
            )
        first = seen.setdefault(name.lower(), place)
        if first != place:
            raise SourceError(
                f"{path}: column {name!r} appears twice in the header ({first} and {place}).",
                hint="Rename or remove one; column names are not case-sensitive.",
            )
    return cleaned


def check_same_columns(
    first: Path, columns: Iterable[str], other: Path, others: Iterable[str]
) -> None:
    """Reject a file of a pattern whose columns differ from the first one's; order is free.

    Raises:
        SourceError: Gives the columns that are missing or added.
    """
    expected = {name.lower(): name for name in columns}
    found = {name.lower(): name for name in others}
    missing = ", ".join(name for key, name in expected.items() if key not in found)
    added = ", ".join(name for key, name in found.items() if key not in expected)
    if missing or added:
        what = [f"lacks {missing}" if missing else "", f"adds {added}" if added else ""]
        raise SourceError(
            f"{other}: its columns differ from those of {first}: it"
            f" {' and '.join(filter(None, what))}.",
            hint="Files of one pattern must have the same columns, in any order.",
        )


class MergedColumns:
    """The columns of records that each name their own; spellings of one name are one column.

    Attributes:
        names: Of the columns, as they were first spelled, in order of appearance.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: dict[str, str] = {}
        self.names: dict[str, None] = {}

    def renamed(self, record: dict[str, Any]) -> dict[str, Any]:
        """Add a record's columns; give the record with their names as its keys.

        Raises:
            SourceError: The record has two spellings of one name.
        """
        if record.keys() <= self.names.keys():
            return record
        found: dict[str, Any] = {}
        for key, value in record.items():
            name = clean_name(key)
            first = self._first.setdefault(name.lower(), name)
            self.names.setdefault(first)
            if first in found:
                raise SourceError(
                    f"{self._path}: a record has {first!r} and {key!r}: the column appears twice.",
                    hint="Rename or remove one; column names are not case-sensitive.",
                )
            found[first] = value
        return found
