"""Which files of earlier runs are deleted, and when.

Knows how long runs stay and which must not go. Knows nothing of what is in their files.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from runner.engine.context import LOOKUPS
from runner.state.ledger import Ledger
from runner.state.paths import WORKING_FOLDERS

RETENTION_DAYS = 90
_ALL = 1_000_000


class Pruned(Struct, frozen=True):
    """Which runs were deleted."""

    runs: tuple[str, ...]
    unfinished: tuple[str, ...]
    """Old runs that were not deleted because they can be resumed."""


def prune(ledger: Ledger, *, keep: int | None = None, now: datetime | None = None) -> Pruned:
    """Delete old runs from the ledger, with their folders.

    Args:
        ledger: The ledger.
        keep: How many of the newest runs to keep; None: those of the last 90 days.
        now: The current time.

    Raises:
        StateError: The ledger cannot be written.
    """
    now = now or datetime.now(UTC)
    runs = ledger.runs(limit=_ALL)
    oldest = now - timedelta(days=RETENTION_DAYS)
    old = runs[keep:] if keep is not None else [r for r in runs if r.started < oldest]
    complete = [run for run in old if run.final]
    for run in complete:
        ledger.delete_run(run.run_id)
    ledger.files.tidy()
    ledger.files.delete_strays(now)
    if complete:
        ledger.shrink()
    return Pruned(
        tuple(run.run_id for run in complete), tuple(run.run_id for run in old if not run.final)
    )


def remove_working_files(folder: Path) -> None:
    """Delete what a dead process left in a run's folder; a resume creates its own.

    Rows being staged or compared, and files that are not whole.
    """
    for pattern in (*(f"*/{name}" for name in WORKING_FOLDERS), LOOKUPS, "*/.*", "*/*/.*"):
        for stray in folder.glob(pattern):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)
