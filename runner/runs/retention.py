"""What old runs leave behind, and when it goes.

Knows how long runs are kept and which must stay. Knows nothing of what is in their files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.state.ledger import Ledger
from runner.state.ledger_file import DAMAGED
from runner.state.paths import StateFolder
from runner.state.run_records import RunRecord, RunState

KEPT_DAYS = 90
_ALL = 1_000_000
_OF_THE_MOMENT = "staging"
"""Folder of a task's working files, which mean nothing to another process."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken away."""

    runs: tuple[str, ...]
    unfinished: tuple[str, ...]
    """Runs that were old enough and stay, for somebody may resume them."""


def prune(
    ledger: Ledger, state: StateFolder, *, keep: int | None = None, now: datetime | None = None
) -> Pruned:
    """Take old runs out of the ledger, with their folders.

    Args:
        ledger: Of the state folder.
        state: The state folder.
        keep: How many to keep, the newest; None: those of the last 90 days.
        now: The moment it is.

    Raises:
        StateError: The ledger cannot be written.
    """
    runs = ledger.runs(limit=_ALL)
    oldest = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    old = runs[keep:] if keep is not None else [r for r in runs if r.started < oldest]
    going = [run for run in old if run.final]
    for run in going:
        ledger.delete_run(run.run_id)
        shutil.rmtree(state.run(run.run_id), ignore_errors=True)
    if going:
        ledger.shrink()
    return Pruned(
        tuple(run.run_id for run in going), tuple(run.run_id for run in old if not run.final)
    )


def sweep_dead_runs(ledger: Ledger, state: StateFolder) -> None:
    """Delete working files that processes left which died; a resume makes its own."""
    for run in ledger.unfinished():
        if _is_gone(run):
            for stray in _strays(state.run(run.run_id)):
                if stray.is_dir():
                    shutil.rmtree(stray, ignore_errors=True)
                else:
                    stray.unlink(missing_ok=True)


def _strays(folder: Path) -> Iterator[Path]:
    """What was under way when a run died: rows being staged, files that are not whole."""
    for pattern in (f"*/{_OF_THE_MOMENT}", "*/.*", "*/*/.*"):
        yield from folder.glob(pattern)


def lost_ledger(ledger: Ledger, state: StateFolder) -> str | None:
    """What to tell where the ledger is new, but there were runs before; None where all is well."""
    if ledger.runs(limit=1):
        return None
    damaged = sorted(state.root.glob(f"{ledger.path.name}{DAMAGED}*"))
    if not damaged and not any(state.runs.iterdir()):
        return None
    kept = f"; the damaged one is kept as {damaged[-1]}" if damaged else ""
    return (
        f"the ledger is new, though there were runs before{kept}. Where one of them was "
        f"unfinished, that is not known any more, and rows that it sent are sent again: see "
        f"{state.runs}"
    )


def _is_gone(run: RunRecord) -> bool:
    return run.state is RunState.DIED and run.process.has_ended()
