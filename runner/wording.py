"""How numbers and values are written, where several packages write them.

Pure. Knows nothing of what is counted, or of where a text goes.
"""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain(value: object) -> str:
    """A value of JSON as the cell of a row has it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def moment_of_row(moment: datetime) -> str:
    """A moment as rows of the org have it, in whole seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
