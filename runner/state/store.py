"""The state: the ledger, its locks and the files of runs. A folder, or shared by machines.

Knows which implementation an address means. Knows nothing of what is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from runner.state.ledger import Ledger
from runner.state.ledger_file import DAMAGED, LedgerFile
from runner.state.locks import run_lock
from runner.state.paths import StateFolder
from runner.state.run_files import FolderFiles


class StateStore(Protocol):
    """An open state."""

    ledger: Ledger
    permit: Callable[[], None] | None
    """Raises LockHeldError once a lock may be another machine's; None: it cannot be."""

    def tell_waits(self, tell: Callable[[str], None]) -> None:
        """Have it told when the state does not answer for a while; threads call it."""

    def run_lock(  # noqa: PLR0913 - whose it is, and how long to wait for it
        self,
        job_file: Path,
        org_id: str | None,
        *,
        run_id: str,
        target: str | None = None,
        since: datetime | None = None,
        wait_seconds: float = 0.0,
    ) -> AbstractContextManager[Callable[[str], None]]:
        """Hold the lock of one job file on one org; see `state.locks.run_lock`.

        Raises:
            LockHeldError: Another run holds it: which, where, since when.
            StateError: The state cannot be used.
        """


class FolderStore:
    """A state folder of this machine."""

    permit: Callable[[], None] | None = None

    def __init__(self, state: StateFolder) -> None:
        """Open it; it is created when missing."""
        database = LedgerFile(state.create().ledger)
        self.ledger = Ledger(database, files=FolderFiles(database, state.runs))
        self.run_lock = partial(run_lock, state.locks)

    def tell_waits(self, tell: Callable[[str], None]) -> None:
        """Do nothing: a folder answers, or fails."""


@contextmanager
def open_state(state: StateFolder) -> Iterator[StateStore]:
    """Open a state until the block ends.

    Raises:
        StateError: It cannot be read or written, or is of a newer release.
    """
    if state.shared is None:
        store: StateStore = FolderStore(state)
    else:
        from runner.state.shared.store import SharedStore  # noqa: PLC0415 - few have one

        store = SharedStore(state, state.shared)
    try:
        yield store
    finally:
        store.ledger.close()


@contextmanager
def open_ledger(state: StateFolder) -> Iterator[Ledger]:
    """Open the ledger of a state until the block ends.

    Raises:
        StateError: It cannot be read or written, or is of a newer release.
    """
    with open_state(state) as store:
        yield store.ledger


def lost_ledger(ledger: Ledger, state: StateFolder) -> str | None:
    """A warning if the ledger is new although there were runs before; None if all is well."""
    if state.shared is not None or ledger.runs(limit=1):
        return None
    damaged = sorted(state.root.glob(f"{state.ledger.name}{DAMAGED}*"))
    if not damaged and not any(state.runs.iterdir()):
        return None
    saved = f" (the damaged one is saved as {damaged[-1]})" if damaged else ""
    return (
        f"the ledger was recreated{saved}; unfinished runs from before are no longer known, and "
        f"rows that they sent may be sent again: see {state.runs}"
    )
