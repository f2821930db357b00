"""One executor of runs, with which apply and undo run too: from a request to the outcome.

Knows the order: lock, ledger, session, org, tasks, end. Prints nothing. Knows nothing of how a
task is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.engine.api_reserve import check_reserve
from runner.engine.connect import ConnectedOrg, connect
from runner.engine.context import Context, SourceOrgs
from runner.engine.deadline import RUN_TIMED_OUT, run_timed_out
from runner.engine.org_check import check_against_org
from runner.engine.run import finish, run_tasks
from runner.errors import ExitCode, JobError, RunnerError, TransientError, UsageError
from runner.job.model import Environment, Job
from runner.outcome import RunOutcome, exit_code_of
from runner.runs.prepare import (
    JobLock,
    PreparedRun,
    RunOptions,
    clean_up,
    locked,
    prepare,
)
from runner.runs.protection import check_confirmed, guard_of, reserve_of, unconfirmed
from runner.runs.selection import (
    SelectedRun,
    asked_in_words,
    asks_the_same,
    digest_of,
    is_of,
    not_started_in_words,
    replaced_in_words,
    resume_of,
    resuming_in_words,
    unfinished_run,
    with_begun_tasks,
)
from runner.runs.source_orgs import Connecting, TargetOrg, source_orgs, tasks_to_run
from runner.runs.wiring import first_poll_seconds, open_session
from runner.salesforce.describe import Describes
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord, RunRequest
from runner.tables.disk import Disk
from runner.telemetry.log import kept

_TOO_SHORT = "No task was started: run again, with a longer `--timeout` if this happens again."


def prepare_runs(
    files: Sequence[Path], request: RunRequest, options: RunOptions
) -> list[PreparedRun]:
    """Read and check jobs that are to run; those who want to know are notified if one may not.

    Args:
        files: The jobs, in the order in which they will run.
        request: Which tasks, with which params.
        options: How.

    Raises:
        JobError: Jobs are wrong; the problems of all.
        UsageError: A job is given twice, or has no such task or param.
        RailError: A protected connection was not confirmed.
    """
    try:
        prepared = prepare(files, request, options)
        confirmed = options.confirmed
        check_confirmed(unconfirmed(each.job, confirmed, request.only) for each in prepared)
    except RunnerError as error:
        from runner.runs.notifying import notify_of_not_started

        notify_of_not_started(error, files, request, options)
        raise
    return prepared


def run(wanted: PreparedRun, options: RunOptions, *, start_over: bool = False) -> RunOutcome:
    """Run a job; if an earlier run of it did not finish, resume that one first.

    Where that one was started with the same tasks and params, and has read the files that are there
    now, this is all; otherwise what is asked now starts once it is finished.

    Args:
        wanted: The job.
        options: How.
        start_over: Abandon unfinished runs of the job and start a new one.

    Raises:
        RunnerError: It could not start; nothing was sent.
    """
    return notified(
        wanted.job, wanted.request, options, lambda how: _run(wanted, how, start_over=start_over)
    )


def _run(wanted: PreparedRun, options: RunOptions, *, start_over: bool) -> RunOutcome:
    job, ends_at = wanted.job, options.ends_at
    _check_time(ends_at)  # before waiting for the lock, and after
    with locked(job, options) as lock:
        _check_time(ends_at)
        if digest_of(job.file) != wanted.job_sha256:
            raise UsageError(
                f"{job.file} has changed since it was read, so it was not started.",
                hint="Run it again.",
            )
        earlier = unfinished_run(lock.ledger, clean_up(lock, options), job)
        resumed = None
        if earlier is not None and start_over:
            _abandon_unfinished(job, lock.ledger)
        elif earlier is not None:
            old = resume_of(earlier, job, lock.ledger)
            folder = options.settings.state.run(old.run_id)
            from runner.engine.replaced_sources import replaced_sources

            replaced = replaced_sources(old.job, earlier, folder)
            is_same = asks_the_same(old, wanted.request, wanted.params, job)
            why = asked_in_words(old.request) if not is_same else replaced_in_words(replaced)
            options.sink(events.Warned(resuming_in_words(old, why)))
            # Tasks that have not begun would read files that the new run reads again.
            finished = with_begun_tasks(old) if replaced else old
            resumed = execute_selected(finished, lock, options, ends_at)
            if not why:
                return resumed
            if not lock.ledger.run(old.run_id).final:
                return replace(resumed, not_started=not_started_in_words(old, why))
        new = SelectedRun(lock.new_id(), job, wanted.request, wanted.params)
        try:
            outcome = execute_selected(new, lock, options, ends_at)
        except RunnerError as error:
            error.resumed = resumed
            raise
        return replace(outcome, resumed=resumed)


def notified(
    job: Job, request: RunRequest, options: RunOptions, execute: Callable[[RunOptions], RunOutcome]
) -> RunOutcome:
    """Execute a run, and notify those who want to know how it ended."""
    if not (job.notify or job.connection.notify or job.heartbeat):
        return execute(options)
    from runner.runs import notifying

    return notifying.notified(job, request, options, execute)


def abandon_unfinished(wanted: PreparedRun, options: RunOptions) -> None:
    """Close the unfinished runs of a job, without sending or collecting anything.

    Raises:
        LockHeldError: The job is running.
    """
    with locked(wanted.job, options) as lock:
        _abandon_unfinished(wanted.job, lock.ledger)


def _abandon_unfinished(job: Job, ledger: Ledger) -> None:
    for each in ledger.unfinished(job.file):
        if is_of(each, job):
            ledger.close_run(each.run_id)


def has_timed_out(outcome: RunOutcome) -> bool:
    """Whether `--timeout` ended a task; a wait that would outlast it ends earlier."""
    return any(task.message == RUN_TIMED_OUT for task in outcome.tasks)


def execute_selected(
    selected: SelectedRun, lock: JobLock, options: RunOptions, ends_at: float | None
) -> RunOutcome:
    """Run what was selected, under the job's lock.

    Raises:
        RunnerError: It could not start; nothing was sent.
    """
    check_confirmed([unconfirmed(selected.job, options.confirmed, selected.request.only)])
    lock.note_run_id(selected.run_id)
    folder, job, ledger = options.settings.state.run(selected.run_id), selected.job, lock.ledger
    selected.record(ledger, folder)
    with kept(folder, selected.run_id, options.sink) as keeping:
        sink = _measured(job, ledger, keeping)
        options = replace(options, sink=sink)
        number = len(tasks_to_run(job, selected.request.only))
        sink(events.RunStarted(selected.run_id, job.name, number))
        with (
            recording_errors(selected, ledger, sink),
            timeout_named(ends_at),
            session_of(job, options, ends_at, lock.permit) as session,
        ):
            before = selected.past or selected.after
            org = connect_as_before(job, session, options, before)
            target = TargetOrg(org.identity.org_id, session.instance_url)
            with _other_orgs(selected, options, target, ends_at) as others:
                for each in others.by_connection.values():
                    each.session.observer = options.observer
                run = Execution(selected, folder, ledger, options, session, org, ends_at, others)
                return run.run()


def _measured(job: Job, ledger: Ledger, sink: events.Sink) -> events.Sink:
    if job.metrics is None and job.connection.metrics is None:
        return sink
    from runner.runs.measuring import measured

    return measured(job, ledger, sink)


def _other_orgs(
    selected: SelectedRun, options: RunOptions, target: TargetOrg, ends_at: float | None
) -> AbstractContextManager[SourceOrgs]:
    """The orgs that the tasks read from which are not finished yet."""
    past = selected.past.tasks if selected.past else ()
    done = {task.name for task in past if task.final}
    tasks = tasks_to_run(selected.job, selected.request.only, done)
    how = Connecting(selected.job, options.settings, options.sink, ends_at)
    return source_orgs(how, tasks, target)


@contextmanager
def session_of(
    job: Job, options: RunOptions, ends_at: float | None, permit: Callable[[], None] | None
) -> Iterator[Session]:
    """The session of a run's connection, until the block ends; `permit` may refuse requests."""
    policy, settings = job.tasks[0].retry, options.settings
    with open_session(job.connection, job.file, settings, options.sink, policy, ends_at) as session:
        session.observer, session.permit = options.observer, permit
        yield session


