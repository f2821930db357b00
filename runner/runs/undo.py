"""Undo of a run: planned, shown, and executed like a run.

Knows which run is undone and under which lock. Knows nothing of how a record is restored.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.engine.undo import UndoPlan, plan_undo
from runner.errors import ExitCode
from runner.events import Event, Sink
from runner.outcome import RunOutcome
from runner.runs.execute import (
    Execution,
    connect_as_before,
    recording_errors,
    session_of,
    timeout_named,
)
from runner.runs.prepare import RunOptions, load, locked
from runner.runs.protection import check_confirmed, unconfirmed
from runner.runs.retention import remove_working_files
from runner.runs.selection import SelectedRun, run_to_undo
from runner.state.run_records import UNDO, RunRequest
from runner.state.store import open_ledger
from runner.telemetry.log import kept


class PreparedUndo(Struct, frozen=True):
    """An undo that is planned and can be executed."""

    plan: UndoPlan
    _execution: Execution
    _relay: _Relay

    def execute(self, sink: Sink) -> RunOutcome:
        """Execute the plan as a run that is never resumed: another undo does what is left."""
        execution = self._execution
        selected, ledger = execution.selected, execution.ledger
        check_confirmed([unconfirmed(selected.job, execution.options.confirmed)])
        selected.record(ledger, execution.folder)
        ledger.close_run(selected.run_id)
        with kept(execution.folder, selected.run_id, sink) as keeping:
            self._relay.sink = keeping
            title = f"undo of {self.plan.run_id}"
            keeping(events.RunStarted(selected.run_id, title, len(self.plan.steps)))
            with recording_errors(selected, ledger, keeping):
                is_partial = self.plan.unaccounted or self.plan.merged
                return execution.run(ExitCode.PARTIAL if is_partial else ExitCode.DONE)


class _Relay:
    """Passes events on to the sink of the moment: planning is silent, executing is not."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def __call__(self, event: Event) -> None:
        self.sink(event)


@contextmanager
def undo(wanted: str, options: RunOptions) -> Iterator[PreparedUndo]:
    """Plan an undo; the job's lock is held until the block ends.

    Raises:
        RunnerError: The run cannot be undone, or not now; nothing was sent.
    """
    state, ends_at = options.settings.state, options.ends_at
    with open_ledger(state) as ledger:
        run = run_to_undo(ledger, wanted)
    job = load(run.job_file, options, run.request.target, reads=lambda _: False)
    relay = _Relay(options.sink)
    options = replace(options, sink=relay)
    with locked(job, options) as lock:
        ledger, run_id = lock.ledger, lock.run_id
        run = run_to_undo(ledger, run.run_id)
        ledger.files.fetch(run.run_id)
        for undo_id in ledger.undone_by(run.run_id):
            remove_working_files(state.run(undo_id))
        with timeout_named(ends_at), session_of(job, options, ends_at, lock.permit) as session:
            org = connect_as_before(job, session, options, run)
            folder = state.run(run_id)
            try:
                plan = plan_undo(run, job, session, folder / "plan")
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            tasks = tuple(step.task for step in plan.steps)
            undo_job = replace(job, name=run.job, tasks=tasks, params=(), max_disk_bytes=None)
            selected = SelectedRun(
                run_id, undo_job, RunRequest(verb=UNDO, target=run.request.target), after=run
            )
            execution = Execution(selected, folder, ledger, options, session, org, ends_at)
            yield PreparedUndo(plan, execution, relay)
