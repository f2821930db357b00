"""How records are looked up: by their keys, or all of them by one Bulk query.

Pure: from numbers to the way that takes fewer API calls, which the daily limit of an org counts.
Knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

KEYS_PER_QUERY = 400
"""Keys of usual length that a URL has room for."""
BULK_CALLS = 12
"""Of a Bulk query besides the pages of its result: created, and polled until it is complete."""
RECORDS_PER_PAGE = 50_000


class Reading(StrEnum):
    """How records are read."""

    BY_KEY = "by key"
    BULK = "by one Bulk query"


def calls(reading: Reading, keys: int, records: int) -> int:
    """API calls that it takes.

    Args:
        reading: How.
        keys: Of the rows, each once.
        records: That have a key, in the org or in the job's scope.
    """
    if reading is Reading.BY_KEY:
        return -(-keys // KEYS_PER_QUERY)
    return BULK_CALLS + max(1, -(-records // RECORDS_PER_PAGE))


def reading_for(keys: int, count: Callable[[], int | None]) -> Reading:
    """Choose how records are read.

    Args:
        keys: Of the rows, each once.
        count: Counts the records, by one more call; None if the org does not say. It is not called
            where keys are so few that the answer does not matter.
    """
    by_key = calls(Reading.BY_KEY, keys, 0)
    if by_key <= BULK_CALLS:
        return Reading.BY_KEY
    records = count()
    if records is None or by_key <= calls(Reading.BULK, keys, records):
        return Reading.BY_KEY
    return Reading.BULK
