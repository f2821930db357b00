"""Runs the tests of a job, each on a local org of its own, and gives their verdicts.

Nothing of the project is written and no token is read: the job's connection is replaced, and what
the job writes goes to a temporary folder. Knows nothing of how expectations are compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path

from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.errors import AbortedError, JobError, RunnerError, UsageError
from runner.job.job_tests import InlineRows, JobTest, load_tests, with_sources
from runner.job.mirrors import missing_name
from runner.job.model import FieldMapping, Job, QueryTask, WriteTask
from runner.job.partial_job import as_list
from runner.job.permissions import Permissions
from runner.job.yaml.document import Document
from runner.runs import execute
from runner.runs.isolated_job import Sandbox, outside_reach
from runner.runs.job_test_checks import Checks, Ran, unknown_objects
from runner.runs.job_test_cover import reach_of, written_objects
from runner.runs.job_test_org import FreshOrg, serving, write_table
from runner.runs.job_test_picture import everything, picture
from runner.runs.job_test_pool import in_order, processes_for
from runner.runs.job_test_rows import columns_of, unread_columns
from runner.runs.local_org_process import org_folder
from runner.runs.prepare import PreparedRun, RunOptions
from runner.runs.selection import digest_of, resolved_params
from runner.runs.wiring import UserSettings, check_job
from runner.state.paths import StateFolder
from runner.state.run_records import RunRequest
from runner.suggest import did_you_mean
from runner.tables.sql_clock import standing_at
from runner.verdict import Status, Verdict

LONGEST_SECONDS = 300.0
"""Time after which a test's run is stopped."""
_LATE = (
    "runner.engine.query",
    "runner.engine.write",
    "runner.job.load",
    "runner.state.tokens.format",
    "runner.tables.duckdb",
    "runner.tables.extras",
)
"""What a run imports late; DuckDB is not opened by that, as its threads would not be forked."""
_ANYWHERE = Permissions(folders=(Path("/"),))
"""What a job may do: in a test it writes nothing where it says, and reads no secret."""


def loaded(files: Sequence[Path]) -> tuple[list[JobTest], list[Verdict]]:
    """The tests of some files, and a verdict for each file that cannot be read."""
    tests: list[JobTest] = []
    broken: list[Verdict] = []
    for file in files:
        try:
            tests += load_tests(file)
        except JobError as error:
            broken.append(Verdict(file, "", Status.BROKEN, problems=error.diagnostics))
    return tests, broken


def verdicts(tests: Sequence[JobTest], scratch: Path, processes: int | None) -> Iterator[Verdict]:
    """Run tests; their verdicts as they are known, in the order of the tests.

    Args:
        tests: The tests.
        scratch: A folder for their files, which the caller removes.
        processes: How many run at once; None: as many as there are processors, if it is worth it.

    Raises:
        AbortedError: A signal ended them.
    """
    wanted = processes or processes_for(len(tests))
    if wanted > 1:
        _import_what_runs_need()
    for test, found in zip(
        tests, in_order(partial(run_test, scratch=scratch), tests, wanted), strict=True
    ):
        if isinstance(found, Verdict):
            yield found
        else:
            message = f"the process that ran this test ended with {found}"
            hint = "if memory was short, run fewer at once: `-n 1`"
            yield replace(_verdict(test, Status.BROKEN), message=message, hint=hint)


def _import_what_runs_need() -> None:
    """So that each process has it by a fork, instead of importing it again."""
    for name in _LATE:
        import_module(name)


def _verdict(test: JobTest, status: Status) -> Verdict:
    position = test.origin.diagnose((*test.path, "name"), "", "").position
    return Verdict(test.origin.file, test.name, status, position.line if position else None)


def run_test(test: JobTest, scratch: Path) -> Verdict:
    """Run one test.

    Args:
        test: The test.
        scratch: A folder for its files, which the caller removes: a signal may come at any moment.

    Raises:
        AbortedError: A signal ended it.
    """
    if test.killed_after_each:
        from runner.runs.job_test_kill import after_each

        return after_each(test, partial(run_test, scratch=scratch))
    began = time.monotonic()
    verdict = _verdict(test, Status.PASSED)
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            verdict = _judged(test, Path(folder).resolve(), verdict)
    except AbortedError:
        raise
    except JobError as error:
        verdict = replace(verdict, status=Status.BROKEN, problems=error.diagnostics)
    except RunnerError as error:
        verdict = replace(verdict, status=Status.BROKEN, message=error.message, hint=error.hint)
    return replace(verdict, seconds=time.monotonic() - began)


def _judged(test: JobTest, folder: Path, verdict: Verdict) -> Verdict:
    scratch = folder / "given"
    scratch.mkdir()
    sandbox = Sandbox(folder / "written")
    original = _job(test, scratch)
    job = sandbox.isolated(original)
    state = StateFolder(folder / "state").create()
    org_file = test.given.org or original.connection.org_file
    began = test.given.now or datetime.now(UTC).replace(microsecond=0)  # as the org writes it
    stored = state.local_org(org_folder(job.file, job.connection))
    with serving(test, org_file, stored, scratch, _age_of_seeds(job)) as org:
        _raise_any(unknown_objects(test, org))
        before = {name: org.records(name) for name in test.expected.untouched}
        written_before = written_objects(job, org)
        all_before = everything(org) if test.expected.snapshot else {}
        options = RunOptions(UserSettings(state), ends_at=time.monotonic() + LONGEST_SECONDS)
        with standing_at(test.given.now):
            ran = replace(_run(test, job, org, options), before=before)
        org.end_faults()
        checks = Checks(test, job=original, ran=ran, org=org, sandbox=sandbox)
        found = tuple(checks.differences())
        if test.expected.snapshot:
            files = sandbox.written(job.folder)
            verdict = replace(verdict, picture=picture(ran, all_before, org, files, began))
        reach = tuple(reach_of(original, ran, org, written_before))
    verdict = replace(verdict, job=original.file, reach=reach)
    return replace(verdict, status=Status.FAILED if found else Status.PASSED, differences=found)


