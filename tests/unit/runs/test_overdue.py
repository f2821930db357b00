"""Which jobs are overdue, by the clock and the runs in the ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.errors import ExitCode, JobError, UsageError
from runner.outcome import RunOutcome
from runner.runs.overdue import expectations_of, expectations_of_known
from runner.state.ledger import Ledger
from runner.state.run_records import RunRequest

NIGHT = datetime(2026, 11, 28, 2, 30, tzinfo=UTC)
HOURS = timedelta(hours=1)
TARGETS = "{targets: {dev: {environment: local}, prod: {environment: local}}, default: dev}"


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def job(tmp_path):
    def write(expect="expect: every 1d", connection="{environment: local}", name="a.yaml"):
        file = tmp_path / name
        task = "- {name: q, query: SELECT Id FROM Account, to: out.csv}"
        file.write_text(f"version: 1\nconnection: {connection}\n{expect}\ntasks:\n  {task}\n")
        return file

    return write


@pytest.fixture
def ran(ledger):
    """Record a run; it is in progress without an exit code."""

    def record(file, started, code=None, *, after=None, **request):
        run_id = f"run-{len(ledger.runs(limit=99))}"
        ledger.start_run(
            run_id,
            job="a",
            job_file=file,
            job_sha256="",
            started=started,
            request=RunRequest(**request),
            after=after,
        )
        if code is not None:
            end = RunOutcome(run_id, "a", file, started, started + 0.5 * HOURS, exit_code=code)
            ledger.finish_run(end)
        return run_id

    return record


def late(files, ledger, now, target=None):
    return [each.is_overdue for each in expectations_of(files, target, ledger, now)]


def test_a_job_that_never_ran_is_overdue(job, ledger):
    assert late([job()], ledger, NIGHT) == [True]


def test_the_time_counts_from_the_end_of_the_last_run_that_was_done(job, ledger, ran):
    file = job()
    ran(file, NIGHT, ExitCode.DONE)
    ran(file, NIGHT + HOURS, ExitCode.FAILED)
    assert late([file], ledger, NIGHT + 24.4 * HOURS) == [False]
    assert late([file], ledger, NIGHT + 24.6 * HOURS) == [True]


def test_a_run_in_progress_that_began_in_time_counts_until_it_takes_too_long(job, ledger, ran):
    file = job()
    ran(file, NIGHT, ExitCode.DONE)
    ran(file, NIGHT + 24 * HOURS)
    assert late([file], ledger, NIGHT + 25 * HOURS) == [False]
    assert late([file], ledger, NIGHT + 49 * HOURS) == [True]


@pytest.mark.parametrize(
    ("request_of", "code"),
    [
        ({"only": ("q",)}, ExitCode.DONE),
        ({"verb": "undo"}, ExitCode.DONE),
        ({"verb": "retry"}, ExitCode.DONE),
        ({"target": "prod"}, ExitCode.DONE),
        ({}, ExitCode.PARTIAL),
    ],
)
def test_only_a_whole_run_that_was_done_counts(job, ledger, ran, request_of, code):
    file = job()
    ran(file, NIGHT, code, **request_of)
    assert late([file], ledger, NIGHT + HOURS) == [True]


def test_a_partial_run_counts_once_a_retry_of_it_is_done(job, ledger, ran):
    file = job()
    partial = ran(file, NIGHT, ExitCode.PARTIAL)
    again = ran(file, NIGHT + HOURS, ExitCode.PARTIAL, verb="retry", after=partial)
    assert late([file], ledger, NIGHT + 3 * HOURS) == [True]
    ran(file, NIGHT + 2 * HOURS, ExitCode.DONE, verb="retry", after=again)
    assert late([file], ledger, NIGHT + 3 * HOURS) == [False]
    assert late([file], ledger, NIGHT + 25 * HOURS) == [True]


def test_known_jobs_are_those_that_have_run_on_targets_that_are_still_there(job, ledger, ran):
    file = job(connection=TARGETS)
    for target in ("dev", "prod", "gone"):
        ran(file, NIGHT, ExitCode.DONE, target=target)
    ran(file.with_name("deleted.yaml"), NIGHT, ExitCode.DONE)
    ran(job("", name="without.yaml"), NIGHT, ExitCode.DONE)
    left_out = []
    found = list(expectations_of_known(ledger, NIGHT + HOURS, left_out))
    assert [(each.target, each.is_overdue) for each in found] == [("dev", False), ("prod", False)]
    assert left_out == [file.with_name("deleted.yaml")]


def test_what_cannot_be_judged_is_an_error(job, ledger):
    with pytest.raises(JobError):
        late([Path("nope.yaml")], ledger, NIGHT)
    with pytest.raises(JobError):
        late([job("expect: daily")], ledger, NIGHT)
    with pytest.raises(UsageError, match="no target 'uat'"):
        late([job(connection=TARGETS)], ledger, NIGHT, "uat")
    with pytest.raises(UsageError, match="one connection"):
        late([job()], ledger, NIGHT, "prod")
    with pytest.raises(UsageError, match="none of them is the default"):
        late([job(connection=TARGETS.replace(", default: dev", ""))], ledger, NIGHT)


def test_a_job_with_other_mistakes_is_judged_all_the_same(job, ledger, ran):
    file = job("expect: every 1d\nlimitss: {}")
    ran(file, NIGHT, ExitCode.DONE)
    assert late([file], ledger, NIGHT + HOURS) == [False]
