"""What comes before a run: options, jobs that are read and checked, the job's lock and ledger.

Knows which files one job leaves for another, and what to clean up. Knows nothing of orgs, which run
is chosen or how it is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.errors import JobError, LockHeldError, RunnerError, UsageError, all_of
from runner.events import Sink
from runner.files import real_path
from runner.job.endpoints import DatabaseTarget, TableMode, why_not_compared
from runner.job.model import Job, ParamValue, QueryTask
from runner.job.partial_job import files_written_by
from runner.job.rails import Rail
from runner.runs.retention import remove_working_files
from runner.runs.selection import digest_of, resolved_params
from runner.runs.wiring import UserSettings, load_job
from runner.state.ledger import Ledger
from runner.state.locks import target_locks
from runner.state.run_records import APPLY, RunRecord, RunRequest, RunState, new_run_id
from runner.state.store import lost_ledger, open_state

if TYPE_CHECKING:
    from runner.state.run_files import RunFiles
    from runner.tables.staging.elsewhere import Stager

Held = TypeVar("Held")


def _ignore_job(_job: Job) -> None:
    pass


class RunOptions(Struct, frozen=True):
    """How to run, plan, apply, resume, retry or undo."""

    settings: UserSettings
    sink: Sink = events.ignore
    observer: events.Observer | None = None
    """Sees what is too much for the sink; None: nobody does."""
    wait_lock_seconds: float = 0.0
    ends_at: float | None = None
    """The monotonic time at which every run has to stop; None: never."""
    max_disk_bytes: int | None = None
    """None: what the job says."""
    parallel: int = 1
    """How many tasks may be under way at once, where `needs` allows it."""
    allowed: frozenset[Rail] = frozenset()
    """Limits of the job that do not count this time."""
    confirmed: frozenset[str] = frozenset()
    """Names of protected connections that may be written to."""
    stager: Callable[[RunFiles, str], Stager] | None = None
    """Gives others who stage large sources of a run; None: there are none."""
    on_job: Callable[[Job], None] = _ignore_job
    """Called with the job once it is loaded, before anything is sent."""


class PreparedRun(Struct, frozen=True):
    """A job that was read and checked, and what is asked of it."""

    job: Job
    request: RunRequest
    params: Mapping[str, ParamValue]
    job_sha256: str


def prepare(files: Sequence[Path], request: RunRequest, options: RunOptions) -> list[PreparedRun]:
    """Read and check every job before the first one starts.

    Args:
        files: The jobs, in the order in which they will run; one may read what those before write.
        request: Which tasks, with which params.
        options: How.

    Raises:
        JobError: Jobs are wrong; the problems of all.
        UsageError: A job is given twice, or has no such task or param.
    """
    twice = next((file for at, file in enumerate(files) if _is_among(file, files[:at])), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice.", hint="Name each job once.")
    prepared: list[PreparedRun] = []
    errors: list[RunnerError] = []
    written: frozenset[Path] = frozenset()
    for file in files:
        try:
            job = load_job(file, options.settings.permissions, written, request.target)
            of_job = replace(request, target=job.connection.target)
            params = resolved_params(job, of_job)
        except (JobError, UsageError) as error:
            if isinstance(error, UsageError) and len(files) > 1:
                error = UsageError(f"{file}: {error.message}", hint=error.hint)
            errors.append(error)
        else:
            prepared.append(PreparedRun(job, of_job, params, digest_of(job.file)))
            written |= files_written_by(job)
    if errors:
        raise all_of(errors)
    _check_increments(prepared, request)
    for each in prepared:
        options.on_job(each.job)
    return prepared


def _check_increments(prepared: Sequence[PreparedRun], request: RunRequest) -> None:
    """Refuse options for incremental queries that none would heed, or a target cannot."""
    only = request.only
    tasks = [task for each in prepared for task in each.job.tasks if not only or task.name in only]
    queries = [task for task in tasks if isinstance(task, QueryTask) and task.since is not None]
    asked = {
        "--full": request.full,
        "--since": request.since,
        "--reconcile": request.reconcile,
    }
    option = next((each for each, is_given in asked.items() if is_given), None)
    if option is not None and not queries:
        raise UsageError(
            f"{option} is for incremental queries, and none of these tasks is one.",
            hint="Add `since: SystemModstamp` to a query, or leave the option out.",
        )
    for task in queries if request.reconcile else ():
        reason = why_not_compared(task.target) if task.target else ""
        if reason:
            raise UsageError(
                f"--reconcile cannot compare the target of {task.name!r} with the org: {reason}.",
                hint="Write `mode: merge` and `key: Id` in `to`, or name other tasks with --task.",
            )


def _is_among(file: Path, others: Sequence[Path]) -> bool:
    return real_path(file) in map(real_path, others)


def load(
    job_file: Path,
    options: RunOptions,
    target: str | None,
    reads: Callable[[str], bool] | None = None,
) -> Job:
    """Read and check one job, for one of its targets if it has any.

    Args:
        job_file: The job.
        options: How.
        target: Which target.
        reads: Whether the task of a name reads its source, which has to be there; None: all do.

    Raises:
        JobError: It is wrong.
    """
    job = load_job(job_file, options.settings.permissions, target=target, reads=reads)
    options.on_job(job)
    return job


def load_to_resume(run: RunRecord, options: RunOptions) -> Job:
    """Read and check the job of an unfinished run; rows that the run has stored are not read again.

    Raises:
        JobError: It is wrong, or the file of a task that had not begun is not on this machine.
    """
    stored = {task.name for task in run.tasks if task.final or (task.plan and task.verb != "query")}
    reads_files = run.request.verb not in {"retry", APPLY}

    def reads(task: str) -> bool:
        return reads_files and task not in stored

    try:
        return load(run.job_file, options, run.request.target, reads)
    except JobError as error:
        if run.process.is_of_this_machine:
            raise
        where = f"run {run.run_id} began on {run.process.host}; the file may be there"
        raise JobError(
            tuple(
                replace(each, help=where) if each.code == "job/no-source" else each
                for each in error.diagnostics
            )
        ) from None


class JobLock(Struct):
    """A job's lock, held."""

    ledger: Ledger
    run_id: str
    """The run that the lock names."""
    note: Callable[[str], None]
    permit: Callable[[], None] | None = None
    """Refuses to send once the lock may be another machine's; None: it cannot be."""
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


