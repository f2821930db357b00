"""What keeps jobs from a fleet, found out before anything is sent.

Knows what jobs need and what workers say of themselves. Sends nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from runner.errors import TransientError, UsageError
from runner.job.endpoints import STANDARD_STREAM, FileSource, FileTarget, Source, Target
from runner.job.model import Job, QueryTask
from runner.job.partial_job import query_targets, source_files
from runner.runs.fleet.messages import Places, Question, Report
from runner.runs.prepare import PreparedRun
from runner.state.paths import StateFolder
from runner.state.shared.address import without_password
from runner.tables.extras import modules_needed
from runner.version import __version__

_SHARED = (("sqlalchemy", "shared"), ("psycopg", "shared"), ("fsspec", "shared"))
_MOST_NAMED = 3


def check_jobs(jobs: Iterable[Job]) -> None:
    """Refuse jobs that use the streams of the command.

    Raises:
        UsageError: One does.
    """
    for job in jobs:
        paths = (each.path for each in _endpoints(job) if isinstance(each, FileSource | FileTarget))
        if STANDARD_STREAM in paths:
            raise UsageError(
                f"{job.file} reads stdin or writes to stdout, which workers do not have.",
                hint="Name a file, or run this job without --on.",
            )


def state_text(state: StateFolder) -> str:
    """A state as it is written to workers."""
    return str(state.root) if state.shared is None else without_password(state.shared.url)


def question_for(jobs: Sequence[PreparedRun], state: StateFolder, places: Places) -> Question:
    """What to ask workers that are to run some jobs."""
    files: dict[str, str] = {}
    modules = set(_SHARED if state.shared is not None else ())
    for each in jobs:
        files[sent_path(each.job.file, places)] = each.job_sha256
        if (source := each.job.connection.source) is not None:
            files[sent_path(source, places)] = sha256(source.read_bytes()).hexdigest()
        modules |= set(modules_needed(_endpoints(each.job)))
        token = each.job.connection.token
        modules |= set(modules_needed([token] if token else []))
    return Question(state_text(state), tuple(files.items()), tuple(sorted(modules)))


def sent_path(file: Path, places: Places) -> str:
    """A file of the project, relative to it; any other as it is."""
    return places.text(file).removeprefix("project:")


def read_reports(
    answers: Mapping[str, str | Exception], places: Places
) -> dict[str, Report | Exception]:
    """What workers said, by address; one that could not answer has another release."""
    return {
        address: answer if isinstance(answer, Exception) else places.decoded(Report, answer)
        for address, answer in sorted(answers.items())
    }


def check_workers(reports: Mapping[str, Report | Exception], state: StateFolder, name: str) -> None:
    """Refuse to start where a worker could not run the jobs as this machine would.

    Raises:
        TransientError: There are no workers.
        UsageError: Workers have another version, lack an extra or a file, or cannot use the state.
    """
    if not reports:
        raise TransientError(
            f"{name} has no workers.", hint="Start some with `dask worker`, then run again."
        )
    problems = dict(filter(None, (_problem(*each, state) for each in reports.items())))
    if not problems:
        return
    named = [f"{address} {problem}" for address, (problem, _) in problems.items()]
    more = f"; {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    hint = next(iter(problems.values()))[1]
    raise UsageError(
        f"{len(named)} of {len(reports)} workers cannot run this: "
        f"{'; '.join(named[:_MOST_NAMED])}{more}. Nothing was sent.",
        hint=hint,
    )


def _problem(
    address: str, report: Report | Exception, state: StateFolder
) -> tuple[str, tuple[str, str]] | None:
    found = next(_problems(report, state), None)
    return None if found is None else (address, found)


def _problems(report: Report | Exception, state: StateFolder) -> Iterator[tuple[str, str]]:
    """What is wrong with a worker, and what to do."""
    install = f"Install sfrunner {__version__} where the workers run, and restart them."
    if isinstance(report, Exception):
        has_none = isinstance(report, ModuleNotFoundError)
        words = "has no runner" if has_none else f"has another runner ({type(report).__name__})"
        yield words, install
        return
    if report.version != __version__:
        yield f"has runner {report.version}, and this is {__version__}", install
    own = platform.python_version()
    if report.python.split(".")[:2] != own.split(".")[:2]:
        yield (
            f"has Python {report.python}, and this is {own}",
            "Use one version of Python for the command and the workers.",
        )
    if state.shared is None and not report.process.is_of_this_machine:
        yield (
            f"is on {report.process.host}, and the state is a folder of this machine",
            "Let the machines share a state: `--state postgresql://…?files=s3://bucket/prefix`.",
        )
    if report.extras:
        listed = ",".join(report.extras)
        yield (
            f"lacks the extra {', '.join(report.extras)}",
            f"Where the workers run: pip install 'sfrunner[{listed}]'",
        )
    for words, files in (("does not have", report.missing), ("differs in", report.different)):
        if files:
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            yield (
                f"{words} {files[0]}{more} (in {report.project})",
                "Start the workers in the project, at the same commit as this command.",
            )
    if report.state_error:
        yield (
            f"cannot use the state: {report.state_error.rstrip('.')}",
            "Give the workers what this command has: libraries, PGPASSWORD, keys of the store.",
        )


def _endpoints(job: Job) -> Iterator[Source | Target]:
    for task in job.tasks:
        yield from (source for _, source in source_files(task))
        source = getattr(task, "source", None)
        if source is not None:
            yield source
        if isinstance(task, QueryTask):
            yield from (target for _, target in query_targets(task))
