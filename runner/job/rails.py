"""The limits of a job as values: `max_deletes: 5%`.

Knows nothing of what they mean (`limits`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Rail(StrEnum):
    """A limit of a job; `limits` says what each means."""

    MIN_ROWS = "min_rows"
    MAX_CREATES = "max_creates"
    MAX_UPDATES = "max_updates"
    MAX_DELETES = "max_deletes"
    MAX_CLEARS = "max_clears"
    RESERVE_API_CALLS = "reserve_api_calls"


class Amount(Struct, frozen=True):
    """A number, or a share of the records of an object; exactly one member is set."""

    number: int | None = None
    percent: float | None = None

    def __str__(self) -> str:
        """As a job has it."""
        return f"{self.number:,}" if self.number is not None else f"{self.percent:g}%"


Limits = Mapping[Rail, Amount]
