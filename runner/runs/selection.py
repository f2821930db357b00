"""Which run is begun, or gone on with: decided from what is asked and what the ledger knows.

Knows when a run may be resumed, and what to say when it may not. Knows nothing of how one is
carried out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner.errors import UsageError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import AnyTask, Job, WriteTask
from runner.state.ledger import LAST, Ledger
from runner.state.paths import StateFolder
from runner.state.run_records import UNDO, RunRecord, RunRequest, RunState, new_run_id


@dataclass(frozen=True, slots=True)
class Beginning:
    """A run that is about to be carried out."""

    run_id: str
    started: datetime
    job: Job
    asked: RunRequest
    past: RunRecord | None = None
    """What an earlier process wrote down of it; None for a new one."""
    after: RunRecord | None = None
    """The run whose failed rows it sends again."""

    def note(self, ledger: Ledger, state: StateFolder) -> None:
        """Write down that this process carries it out."""
        if self.past is not None:
            ledger.resume_run(self.run_id)
            return
        ledger.start_run(
            self.run_id,
            job=self.job.name,
            job_file=self.job.file,
            job_sha256=digest_of(self.job.file),
            started=self.started,
            folder=state.run(self.run_id),
            request=self.asked,
            after=self.after.run_id if self.after else None,
        )


def anew(job: Job, asked: RunRequest, *, after: RunRecord | None = None) -> Beginning:
    """A run of its own."""
    started = datetime.now(UTC)
    return Beginning(new_run_id(started), started, job, asked, after=after)


def gone_on_with(run: RunRecord, job: Job, ledger: Ledger) -> Beginning:
    """An unfinished run, as it was begun.

    Raises:
        UsageError: The job file is not what it was.
    """
    if digest_of(job.file) != run.job_sha256:
        raise UsageError(
            f"Run {run.run_id} of {job.file} is unfinished, and the job file has changed since it "
            "began: nobody could tell what was sent by which.",
            hint=f"Put the file back and `runner resume {run.run_id}`. Or give the run up, which "
            f"sends nothing: `runner resume {run.run_id} --abandon`.",
        )
    after = ledger.run(run.after) if run.after else None
    if after is not None:
        job = with_failed_rows(job, after)
    return Beginning(run.run_id, run.started, job, run.request, past=run, after=after)


def unfinished_run(ledger: Ledger, job_file: Path) -> RunRecord | None:
    """The run of a job that must be finished before a new one; those that sent nothing are closed.

    To be called under the job's lock.
    """
    found = None
    for run in ledger.unfinished(job_file):
        if not run.has_sent:
            ledger.close_run(run.run_id)
        elif found is None:
            found = run
    return found


def run_to_resume(ledger: Ledger, wanted: str | None) -> RunRecord:
    """The run that `runner resume` means.

    Raises:
        UsageError: There is none, or it has nothing left to do.
    """
    if wanted is None:
        runs = [run for run in ledger.unfinished() if run.has_begun]
        if not runs:
            raise UsageError(
                "No run is unfinished: there is nothing to resume.",
                hint="`runner history` lists the runs; `runner retry RUN` sends failed rows again.",
            )
        return runs[0]
    run = ledger.run(wanted)
    if run.state is RunState.RUNNING:
        raise UsageError(
            f"Run {run.run_id} is under way: pid {run.process.pid} on {run.process.host}.",
            hint=f"`runner show {run.run_id}` shows how far it is.",
        )
    _refuse_undo(run)
    if run.final:
        raise UsageError(
            f"Run {run.run_id} came to its end: there is nothing to resume.",
            hint=f"`runner retry {run.run_id}` sends its failed rows again; `runner run "
            f"{run.job_file}` begins a new run.",
        )
    return run


def run_to_retry(ledger: Ledger, wanted: str) -> RunRecord:
    """The run whose failed rows are to be sent again.

    Raises:
        UsageError: It is under way or unfinished.
    """
    run = ledger.run(wanted or LAST)
    _refuse_undo(run)
    if run.state is RunState.RUNNING or not run.final:
        raise UsageError(
            f"Run {run.run_id} has not come to its end, so its failed rows are not known yet.",
            hint=f"`runner resume {run.run_id}` brings it there.",
        )
    return run


def _refuse_undo(run: RunRecord) -> None:
    if run.request.verb == UNDO:
        raise UsageError(
            f"Run {run.run_id} is the undo of run {run.after}: it is neither resumed nor retried.",
            hint=f"`runner undo {run.after}` again puts back what is left.",
        )


def with_failed_rows(job: Job, run: RunRecord) -> Job:
    """The job's writes that had failed rows, with these rows as their source.

    Raises:
        UsageError: None had any, or their files are gone.
    """
    tasks = tuple(
        _with_failed_rows(task, file)
        for task in job.tasks
        if isinstance(task, WriteTask) and (file := _failed_rows(run, task)) is not None
    )
    if not tasks:
        raise UsageError(
            f"Run {run.run_id} has no failed rows to send again.",
            hint=f"`runner show {run.run_id}` shows how its tasks ended.",
        )
    return replace(job, tasks=tasks)


def _failed_rows(run: RunRecord, task: AnyTask) -> Path | None:
    outcome = getattr(run.task(task.name), "outcome", None)
    if outcome is None or outcome.results is None or not outcome.counts.failed:
        return None
    file: Path = outcome.results / "failed.csv"
    if not file.exists():
        raise UsageError(
            f"The failed rows of task {task.name!r} of run {run.run_id} are gone: there is no "
            f"{file}.",
            hint="Runs are kept for a time only: `runner history --prune`.",
        )
    return file


def _with_failed_rows(task: WriteTask, file: Path) -> WriteTask:
    shape = FileShape(FileFormat.CSV)
    if isinstance(task.source, FileSource):
        old = task.source.shape
        shape = replace(shape, decimal=old.decimal, dates=old.dates, datetimes=old.datetimes)
    return replace(task, source=FileSource(file, shape), needs=None, on_failure=None)


def digest_of(file: Path) -> str:
    """The SHA-256 of a job file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
