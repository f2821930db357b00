"""Checks jobs against their orgs: token, org, version, permissions, names, keys and limits.

Nothing is written, and no record of the jobs' objects is read. Every failure becomes a finding with
a position, so that one report has them all. Knows the order of the checks. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner import events
from runner.diagnostics import Diagnostic, Severity
from runner.engine.api_reserve import reserve_problem
from runner.engine.connect import ConnectedOrg, connect
from runner.engine.constant_check import constant_problems
from runner.engine.context import SourceOrg
from runner.engine.forecast import Forecast, forecast_of
from runner.engine.org_check import files_of_queries, org_problems
from runner.engine.record_type_check import record_type_problems
from runner.engine.version_check import version_problems
from runner.errors import (
    ExitCode,
    JobError,
    OrgError,
    RunnerError,
    SignInError,
    UsageError,
    WrongOrgError,
)
from runner.job.connections import connection_problem
from runner.job.model import AnyTask, Connection, Job, WriteTask
from runner.job.partial_job import files_written_by
from runner.job.source_query import SourceQuery, connections_of
from runner.outcome import exit_code_of
from runner.runs.lock_check import drift_problems
from runner.runs.protection import reserve_of
from runner.runs.source_orgs import Connecting, TargetOrg, source_orgs, tasks_to_run
from runner.runs.wiring import UserSettings, check_job, open_session
from runner.salesforce.describe import Describes
from runner.salesforce.limits import (
    API_REQUESTS,
    BULK_BATCHES,
    HARD_DELETE,
    Limit,
    limits_of,
    may,
)
from runner.salesforce.session import Session


class CheckedJob(Struct, frozen=True):
    """What the check of one job found."""

    file: Path
    problems: tuple[Diagnostic, ...] = ()
    exit_code: ExitCode = ExitCode.DONE
    org: ConnectedOrg | None = None
    """None where the org was not asked, or did not answer."""
    instance_url: str | None = None
    forecast: Forecast = field(default_factory=Forecast)
    """What a run costs at least."""
    uncounted: tuple[str, ...] = ()
    """Tasks whose rows nobody has counted."""
    api_requests: Limit | None = None


def check(
    files: Sequence[Path],
    settings: UserSettings,
    target: str | None = None,
    *,
    locked: bool = False,
) -> Iterator[CheckedJob]:
    """Check each job, in the order in which they would run, for one of their targets.

    `locked` also compares their org with its lock.
    """
    written: frozenset[Path] = frozenset()
    for file in files:
        job, problems = check_job(file, settings.permissions, written, target)
        if job is None:
            yield CheckedJob(file, problems, ExitCode.INVALID)
            continue
        checked = _on_its_org(job, settings, written, locked=locked)
        yield replace(checked, file=file, problems=(*problems, *checked.problems))
        written |= files_written_by(job)


def _on_its_org(
    job: Job, settings: UserSettings, written: frozenset[Path], *, locked: bool
) -> CheckedJob:
    try:
        with (
            open_session(job.connection, job.file, settings, events.ignore) as session,
            ExitStack() as stack,
        ):
            org = connect(job.connection, session, events.ignore)
            describes = Describes(session)
            drift = drift_problems(job, org.identity.org_id, describes, written) if locked else ()
            others = _OtherOrgs(job, settings, TargetOrg(org.identity.org_id, session.instance_url))
            others.connect(stack)
            checked = _checked(job, session, org, written, others, describes)
            # What the job cannot do any more is a consequence of the drift.
            code = ExitCode.FAILED if drift else checked.exit_code
            codes = [code, *others.exit_codes]
            problems = (*others.problems, *drift, *checked.problems)
            return replace(checked, problems=problems, exit_code=exit_code_of(codes))
    except RunnerError as error:
        return CheckedJob(job.file, _problems_of(job, error), error.exit_code)


class _OtherOrgs(Struct):
    """The other orgs that a job reads from, as far as they answer."""

    job: Job
    settings: UserSettings
    target: TargetOrg
    problems: list[Diagnostic] = field(default_factory=list)
    exit_codes: list[ExitCode] = field(default_factory=list)
    _found: dict[Connection | None, SourceOrg] = field(default_factory=dict)

    def connect(self, stack: ExitStack) -> None:
        """Connect to each, until the stack is closed."""
        how = Connecting(self.job, self.settings, events.ignore)
        for connection, query in connections_of(tasks_to_run(self.job, ())).items():
            try:
                found = stack.enter_context(source_orgs(how, [query], self.target))
                self._found |= found.by_connection
            except RunnerError as error:
                self.problems += _problems_of(self.job, error, connection)
                self.exit_codes.append(error.exit_code)

    def describes_for(self, task: AnyTask) -> Describes | None:
        """Those of the org that a query reads from; None if it does not answer."""
        connection = task.connection if isinstance(task, SourceQuery) else None
        found = self._found.get(connection) if connection is not None else None
        return found.describes if found is not None else None

    def version_for(self, task: AnyTask) -> str:
        """The API version of an org that `describes_for` has."""
        return self._found[task.connection].version if isinstance(task, SourceQuery) else ""


def _problems_of(
    job: Job, error: RunnerError, connection: Connection | None = None
) -> tuple[Diagnostic, ...]:
    """An error as findings; `connection` is that of another org that a task reads from."""
    if isinstance(error, JobError):
        return error.diagnostics
    keys, code = _cause(error)
    found = connection_problem(job, keys, code, error.message, hint=error.hint, of=connection)
    return (found,)


def _cause(error: RunnerError) -> tuple[tuple[str, ...], str]:
    """Which keys of a connection an error is about, and the finding's code."""
    match error:
        case WrongOrgError(key=key):
            return (key,), "org/wrong-org"
        case SignInError():
            return ("token", "auth"), "org/sign-in"
        case UsageError():
            return ("api_version",), "org/api-version"
    return (), "org/no-answer"


