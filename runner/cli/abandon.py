"""Gives an unfinished run up, and says what may have been sent.

Knows the ledger. Knows nothing of the org: nothing is asked of it.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import RunnerError
from runner.runs.selection import run_to_resume
from runner.runs.wiring import loaded_job, state_folder
from runner.state.ledger import Ledger
from runner.state.locks import run_lock
from runner.state.run_records import PartRecord, RunRecord


def give_up(wanted: str | None, state_dir: Path | None) -> str:
    """Close a run without sending or collecting anything.

    Returns:
        What to tell: the parts whose rows may have been carried out.

    Raises:
        UsageError: There is no such run, or it has come to its end.
    """
    state = state_folder(state_dir)
    with Ledger(state.ledger) as ledger:
        run = run_to_resume(ledger, wanted)
        with run_lock(state.locks, run.job_file, _pinned_org(run), run_id=run.run_id):
            ledger.close_run(run.run_id)
    lines = [f"run {run.run_id} is given up; `runner run {run.job_file}` begins a new one"]
    lines += [
        f"  {task}: rows {part.first_row:,} to {part.last_row:,} may have been carried out"
        + (f", Bulk job {part.bulk_job_id}" if part.bulk_job_id else "")
        for task, part in _open_parts(run)
    ]
    return "\n".join(lines)


def _pinned_org(run: RunRecord) -> str | None:
    """The org that names the lock; a job that cannot be read any more is not being run."""
    try:
        return loaded_job(run.job_file).connection.org_id
    except RunnerError:
        return None


def _open_parts(run: RunRecord) -> list[tuple[str, PartRecord]]:
    return [
        (task.name, part)
        for task in run.tasks
        for part in task.parts
        if not task.final and part.results is None and part.first_row and part.last_row
    ]
