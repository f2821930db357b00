"""The watermark that counts: in the target where it keeps one, else in the ledger.

Knows both places. Knows nothing of windows.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from runner.engine.context import Context
from runner.job.endpoints import DatabaseTarget, FolderTarget, TableMode
from runner.job.model import QueryTask
from runner.state.watermarks import Watermark
from runner.tables.targets.target_state import (
    TargetState,
    keeps_state,
    read_state,
    table_name,
    write_delivered,
)


class KnownWatermark:
    """What is known of earlier extracts of a query.

    A target that keeps its watermark has the one that was written with its rows. If a run was
    killed before it could record its end, or another machine ran, or the target was restored, the
    ledger has another.

    Attributes:
        watermark: How far it was extracted; None: nothing is known.
    """

    def __init__(self, task: QueryTask, context: Context) -> None:
        """Look it up.

        Raises:
            StateError: The target cannot be reached or read.
        """
        self._task, self._context = task, context
        found = context.ledger.watermarks.find(context.job.file, task.name, context.org_id)
        self._in_ledger, target = found, task.target
        self._keeper: DatabaseTarget | FolderTarget | None = None
        self.watermark = found
        self._in_target: Watermark | None = None
        if target is not None and keeps_state(target):
            self._keeper = target
            state = read_state(target, context.job.name, task.name)
            self._in_target = self._watermark(state) if state else None
            is_own = state is not None and state.org_id == context.org_id
            self.watermark = self._in_target if is_own else None

    def of_other_org(self, query_sha256: str) -> Watermark | None:
        """What the target's last extract left, if it was from another org."""
        if self.watermark is not None:
            return None
        if self._keeper is not None:
            return self._in_target
        context, task = self._context, self._task.name
        return context.ledger.watermarks.of_other_org(
            context.job.file, task, context.org_id, query_sha256
        )

    def write_delivered(self, to: Path) -> None:
        """Write Id and stamp of the rows near the watermark's end, as CSV without a header.

        Raises:
            StateError: The target cannot be reached or read.
        """
        here, there = self._in_ledger, self.watermark
        if here and there and (here.run_id, here.until) == (there.run_id, there.until):
            self._context.ledger.watermarks.write_delivered(here, to)
        elif there and self._keeper and self._keeper.mode is TableMode.APPEND:
            write_delivered(self._keeper, there.field, there.known_from, to)
        else:
            to.write_bytes(b"")  # a merge finds the rows itself

    def state_of(self, watermark: Watermark) -> TargetState | None:
        """A watermark as the target keeps it; None where it keeps none."""
        if self._keeper is None:
            return None
        return TargetState(
            watermark.job,
            watermark.task,
            watermark.org_id,
            table_name(self._keeper),
            watermark.query_sha256,
            watermark.field,
            watermark.until.isoformat(),
            watermark.known_from.isoformat(),
            watermark.full_at.isoformat(),
            watermark.run_id,
        )

    def _watermark(self, state: TargetState) -> Watermark:
        return Watermark(
            state.job,
            self._context.job.file,
            state.task,
            state.org_id,
            state.query_sha256,
            state.field,
            datetime.fromisoformat(state.until_utc),
            datetime.fromisoformat(state.known_from),
            datetime.fromisoformat(state.full_at),
            state.run_id,
        )
