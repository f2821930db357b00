"""Which run to start, resume, retry or undo: decided from the request and the ledger.

Knows when a run may be resumed, retried or undone, and what to say when it may not. Knows nothing
of how a run is executed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner.engine.task_ledger import has_rows
from runner.errors import UsageError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import AnyTask, Job, ParamValue, WriteTask
from runner.job.params import resolve
from runner.job.rails import Limits, Rail
from runner.state.ledger import Ledger
from runner.state.run_records import APPLY, UNDO, RunRecord, RunRequest, RunState
from runner.tables.sources.written import read_written, value_shape
from runner.wording import command_for, counted


class SelectedRun(Struct, frozen=True):
    """A run that is about to be executed."""

    run_id: str
    job: Job
    request: RunRequest
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    past: RunRecord | None = None
    """What earlier processes recorded of it; None for a new one."""
    after: RunRecord | None = None
    """The run that it retries or undoes."""

    @property
    def is_undo(self) -> bool:
        """Whether it undoes another run."""
        return self.request.verb == UNDO

    @property
    def is_judged(self) -> bool:
        """Whether limits of the job are judged during the run.

        Those of a plan were before it, except for rows that are known only now.
        """
        return self.request.verb != UNDO

    def record(self, ledger: Ledger, folder: Path) -> None:
        """Record that this process executes it, with its files in `folder`."""
        if self.past is not None:
            ledger.resume_run(self.run_id)
            return
        ledger.start_run(
            self.run_id,
            job=self.job.name,
            job_file=self.job.file,
            job_sha256=digest_of(self.job.file),
            started=self.started,
            folder=folder,
            request=self.request,
            after=self.after.run_id if self.after else None,
        )


def resolved_params(job: Job, request: RunRequest) -> Mapping[str, ParamValue]:
    """Check what is requested of a job, and give the values of its params.

    Raises:
        UsageError: The job has no such task or param, or a param has no valid value.
    """
    unknown = [name for name in request.only if job.task(name) is None]
    if unknown:
        raise UsageError(
            f"The job has no task {unknown[0]!r}.",
            hint=f"Its tasks: {', '.join(task.name for task in job.tasks)}.",
        )
    pairs = [text.partition("=") for text in request.params]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise UsageError(f"--param {wrong} has no value.", hint=f"Write --param {wrong}=VALUE.")
    given: dict[str, str] = {}
    for name, _, value in pairs:
        if given.setdefault(name, value) != value:
            raise UsageError(
                f"--param {name} is given twice: {given[name]} and {value}.", hint="Give it once."
            )
    return resolve(job.params, given) if given or job.params else {}


def resume_of(run: RunRecord, job: Job, ledger: Ledger) -> SelectedRun:
    """An unfinished run, with the tasks and params it was started with.

    Raises:
        UsageError: The job file has changed.
    """
    if digest_of(job.file) != run.job_sha256:
        raise UsageError(
            f"Run {run.run_id} of {job.file} is unfinished, and the job file has changed since the "
            "run started, so the rows already sent cannot be matched to it.",
            hint=f"Restore the file, then `runner resume {run.run_id}`. Or abandon the run, which "
            f"sends nothing: `runner resume {run.run_id} --abandon`.",
        )
    ledger.files.fetch(run.run_id, exact=True)
    after = ledger.run(run.after) if run.after else None
    if after is not None:
        ledger.files.fetch(after.run_id)
    params = resolved_params(job, run.request)
    if after is not None:
        job = with_failed_rows(job, after)
    if run.request.verb == APPLY:
        from runner.runs.planned_job import as_planned  # a plan is not for every run

        job = as_planned(job)
    return SelectedRun(run.run_id, job, run.request, params, run.started, past=run, after=after)


def asks_the_same(
    old: SelectedRun, request: RunRequest, params: Mapping[str, ParamValue], job: Job
) -> bool:
    """Whether an unfinished run has the same tasks and params as the new run."""
    return (
        (old.request.verb, old.request.full, old.request.since, old.request.reconcile)
        == (request.verb, request.full, request.since, request.reconcile)
        and old.params == params
        and _task_names(old.request, job) == _task_names(request, job)
    )


def asked_in_words(request: RunRequest) -> str:
    """How an earlier run was started: `it was started with day=2026-03-01`."""
    if request.verb == "retry":
        return "it was started as a retry"
    tasks = [f"task {name}" for name in request.only]
    extract = ["--full"] if request.full else [f"--since {request.since}"] if request.since else []
    extract += ["--reconcile"] if request.reconcile else []
    asked = [*request.params, *tasks, *extract]
    return (
        f"it was started with {', '.join(asked)}"
        if asked
        else "it was started without params, for all tasks"
    )


def replaced_in_words(tasks: Sequence[str]) -> str:
    """What has happened to the files that tasks have read; nothing if there are none."""
    if not tasks:
        return ""
    return f"the source of {' and '.join(tasks)} has been replaced since"


def resuming_in_words(old: SelectedRun, why_another: str) -> str:
    """Warn that an unfinished run is finished first; with no `why_another`, that is all."""
    if not why_another:
        return (
            f"run {old.run_id} did not finish, so it is resumed; run again to start a "
            "new run (or abandon it with --anew)"
        )
    return (
        f"run {old.run_id} did not finish, and {why_another}; it is "
        "finished first, then the new run starts (abandon it with --anew)"
    )


def not_started_in_words(old: SelectedRun, why_another: str) -> str:
    """Say why the new run was not started."""
    return (
        f"Run {old.run_id} is still unfinished, and {why_another}, so the "
        "new run was not started. Run again."
    )


def with_begun_tasks(run: SelectedRun) -> SelectedRun:
    """An unfinished run with only those of its tasks that have begun."""
    past = run.past.tasks if run.past else ()
    begun = tuple(task.name for task in past if task.plan or task.outcome)
    # What a mirror lacks is judged by a source that has been replaced, so nothing new is deleted.
    tasks = tuple(
        task
        for task in run.job.tasks
        if task.name in begun or not (isinstance(task, WriteTask) and task.in_scope)
    )
    job = replace(run.job, tasks=tasks)
    return replace(run, job=job, request=replace(run.request, only=begun))


def _task_names(request: RunRequest, job: Job) -> set[str]:
    return set(request.only) or {task.name for task in job.tasks}


def is_of(run: RunRecord, job: Job) -> bool:
    """Whether a run is of this job, and of the target that it is loaded for."""
    return run.job_file == job.file and run.request.target == job.connection.target


def unfinished_run(ledger: Ledger, runs: Iterable[RunRecord], job: Job) -> RunRecord | None:
    """The run of a job to finish before a new one; runs that sent nothing are closed.

    Call it under the job's lock.
    """
    found = None
    for run in runs:
        if not is_of(run, job):
            continue
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
                "No run is unfinished; there is nothing to resume.",
                hint="`runner history` lists the runs; `runner retry RUN` sends failed rows again.",
            )
        return runs[0]
    run = ledger.run(wanted)
    if run.state is RunState.RUNNING:
        raise UsageError(
            f"Run {run.run_id} is still running: pid {run.process.pid} on {run.process.host}.",
            hint=f"`runner show {run.run_id}` shows its progress.",
        )
    _refuse_undo(run)
    if run.final:
        raise UsageError(
            f"Run {run.run_id} is complete; there is nothing to resume.",
            hint=f"`runner retry {run.run_id}` sends its failed rows again; `{_run_again(run)}` "
            "starts a new run.",
        )
    return run


def run_to_retry(ledger: Ledger, wanted: str) -> RunRecord:
    """The run whose failed rows to send again.

    Raises:
        UsageError: It is still running, unfinished, or an undo.
    """
    run = ledger.run(wanted)
    _refuse_undo(run)
    if run.state is RunState.RUNNING or not run.final:
        raise UsageError(
            f"Run {run.run_id} has not finished, so its failed rows are not known yet.",
            hint=_wait(run) or f"Finish it with `runner resume {run.run_id}`.",
        )
    return run


def run_to_undo(ledger: Ledger, wanted: str) -> RunRecord:
    """The run to undo.

    Raises:
        UsageError: It is still running, unfinished, or an undo.
    """
    run = ledger.run(wanted)
    if run.request.verb == UNDO:
        raise UsageError(
            f"Run {run.run_id} is the undo of run {run.after}; an undo cannot be undone.",
            hint=f"`runner undo {run.after}` puts back what it left; `{_run_again(run)}` runs the "
            "job again.",
        )
    if run.state is RunState.RUNNING or not run.final:
        raise UsageError(
            f"Run {run.run_id} has not finished, so what it changed is not fully known yet.",
            hint=_wait(run)
            or f"Finish it with `runner resume {run.run_id}`, or abandon it with `runner resume "
            f"{run.run_id} --abandon`; then undo it.",
        )
    return run


def _wait(run: RunRecord) -> str | None:
    """What to do about a run that some process executes; None if none does."""
    if run.state is not RunState.RUNNING:
        return None
    return (
        f"It is in progress: wait until it is done. `runner show {run.run_id}` shows how far it is."
    )


def _run_again(run: RunRecord) -> str:
    return command_for(run.job_file, "run", target=run.request.target)


def _refuse_undo(run: RunRecord) -> None:
    if run.request.verb == UNDO:
        raise UsageError(
            f"Run {run.run_id} is the undo of run {run.after}; it cannot be resumed or retried.",
            hint=f"`runner undo {run.after}` again puts back what is left.",
        )


def with_failed_rows(job: Job, run: RunRecord) -> Job:
    """The job's writes that had failed rows, with these rows as their source.

    Raises:
        UsageError: None had any, or their files are gone.
    """
    tasks = tuple(
        replace(_with_failed_rows(job, task, file), limits=_without_min_rows(task.limits))
        for task in job.tasks
        if isinstance(task, WriteTask) and (file := _failed_rows(run, task)) is not None
    )
    if not tasks:
        raise UsageError(
            f"Run {run.run_id} has no failed rows to send again.",
            hint=f"`runner show {run.run_id}` shows how its tasks ended.",
        )
    return replace(job, tasks=tasks, limits=_without_min_rows(job.limits))


def _without_min_rows(limits: Limits) -> Limits:
    """Failed rows are fewer than those of an extract that is whole."""
    return {rail: amount for rail, amount in limits.items() if rail is not Rail.MIN_ROWS}


def _failed_rows(run: RunRecord, task: AnyTask) -> Path | None:
    outcome = getattr(run.task(task.name), "outcome", None)
    if outcome is None or outcome.results is None or not outcome.counts.failed:
        return None
    file: Path = outcome.results / "failed.csv"
    if not file.exists():
        raise UsageError(
            f"The failed rows of task {task.name!r} of run {run.run_id} are gone: {file} does not "
            "exist.",
            hint="Old runs are deleted by `runner history --prune`.",
        )
    if not has_rows(file):
        raise UsageError(
            f"The failed rows of task {task.name!r} of run {run.run_id} are gone: {file} has no "
            f"rows, and {counted(outcome.counts.failed, 'row')} failed.",
            hint="Somebody has removed them; put them back, or send these rows from their source.",
        )
    return file


def _with_failed_rows(job: Job, task: WriteTask, file: Path) -> WriteTask:
    # A spreadsheet may have saved it with another delimiter.
    shape = FileShape(FileFormat.CSV, undeclared=frozenset({"delimiter", "encoding"}))
    if isinstance(task.source, FileSource):
        shape = replace(value_shape(task.source.shape), undeclared=shape.undeclared)
    source = FileSource(file, shape, written=read_written(file.parent))
    files = job.files_folder(task.source)  # not the folder of the failed rows
    fields = task.fields and tuple(replace(m, folder=m.folder or files) for m in task.fields)
    return replace(task, source=source, fields=fields, needs=None, on_failure=None)


def digest_of(file: Path) -> str:
    """The SHA-256 of a job file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
