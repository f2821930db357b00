"""A write's rows decide its status; nothing is green that failed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.engine.task_end import outcome_of_write
from runner.errors import AbortedError, ExitCode, LimitError
from runner.job.choices import Match, MaxFailures
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Verb, WriteTask
from runner.outcome import Counts, TaskStatus


def task(max_failures=None):
    source = FileSource(Path("/a.csv"), FileShape(FileFormat.CSV))
    return WriteTask(
        name="a",
        verb=Verb.UPSERT,
        sobject="Account",
        index=0,
        source=source,
        max_failures=max_failures,
    )


@pytest.mark.parametrize(
    ("allowed", "counts", "status", "code"),
    [
        (None, Counts(read=10, created=10), TaskStatus.DONE, ExitCode.DONE),
        (None, Counts(), TaskStatus.DONE, ExitCode.DONE),
        (None, Counts(read=10, created=9, failed=1), TaskStatus.PARTIAL, ExitCode.PARTIAL),
        (None, Counts(read=10, failed=10), TaskStatus.FAILED, ExitCode.FAILED),
        (
            MaxFailures(rows=1),
            Counts(read=10, created=9, failed=1),
            TaskStatus.PARTIAL,
            ExitCode.PARTIAL,
        ),
        (
            MaxFailures(rows=0),
            Counts(read=10, created=9, failed=1),
            TaskStatus.FAILED,
            ExitCode.FAILED,
        ),
        (MaxFailures(rows=0), Counts(read=10, created=10), TaskStatus.DONE, ExitCode.DONE),
        (
            MaxFailures(percent=10.0),
            Counts(read=10, created=9, failed=1),
            TaskStatus.PARTIAL,
            ExitCode.PARTIAL,
        ),
        (
            MaxFailures(percent=9.9),
            Counts(read=10, created=9, failed=1),
            TaskStatus.FAILED,
            ExitCode.FAILED,
        ),
        (
            MaxFailures(percent=100.0),
            Counts(read=2, failed=2),
            TaskStatus.PARTIAL,
            ExitCode.PARTIAL,
        ),
        (None, Counts(read=10, created=8, unprocessed=2), TaskStatus.FAILED, ExitCode.FAILED),
        (None, Counts(read=10, created=8, in_doubt=2), TaskStatus.PARTIAL, ExitCode.PARTIAL),
    ],
)
def test_counts_decide(allowed, counts, status, code):
    found = outcome_of_write(task(allowed), counts, None)
    assert (found.status, found.exit_code) == (status, code)


def test_rows_that_match_skips_are_as_they_should_be():
    counts = Counts(read=10, skipped=9, failed=1)
    assert outcome_of_write(task(), counts, None).status is TaskStatus.FAILED  # all that was tried
    found = outcome_of_write(replace(task(), match=Match.CREATE_ONLY), counts, None)
    assert (found.status, found.exit_code) == (TaskStatus.PARTIAL, ExitCode.PARTIAL)


def test_what_stopped_the_task_counts_more_than_its_rows():
    limit = LimitError(
        "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.", code="REQUEST_LIMIT_EXCEEDED"
    )
    found = outcome_of_write(task(), Counts(read=10, created=10), limit)
    assert (found.status, found.exit_code) == (TaskStatus.FAILED, ExitCode.TEMPORARY)
    assert found.code == "REQUEST_LIMIT_EXCEEDED"
    aborted = outcome_of_write(task(), Counts(read=10), AbortedError(ExitCode.TERMINATED))
    assert (aborted.status, aborted.exit_code) == (TaskStatus.ABORTED, ExitCode.TERMINATED)


@pytest.mark.parametrize(("rows", "said"), [(1, "1 row was left"), (1_200, "1,200 rows were left")])
def test_rows_that_nobody_processed_are_counted(rows, said):
    outcome = outcome_of_write(task(), Counts(read=rows, unprocessed=rows), None)
    assert outcome.message == f"{said} unprocessed."
