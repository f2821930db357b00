"""Files that tests of jobs read, and which of them have changed.

Knows what a test and its job name. Knows nothing of how tests are run, or of how long one waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from runner.errors import RunnerError
from runner.files import Stamp
from runner.job.job_tests import JobTest, Table
from runner.job.partial_job import source_files
from runner.job.permissions import Permissions
from runner.runs.wiring import check_job

Stamps = Mapping[Path, Stamp | None]
"""Files as they were; None: there was none."""


def inputs_of(tests: Sequence[JobTest]) -> list[frozenset[Path]]:
    """For each test the files that it reads: its own, its job, what both name."""
    of_jobs = {
        (job, target): frozenset(_of_job(job, target))
        for job, target in {(each.job, each.given.target) for each in tests}
    }
    return [of_jobs[each.job, each.given.target].union(_of_test(each)) for each in tests]


def _of_test(test: JobTest) -> Iterator[Path]:
    given, expected = test.given, test.expected
    yield test.origin.file
    yield from (each for each in (given.org, expected.snapshot) if each is not None)
    tables: Iterable[Table] = chain(
        given.seed.values(),
        given.sources.values(),
        expected.files.values(),
        (each.rows for each in expected.records),
    )
    yield from (each for each in tables if isinstance(each, Path))


def _of_job(file: Path, target: str | None) -> Iterator[Path]:
    yield file
    try:
        job, problems = check_job(file, Permissions(folders=(Path("/"),)), target=target)
    except RunnerError:
        return
    yield from (each.file for each in problems)
    if job is None:
        return
    connection = job.connection
    yield from (each for each in (connection.org_file, connection.source) if each is not None)
    sources = (source for task in job.tasks for _, source in source_files(task))
    yield from (each.path for each in sources if each.url is None)


def stamps_of(files: Iterable[Path]) -> Stamps:
    """The files as they are now."""
    return {file: _stamp(file) for file in files}


def changed_since(stamps: Stamps) -> frozenset[Path]:
    """The files that are not as they were."""
    return frozenset(file for file, before in stamps.items() if _stamp(file) != before)


def _stamp(file: Path) -> Stamp | None:
    try:
        return Stamp.of(file.stat())
    except OSError:
        return None
