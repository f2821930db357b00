"""Words that messages of every package share.

Pure. Knows nothing of what is counted.
"""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
