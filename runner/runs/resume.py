"""Runs that there were before: resume an unfinished one, abandon it, retry the failed rows of one.

Knows which run is meant and what of it is sent again. Knows nothing of how a run is executed.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from runner.errors import RunnerError
from runner.events import Warned
from runner.files import sync_all
from runner.job.model import Job
from runner.outcome import RunOutcome
from runner.runs.execute import execute_selected, notified
from runner.runs.prepare import RunOptions, clean_up, load, load_to_resume, locked
from runner.runs.selection import (
    SelectedRun,
    resolved_params,
    resume_of,
    run_to_resume,
    run_to_retry,
    with_failed_rows,
)
from runner.runs.wiring import UserSettings, load_job
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord, RunRequest
from runner.state.store import open_ledger, open_state


def resume(wanted: str | None, options: RunOptions) -> RunOutcome:
    """Finish an unfinished run.

    Args:
        wanted: Its id or the beginning of it; None: the newest unfinished run.
        options: How.

    Raises:
        RunnerError: There is none, or it cannot be resumed; nothing was sent.
    """
    with open_ledger(options.settings.state) as ledger:
        run = run_to_resume(ledger, wanted)
    job = load_to_resume(run, options)
    return _run_under_lock(
        job,
        run.request,
        lambda ledger, _: resume_of(run_to_resume(ledger, run.run_id), job, ledger),
        options,
    )


def retry(wanted: str, options: RunOptions) -> RunOutcome:
    """Send the failed rows of a run again, as a new run.

    Raises:
        RunnerError: There is no such run, or it has no failed rows; nothing was sent.
    """
    with open_ledger(options.settings.state) as ledger:
        run = run_to_retry(ledger, wanted)
        ledger.files.fetch(run.run_id)
    job = with_failed_rows(
        load(run.job_file, options, run.request.target, reads=lambda _: False), run
    )
    request = replace(run.request, verb="retry", only=())
    params = resolved_params(job, request)
    outcome = _run_under_lock(
        job,
        request,
        lambda _ledger, run_id: SelectedRun(run_id, job, request, params, after=run),
        options,
    )
    for task in outcome.tasks:
        before = run.task(task.name)
        failed = before.outcome.counts.failed if before and before.outcome else 0
        if 0 < task.counts.read < failed:
            what = f"failed.csv had {task.counts.read:,} of the {failed:,} rows that had failed"
            options.sink(Warned(f"{what}; the others were not sent again", task.name))
    return outcome


def abandon(wanted: str | None, settings: UserSettings) -> RunRecord:
    """Close an unfinished run without sending or collecting anything.

    Returns:
        The run as it was.

    Raises:
        UsageError: There is no such run, or it is complete.
    """
    with open_state(settings.state) as state:
        ledger = state.ledger
        run = run_to_resume(ledger, wanted)
        target = run.request.target
        try:
            job = load_job(run.job_file, settings.permissions, target=target, reads=lambda _: False)
            org_id = job.connection.org_id
        except RunnerError:
            org_id = None  # a job that cannot be read is not running
        with state.run_lock(run.job_file, org_id, run_id=run.run_id, target=target):
            sync_all(settings.state.run(run.run_id))  # a signal may have ended it in a hurry
            ledger.close_run(run.run_id)
    return run


def _run_under_lock(
    job: Job,
    request: RunRequest,
    select: Callable[[Ledger, str], SelectedRun],
    options: RunOptions,
) -> RunOutcome:
    def run(how: RunOptions) -> RunOutcome:
        with locked(job, how) as lock:
            clean_up(lock, how)
            selected = select(lock.ledger, lock.run_id)
            return execute_selected(selected, lock, how, how.ends_at)

    return notified(job, request, options, run)
