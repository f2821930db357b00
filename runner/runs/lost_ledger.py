"""Notices that the ledger is new although there were runs before."""

from __future__ import annotations

from runner.state.ledger import Ledger
from runner.state.ledger_file import DAMAGED
from runner.state.paths import StateFolder


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
