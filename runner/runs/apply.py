"""Applies a saved plan: an ordinary run whose tasks start with the rows that the plan has kept.

Knows when a plan may still be applied. Prints nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from runner import events
from runner.diagnostics import Diagnostic
from runner.engine.connect import connect
from runner.engine.planned_sources import local_sources
from runner.errors import RailError, RunnerError, SourceError, UsageError
from runner.job.limits import RAILS
from runner.job.model import Job
from runner.job.rails import Rail
from runner.outcome import RunOutcome
from runner.plan import Trip
from runner.runs.execute import execute_selected, notified
from runner.runs.planned_job import as_planned
from runner.runs.prepare import JobLock, RunOptions, clean_up, load, locked
from runner.runs.protection import check_confirmed, unconfirmed
from runner.runs.saved_plan import (
    SavedPlan,
    connection_digest,
    read_plan,
    unpack_rows,
)
from runner.runs.selection import SelectedRun, digest_of, resolved_params, unfinished_run
from runner.runs.wiring import open_session
from runner.state.run_records import APPLY, RunRequest
from runner.tables.staging.source_digest import is_unchanged
from runner.wording import command_for


def apply(file: Path, options: RunOptions, *, max_age_seconds: float) -> RunOutcome:
    """Apply a plan.

    Args:
        file: The plan.
        options: How.
        max_age_seconds: A plan that is older is not applied.

    Raises:
        UsageError: The plan is damaged, too old, or of another org, job file or source; nothing
            was written.
        RunnerError: It could not start; nothing was written.
    """
    saved = read_plan(file)
    _check_age(saved, file, max_age_seconds)
    job = _unchanged_job(saved, file, options)
    request = RunRequest(APPLY, saved.only, saved.params, target=saved.target)
    check_confirmed([unconfirmed(job, options.confirmed, saved.only)])
    check_limits((each.trip_of(job.file) for each in saved.trips), job, options.allowed)
    _check_org(saved, job, file, options)

    def run(how: RunOptions) -> RunOutcome:
        return _apply(saved, file, job, request, how)

    return notified(job, request, options, run)


def _apply(
    saved: SavedPlan, file: Path, job: Job, request: RunRequest, options: RunOptions
) -> RunOutcome:
    params = resolved_params(job, request)
    with locked(job, options) as lock:
        _check_no_unfinished_run(lock, job, options)
        _check_sources(saved, job, file, options.settings.state.run(lock.run_id))
        selected = SelectedRun(lock.new_id(), as_planned(job), request, params)
        folder = options.settings.state.run(selected.run_id)
        try:
            request = replace(request, planned=unpack_rows(file, folder))
            selected = replace(selected, request=request)
            return execute_selected(selected, lock, options, options.ends_at)
        except RunnerError:
            runs = [each for each in lock.ledger.runs() if each.run_id == selected.run_id]
            if not any(each.has_begun for each in runs):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _check_age(saved: SavedPlan, file: Path, max_age_seconds: float) -> None:
    seconds = (datetime.now(UTC) - saved.created).total_seconds()
    if seconds > max_age_seconds:
        raise UsageError(
            f"{file} is {_in_words(seconds)} old, and a plan must be applied within "
            f"{_in_words(max_age_seconds)}.",
            hint=f"{_plan_again(saved)} Or allow its age with `--max-age`.",
        )


def _in_words(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours >= 1 else f"{seconds:.0f} seconds"


def _unchanged_job(saved: SavedPlan, file: Path, options: RunOptions) -> Job:
    job_file = Path(saved.job_file)
    try:
        same = digest_of(job_file) == saved.job_sha256
    except OSError as error:
        raise UsageError(
            f"{file} is a plan of {job_file}, which cannot be read: {error.strerror}.",
            hint="Apply it where it was made, or make it again here.",
        ) from error
    job = load(job_file, options, saved.target) if same else None
    if job is None or connection_digest(job) != saved.connection_sha256:
        changed = job.connection.source if job is not None else job_file
        raise UsageError(f"{changed} has changed since the plan was made.", hint=_plan_again(saved))
    return job


def check_limits(trips: Iterable[Trip], job: Job, allowed: Collection[Rail]) -> None:
    """Refuse a plan that exceeds a limit of the job which is not allowed this time.

    Raises:
        RailError: It does; every such limit with its position.
    """
    problems = []
    for trip in trips:
        rail = Rail(trip.rail)
        if rail not in allowed:
            at = trip.position
            line = job.origin.lines[at.line - 1] if at else None
            hint = f"Check the plan first; `--allow {rail}` overrides it once."
            problems.append(Diagnostic(RAILS[rail].code, trip.message, trip.file, at, line, hint))
    if problems:
        raise RailError(tuple(problems))


def _check_org(saved: SavedPlan, job: Job, file: Path, options: RunOptions) -> None:
    policy = job.tasks[0].retry
    with open_session(
        job.connection, job.file, options.settings, events.ignore, policy, options.ends_at
    ) as session:
        found = connect(job.connection, session, events.ignore).identity.org_id
    if found != saved.org_id:
        raise UsageError(
            f"{file} is a plan of org {saved.org_id}, and the token is for org {found}.",
            hint=f"Sign in to that org, or {_lower(_plan_again(saved))}",
        )


def _check_no_unfinished_run(lock: JobLock, job: Job, options: RunOptions) -> None:
    earlier = unfinished_run(lock.ledger, clean_up(lock, options), job)
    if earlier is not None:
        raise UsageError(
            f"Run {earlier.run_id} of {job.file} is unfinished, and what it still sends is not in "
            "the plan.",
            hint=f"Finish it with `runner resume {earlier.run_id}`, then make the plan again.",
        )


def _check_sources(saved: SavedPlan, job: Job, file: Path, scratch: Path) -> None:
    """Refuse a plan whose sources have other rows by now."""
    try:
        for name in _changed_sources(saved, job, scratch):
            raise UsageError(
                f"The source of task {name!r} has changed since {file} was made.",
                hint=_plan_again(saved),
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _changed_sources(saved: SavedPlan, job: Job, scratch: Path) -> Iterator[str]:
    for task in job.tasks:
        for name, source in local_sources(task):
            if name not in saved.sources:
                continue
            try:
                same = is_unchanged(source, saved.sources[name], scratch)
            except SourceError:
                same = False
            if not same:
                yield task.name


def _plan_again(saved: SavedPlan) -> str:
    command = command_for(saved.job_file, "plan", target=saved.target)
    return f"Make the plan again: `{command} --save FILE`."


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