def _check_time(ends_at: float | None) -> None:
    if ends_at is not None and time.monotonic() >= ends_at:
        raise run_timed_out(_TOO_SHORT)


@contextmanager
def timeout_named(ends_at: float | None) -> Iterator[None]:
    """Name the run's `--timeout` as the reason when it is up before the first task."""
    try:
        yield
    except TransientError as error:
        if ends_at is None or time.monotonic() < ends_at:
            raise
        raise run_timed_out(_TOO_SHORT) from error


def connect_as_before(
    job: Job, session: Session, options: RunOptions, earlier: RunRecord | None
) -> ConnectedOrg:
    """Connect; what is resumed, retried or undone must be on the org that it used."""
    resumed = earlier if earlier is not None and not earlier.final else None
    version = resumed.api_version if resumed else None
    org = connect(job.connection, session, options.sink, resumed_version=version)
    if earlier is None or earlier.org_id in (None, org.identity.org_id):
        return org
    hint = f"Sign in to org {earlier.org_id}"
    if resumed is not None:
        hint += f", or abandon the run: `runner resume {earlier.run_id} --abandon`"
    raise UsageError(
        f"Run {earlier.run_id} used org {earlier.org_id}, but the token is for org "
        f"{org.identity.org_id}. Nothing was sent.",
        hint=f"{hint}.",
    )


