"""The lock of a job, with the ledger, while a run of it is chosen and executed.

Knows what to clean up before. Knows nothing of which run is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from runner import events
from runner.job.model import Job
from runner.runs.prepare import RunOptions
from runner.runs.retention import remove_working_files
from runner.runs.selection import lost_ledger
from runner.state.ledger import Ledger
from runner.state.locks import run_lock
from runner.state.run_records import RunRecord, RunState, new_run_id


@dataclass(slots=True)
class JobLock:
    """A job's lock, held."""

    ledger: Ledger
    run_id: str
    """The run that the lock names."""
    note: Callable[[str], None]
    is_used: bool = False

    def new_id(self) -> str:
        """The id of a new run: at first that which the lock names."""
        return new_run_id(datetime.now(UTC)) if self.is_used else self.run_id

    def note_run_id(self, run_id: str) -> None:
        """Name another run in the lock."""
        self.is_used = True
        if run_id != self.run_id:
            self.note(run_id)
            self.run_id = run_id


@contextmanager
def locked(job: Job, options: RunOptions) -> Iterator[JobLock]:
    """Hold the job's lock."""
    state = options.settings.state.create()
    now = datetime.now(UTC)
    run_id = new_run_id(now)
    lock = run_lock(
        state.locks,
        job.file,
        job.connection.org_id,
        run_id=run_id,
        since=now,
        wait_seconds=options.wait_lock_seconds,
    )
    with lock as note_run_id, Ledger(state.ledger) as ledger:
        yield JobLock(ledger, run_id, note_run_id)


def clean_up(lock: JobLock, options: RunOptions) -> Sequence[RunRecord]:
    """Delete what dead processes left, and warn of a lost ledger; the unfinished runs."""
    state = options.settings.state
    runs = lock.ledger.unfinished()
    for run in runs:
        if run.state is RunState.DIED:
            remove_working_files(state.run(run.run_id))
    lost = None if runs else lost_ledger(lock.ledger, state)
    if lost is not None:
        options.sink(events.Warned(lost))
    return runs