def _added_to(job: Job) -> Iterator[Path]:
    """Files and folders that keep their rows; a database sees to several writers itself."""
    queries = (task for task in job.tasks if isinstance(task, QueryTask) and task.enabled)
    for target in (target for query in queries for target in query.targets):
        if not isinstance(target, DatabaseTarget) and target.mode is not TableMode.REPLACE:
            yield target.path


@contextmanager
def locked(job: Job, options: RunOptions) -> Iterator[JobLock]:
    """Hold the job's lock, and those of the targets that it adds rows to.

    Raises:
        LockHeldError: Another run holds one of them.
    """
    folder = options.settings.state.create()
    now = datetime.now(UTC)
    run_id = new_run_id(now)
    with open_state(folder) as state, ExitStack() as locks:
        state.tell_waits(lambda text: options.sink(events.Warned(text)))
        lock_job = partial(
            state.run_lock,
            job.file,
            job.connection.org_id,
            run_id=run_id,
            target=job.connection.target,
            since=now,
        )
        note_run_id = _waited_for(locks, lock_job, options)
        lock_targets = partial(target_locks, folder.locks, [*_added_to(job)], run_id=run_id)
        _waited_for(locks, lock_targets, options)
        lock = JobLock(state.ledger, run_id, note_run_id, state.permit)
        yield lock
        if lock.is_used and folder.shared is not None:
            with state.ledger.files.writing(lock.run_id):
                pass  # the log has grown since the run's end was recorded


def _waited_for(
    locks: ExitStack, lock: Callable[..., AbstractContextManager[Held]], options: RunOptions
) -> Held:
    """Hold a lock; before a wait for it, say who has it."""
    wait = options.wait_lock_seconds
    if wait > 0:
        try:
            return locks.enter_context(lock(wait_seconds=0.0))
        except LockHeldError as error:
            options.sink(events.Warned(f"{error.message} Waiting for it, up to {wait:,.0f} s."))
    return locks.enter_context(lock(wait_seconds=wait))


def clean_up(lock: JobLock, options: RunOptions) -> Sequence[RunRecord]:
    """Delete what dead processes left, and warn of a lost ledger; the unfinished runs."""
    state = options.settings.state
    lock.ledger.files.tidy()
    runs = lock.ledger.unfinished()
    for run in runs:
        if run.state is RunState.DIED:
            remove_working_files(state.run(run.run_id))
    lost = None if runs else lost_ledger(lock.ledger, state)
    if lost is not None:
        options.sink(events.Warned(lost))
    return runs
