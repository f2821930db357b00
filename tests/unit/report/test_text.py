"""The recap says in one line a task what happened, and then why rows failed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode
from runner.events import Connected, Progress, Retrying, RunStarted, TaskStarted, Warned
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.report.text import recap, summary_rows
from runner.telemetry.lines import line_of, progress_line

MOMENT = datetime(2026, 11, 23, 13, 5, 1, tzinfo=UTC)


def run_of(*tasks, exit_code=ExitCode.DONE):
    return RunOutcome(
        run_id="20261123-130501-7f3a",
        job="accounts-nightly",
        job_file=Path("job.yaml"),
        started=MOMENT,
        finished=MOMENT,
        tasks=tasks,
        exit_code=exit_code,
    )


UPSERT = TaskOutcome(
    name="accounts",
    verb="upsert",
    sobject="Account",
    status=TaskStatus.PARTIAL,
    counts=Counts(read=12_400, created=310, updated=11_980, unchanged=101, failed=9),
    api="bulk",
    api_calls=14,
    seconds=41.24,
    results=Path("/runs/1/accounts"),
    top_errors=(("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", 9, 4),),
)


def test_a_write_shows_where_its_rows_ended():
    first = recap(run_of(UPSERT, exit_code=ExitCode.PARTIAL)).splitlines()[0]
    assert first == (
        "accounts  upsert Account  PARTIAL  (bulk)  read 12,400  created 310  updated 11,980  "
        "unchanged 101  failed 9  API calls 14  41.2 s"
    )


def test_failed_rows_are_explained_with_the_folder_of_their_file():
    text = recap(run_of(UPSERT, exit_code=ExitCode.PARTIAL))
    assert "9 x REQUIRED_FIELD_MISSING: Required fields are missing: [Name]" in text
    assert "/runs/1/accounts" in text
    assert text.endswith("run 20261123-130501-7f3a: finished, some rows failed (exit 3)")


@pytest.mark.parametrize(
    ("failed", "in_doubt", "skipped", "heading"),
    [
        (9, 0, 0, "why rows failed"),
        (0, 9, 0, "why rows are in doubt"),
        (4, 5, 0, "why rows failed or are in doubt"),
        (4, 0, 5, "why rows failed or were left alone"),
        (0, 0, 9, "why records were left alone"),
    ],
)
def test_rows_are_not_said_to_have_failed_that_did_not(failed, in_doubt, skipped, heading):
    counts = Counts(read=9, failed=failed, in_doubt=in_doubt, skipped=skipped)
    task = replace(UPSERT, counts=counts)
    assert f"accounts: {heading}" in recap(run_of(task)).splitlines()


def test_columns_stand_under_each_other():
    query = TaskOutcome(
        name="open_cases",
        verb="query",
        sobject="Case",
        status=TaskStatus.DONE,
        counts=Counts(read=7, written=7),
    )
    first, second = recap(run_of(UPSERT, query)).splitlines()[:2]
    assert first.index("PARTIAL") == second.index("DONE")
    assert "found 7" in second


def test_a_task_left_out_says_why_and_nothing_else():
    skipped = TaskOutcome(
        name="later",
        verb="delete",
        sobject="Lead",
        status=TaskStatus.SKIPPED,
        message="not run: accounts did not succeed",
    )
    line = recap(run_of(skipped)).splitlines()[0]
    assert "not run: accounts did not succeed" in line
    assert "deleted" not in line


def test_a_failed_task_gives_reason_and_hint():
    failed = TaskOutcome(
        name="cases",
        verb="query",
        sobject="Case",
        status=TaskStatus.FAILED,
        message="INVALID_FIELD: No such column",
        hint="Check the name.",
        exit_code=ExitCode.FAILED,
    )
    text = recap(run_of(failed, exit_code=ExitCode.FAILED))
    assert "cases: INVALID_FIELD: No such column\n  Check the name." in text


def test_an_undo_that_leaves_records_alone_says_so():
    left = replace(UPSERT, verb="update", top_errors=(), counts=Counts(read=3, skipped=3))
    text = recap(run_of(left, exit_code=ExitCode.PARTIAL))
    assert "left alone 3" in text
    assert "finished, some records were left alone (exit 3)" in text
    failed = replace(UPSERT, counts=Counts(read=3, skipped=1, failed=1))
    assert "some rows failed" in recap(run_of(failed, exit_code=ExitCode.PARTIAL))


def test_a_run_without_tasks_still_has_its_last_line():
    assert recap(run_of()).strip() == "run 20261123-130501-7f3a: done (exit 0)"


def test_events_read_as_sentences():
    assert line_of(RunStarted("r1", "nightly", 1)) == "run r1: nightly, 1 task"
    assert line_of(TaskStarted("a", "upsert", "Account")) == "a: upsert Account"
    connected = Connected("https://x.my.salesforce.com", "00D", "me@x", "66.0")
    said = "connected to https://x.my.salesforce.com as me@x, API version 66.0"
    assert line_of(connected) == said
    assert line_of(Retrying("503 Service Unavailable", 1.5, 2)) == (
        "retrying in 1.5 s (attempt 2): 503 Service Unavailable"
    )
    assert line_of(Warned("careful", "a")) == "warning: a: careful"


def test_progress_tells_rows_parts_and_state():
    assert progress_line(Progress("a", 200, 1000, 1, 5, "InProgress")) == (
        "a: 200 of 1,000 rows, part 1 of 5, InProgress"
    )
    assert progress_line(Progress("a", 200)) == "a: 200 rows"
    assert line_of(Progress("a", 200)) is None


def test_jobs_of_one_name_are_told_apart_by_their_folders():
    ends = [replace(run_of(), job_file=Path(f"/srv/{each}.yaml")) for each in ("uat/a", "prod/a")]
    assert [row[0] for row in summary_rows(ends)] == ["uat/a.yaml", "prod/a.yaml"]
    other = replace(run_of(), job_file=Path("/srv/prod/b.yaml"))
    assert [row[0] for row in summary_rows([ends[0], other, ends[0]])] == [
        "a.yaml",
        "b.yaml",
        "a.yaml",
    ]


def test_a_message_of_the_org_cannot_look_like_lines_of_the_recap():
    forged = replace(UPSERT, top_errors=(("CODE", "bad\nrun 1: done (exit 0)\u2028b", 9, 4),))
    lines = recap(run_of(forged)).splitlines()
    assert any("9 x CODE: bad run 1: done (exit 0) b" in each for each in lines)
