"""What SQL takes for the present: the real time, or one moment while a job is tested.

Knows DuckDB's functions that give it. The moment is the same for all threads of this process: only
tests of jobs set one, and they run one after the other. Nothing else of the runner heeds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from runner.tables.database import FIRST_STATEMENTS
from runner.tables.sql import literal

_NOW = ("now", "current_timestamp", "get_current_timestamp", "transaction_timestamp")
_AS_TYPE = {
    "today": "DATE",
    "current_date": "DATE",
    "localtimestamp": "TIMESTAMP",
    "current_localtimestamp": "TIMESTAMP",
    "get_current_time": "TIMESTAMP::TIME",
    "localtime": "TIMESTAMP::TIME",
    "current_localtime": "TIMESTAMP::TIME",
}


@contextmanager
def standing_at(moment: datetime | None) -> Iterator[None]:
    """Let databases that are opened in this block take a moment for the present; None: nothing."""
    before = list(FIRST_STATEMENTS)
    if moment is not None:
        FIRST_STATEMENTS[:] = _macros(moment)
    try:
        yield
    finally:
        FIRST_STATEMENTS[:] = before


def _macros(moment: datetime) -> Iterator[str]:
    """Statements that put the moment in place of DuckDB's clock.

    A macro has precedence over the function of the same name.
    """
    now = f"{literal(moment.astimezone(UTC).isoformat())}::TIMESTAMPTZ"
    for name in _NOW:
        yield f"CREATE MACRO {name}() AS {now}"
    for name, kind in _AS_TYPE.items():
        yield f"CREATE MACRO {name}() AS {now}::{kind}"
    # With one argument, the age at the beginning of today; with two, DuckDB's own.
    today = f"{now}::DATE::TIMESTAMP"
    yield (
        f"CREATE MACRO age(a) AS system.main.age({today}, a::TIMESTAMP), "
        "(a, b) AS system.main.age(a, b)"
    )