def _checked(  # noqa: PLR0913, PLR0917 - a job, its org and the orgs that it reads from
    job: Job,
    session: Session,
    org: ConnectedOrg,
    written: frozenset[Path],
    others: _OtherOrgs,
    describes: Describes,
) -> CheckedJob:
    own = [task for task in job.tasks if task.enabled and not isinstance(task, SourceQuery)]
    of_others = [task for task in job.tasks if task.enabled and others.describes_for(task)]
    tasks = [*own, *of_others]
    problems = list(
        org_problems(job, tasks, lambda task: others.describes_for(task) or describes, written)
    )
    problems += _constants(job, tasks, describes, written)
    problems += _not_unique(job, tasks, describes)
    problems += _hard_deletes(job, session)
    problems += version_problems(job, own, lambda _: org.version)
    problems += version_problems(job, of_others, others.version_for)
    forecast, uncounted = forecast_of(own, org.version, written | files_written_by(job))
    limits = limits_of(session)
    requests = limits.get(API_REQUESTS)
    reserve = reserve_of(job, session, ())
    if reserve is not None:
        found = reserve_problem(job, reserve, forecast.api_calls, requests)
        problems += [] if found is None else [found]
    problems += _short(job, "API requests", forecast.api_calls, requests)
    problems += _short(job, "Bulk API batches", forecast.bulk_batches, limits.get(BULK_BATCHES))
    is_bad = any(each.severity is Severity.ERROR for each in problems)
    return CheckedJob(
        job.file,
        tuple(sorted(problems, key=lambda each: each.sort_key)),
        ExitCode.INVALID if is_bad else ExitCode.DONE,
        org,
        session.instance_url,
        forecast,
        uncounted,
        requests,
    )


def _constants(
    job: Job, tasks: Sequence[AnyTask], describes: Describes, written: frozenset[Path]
) -> Iterator[Diagnostic]:
    written |= files_of_queries(tasks)
    for task in tasks:
        if isinstance(task, WriteTask):
            yield from constant_problems(job, task, describes)
            yield from record_type_problems(job, task, describes, written)


def _not_unique(job: Job, tasks: Sequence[AnyTask], describes: Describes) -> Iterator[Diagnostic]:
    """Keys that several records may have; a row of such a key fails."""
    for task in tasks:
        if not isinstance(task, WriteTask) or task.key is None:
            continue
        try:
            found = describes.of(task.sobject).field(task.key)
        except OrgError:
            continue  # which is a problem already
        if found is not None and found.external_id and not found.unique:
            yield job.origin.diagnose(
                ("tasks", task.index, "key"),
                "org/key-not-unique",
                f"several records of {task.sobject} may have the same {found.name}",
                help="Rows with such a key fail. Mark the field as Unique in Setup.",
                severity=Severity.WARNING,
            )


def _hard_deletes(job: Job, session: Session) -> Iterator[Diagnostic]:
    """Hard deletes by a user who may not; Bulk API refuses the whole job then."""
    hard = [
        task for task in job.tasks if isinstance(task, WriteTask) and task.hard and task.enabled
    ]
    if not hard or may(session, HARD_DELETE) is not False:
        return
    for task in hard:
        yield job.origin.diagnose(
            ("tasks", task.index, "hard"),
            "org/no-permission",
            "this user may not hard-delete records",
            help="Give the user the permission `Bulk API Hard Delete`, or remove `hard`.",
        )


def _short(job: Job, what: str, needed: int, limit: Limit | None) -> Iterator[Diagnostic]:
    """A limit that the job would reach."""
    if limit is not None and needed > limit.remaining:
        yield job.origin.diagnose(
            ("tasks",),
            "org/limit",
            f"a run needs at least {needed:,} {what}, and the org has {limit.remaining:,} of "
            f"{limit.max:,} left",
            help="Run it later: the limit covers the last 24 hours. `runner resume` finishes a run "
            "that has reached it.",
            at_key=True,
        )


def worst(checked: Sequence[CheckedJob]) -> ExitCode:
    """The exit code of a check."""
    return exit_code_of(each.exit_code for each in checked)