def _age_of_seeds(job: Job) -> timedelta:
    """Old enough for first extracts of queries with `since`, which end before the present."""
    found = [task.since for task in job.tasks if isinstance(task, QueryTask) and task.since]
    if not found:
        return timedelta()
    return timedelta(minutes=1, seconds=max(each.lag_seconds for each in found))


def _raise_any(problems: Iterator[Diagnostic]) -> None:
    if found := tuple(problems):
        raise JobError(found)


def _job(test: JobTest, scratch: Path) -> Job:
    """The job with the rows of the test, checked.

    Raises:
        JobError: The job is wrong, or reaches what a test must not.
    """
    sources = test.given.sources
    files: dict[str, Path] = {}

    def in_place(document: Document) -> Document:
        tasks = document.values.get("tasks")
        _raise_any(_unknown_tasks(test, tasks))
        _raise_any(unread_columns(test, tasks))
        for at, task in enumerate(as_list(tasks)):
            name = str(task.get("name")) if isinstance(task, Mapping) else ""
            rows = sources.get(name)
            if isinstance(rows, InlineRows):
                files[name] = write_table(
                    rows, columns_of(rows, name, tasks), scratch / f"source-{at}"
                )
        return with_sources(document, sources, files)

    with _pointing_at(test, "target", "test/bad-target"):
        job, problems = check_job(
            test.job, _ANYWHERE, target=test.given.target, tolerant=True, in_place=in_place
        )
    if job is None:
        raise JobError(problems)
    _raise_any(outside_reach(job))
    # Paths in rows that are written in the test file are relative to that file.
    tasks = tuple(
        replace(task, fields=tuple(_from_folder(each, test.folder) for each in task.fields))
        if isinstance(task, WriteTask) and task.name in files and task.fields
        else task
        for task in job.tasks
    )
    return replace(job, tasks=tasks)


def _from_folder(mapping: FieldMapping, folder: Path) -> FieldMapping:
    return replace(mapping, folder=mapping.folder or folder) if mapping.is_file else mapping


@contextmanager
def _pointing_at(test: JobTest, key: str, code: str) -> Iterator[None]:
    """Report what a job does not have at the key of `given` that asks for it."""
    try:
        yield
    except UsageError as error:
        path = test.given.path.get(key, (*test.path, "given"))
        message = f"{error.message[:1].lower()}{error.message[1:].removesuffix('.')}"
        hint = f"fix `{key}` in `given`"
        found = test.origin.diagnose(path, code, message, help=hint)
        raise JobError((found,)) from error


def _unknown_tasks(test: JobTest, tasks: object) -> Iterator[Diagnostic]:
    """Names in the test that are not tasks of the job, or tasks that have no source."""
    written = [each for each in as_list(tasks) if isinstance(each, Mapping) and "name" in each]
    names = [str(each["name"]) for each in written]
    with_source = [str(each["name"]) for each in written if "from" in each]
    parts = [missing_name(str(each["name"])) for each in written if "mirror" in each]
    path, origin = test.expected.path, test.origin
    for name in test.given.sources:
        own = (*test.path, "given", "sources", name)
        place = own if own in origin.positions else ("given", "sources", name)
        if name in names and name not in with_source:
            message, hint = f"the task {name!r} has no source", "it reads the org: use `seed`"
            yield origin.diagnose(place, "test/no-source", message, help=hint, at_key=True)
        elif name not in names:
            yield _unknown_task(test, place, name, names, at_key=True)
    names += parts
    for name in test.expected.tasks:
        if name not in names:
            yield _unknown_task(test, (*path, "tasks", name), name, names, at_key=True)
    for at, row in enumerate(test.expected.failed or ()):
        if row.task not in names:
            yield _unknown_task(test, (*path, "failed", at, "task"), row.task, names)


def _unknown_task(
    test: JobTest, path: Location, name: str, known: Sequence[str], *, at_key: bool = False
) -> Diagnostic:
    hint = did_you_mean(name, known, f"its tasks are {', '.join(known)}")
    message = f"{test.job.name} has no task {name!r}"
    return test.origin.diagnose(path, "test/unknown-task", message, help=hint, at_key=at_key)


def _run(test: JobTest, job: Job, org: FreshOrg, options: RunOptions) -> Ran:
    """Run the job as often as the test says; what became of the last run."""
    request = RunRequest(params=test.given.params, target=job.connection.target)
    with _pointing_at(test, "params", "test/bad-params"):
        params = resolved_params(job, request)
    prepared = PreparedRun(job, request, params, digest_of(job.file))
    if test.killed_after is not None:
        from runner.runs.job_test_kill import run_killed

        run_killed(test, prepared, org, options)
    ran = Ran(0)
    for _ in range(test.runs):
        before = org.requests
        try:
            outcome = execute.run(prepared, options)
        except AbortedError:
            raise
        except RunnerError as error:
            ran = Ran(int(error.exit_code), error=error, requests=org.requests - before)
        else:
            if outcome.worst_exit_code.is_by_signal:
                raise AbortedError(outcome.worst_exit_code)
            requests = org.requests - before
            ran = Ran(int(outcome.worst_exit_code), outcome=outcome, requests=requests)
    return ran