@contextmanager
def recording_errors(selected: SelectedRun, ledger: Ledger, sink: events.Sink) -> Iterator[None]:
    """Record the end of a run that an error ends; one that has begun a task can be resumed."""
    try:
        yield
    except RunnerError as error:
        ended = replace(
            _outcome(selected),
            exit_code=error.exit_code,
            message=error.message,
            hint=error.hint,
            problems=error.diagnostics if isinstance(error, JobError) else (),
        )
        final = selected.is_undo or not ledger.run(ended.run_id).has_begun
        ledger.finish_run(ended, final=final)
        sink(events.RunFinished(ended))
        raise


def _outcome(selected: SelectedRun) -> RunOutcome:
    """The outcome of a run that ends now, without its org and its tasks."""
    job, finished = selected.job, datetime.now(UTC)
    return RunOutcome(selected.run_id, job.name, job.file, selected.started, finished)


class Execution(Struct, frozen=True):
    """A run on the org it is connected to."""

    selected: SelectedRun
    folder: Path
    ledger: Ledger
    options: RunOptions
    session: Session
    org: ConnectedOrg
    ends_at: float | None
    source_orgs: SourceOrgs = SourceOrgs()
    """The other orgs that it reads from."""

    def run(self, least: ExitCode = ExitCode.DONE) -> RunOutcome:
        """Run the tasks; the exit code is `least` where all tasks succeed."""
        selected, identity, is_undo = self.selected, self.org.identity, self.selected.is_undo
        version, instance_url = self.org.version, self.session.instance_url
        org_id = identity.org_id or ""
        self.ledger.connect_run(
            selected.run_id,
            org_id=identity.org_id,
            instance_url=instance_url,
            username=identity.username,
            api_version=version,
        )
        context = self._context()
        if selected.past is not None or self.ledger.with_open_jobs(selected.job.file, org_id):
            from runner.engine.left_jobs import abort_left_jobs

            abort_left_jobs(context)
        if not is_undo:
            check_against_org(context, selected.request.only)
        if context.reserve is not None and selected.past is None:
            check_reserve(context, context.reserve, selected.request.only)
        # What an undo puts back is in the way of what it puts back next.
        parallel = 1 if is_undo else self.options.parallel
        self._count_api_calls()
        end = run_tasks(context, only=selected.request.only, parallel=parallel)
        self._count_api_calls()
        outcome = replace(
            _outcome(selected),
            folder=self.folder,
            org_id=identity.org_id,
            username=identity.username,
            api_version=version,
            instance_url=instance_url,
            tasks=end.outcomes,
            exit_code=exit_code_of([least, *(task.exit_code for task in end.outcomes)]),
        )
        return finish(context, outcome, final=is_undo or end.final)

    def _count_api_calls(self) -> None:
        """Tell what the org counts, which its answers bring; no request is made for it."""
        usage = self.session.api_usage
        if usage is not None:
            self.options.sink(events.ApiCallsCounted(usage.used, usage.maximum))

    def _context(self) -> Context:
        selected, job = self.selected, self.selected.job
        local = job.connection.environment is Environment.LOCAL
        stager = self.options.stager
        return Context(
            job=job,
            run_id=selected.run_id,
            folder=self.folder,
            session=self.session,
            describes=Describes(self.session),
            version=self.org.version,
            ledger=self.ledger,
            sink=self.options.sink,
            clock=time.monotonic,
            params=selected.params,
            first_poll_seconds=first_poll_seconds(local=local),
            user_id=self.org.identity.user_id,
            org_id=self.org.identity.org_id or "",
            full=selected.request.full,
            since=selected.request.begins,
            reconcile=selected.request.reconcile,
            past=selected.past,
            ends_at=self.ends_at,
            disk=Disk(self.folder, self.options.max_disk_bytes or job.max_disk_bytes),
            rails=guard_of(selected, self.options.allowed) if selected.is_judged else None,
            reserve=reserve_of(job, self.session, self.options.allowed),
            source_orgs=self.source_orgs,
            stager=stager(self.ledger.files, selected.run_id) if stager else None,
        )
