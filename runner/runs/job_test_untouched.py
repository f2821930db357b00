"""What became of records that a job should have left alone, as lines of a difference.

Knows stored records. Knows nothing of tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.local_org.catalog.model import SYSTEM_COLUMNS
from runner.runs.job_test_org import BLANK, Cells, Records

_MOST_FIELDS = 8


def changed_records(before: Records, after: Records) -> Iterator[str]:
    """A line for each record that is not as before: `+` created, `-` deleted."""
    for key, now in after.items():
        was = before.get(key)
        if was is None:
            values = [f"{name} {_shown(now[name])}" for name in _own(now) if now[name] not in BLANK]
            yield f"  + {key}: {_some(values)}"
        elif now.get("IsDeleted") and not was.get("IsDeleted"):
            yield f"  - {key}"
        elif now != was:
            changes = [name for name in _own(now) if now[name] != was.get(name)]
            values = [f"{name} {_shown(was.get(name))} -> {_shown(now[name])}" for name in changes]
            yield f"    {key}: {_some(values) or 'saved again with the same values'}"
    yield from (f"  - {key}" for key in before if key not in after)


def _own(record: Cells) -> list[str]:
    return [name for name in record if name not in SYSTEM_COLUMNS]


def _some(values: list[str]) -> str:
    more = len(values) - _MOST_FIELDS
    return ", ".join(values[:_MOST_FIELDS]) + (f" and {more} more fields" if more > 0 else "")


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "blank" if value is None else str(value).lower()
    return f"'{value}'"
