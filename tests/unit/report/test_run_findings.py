"""How runs end, as a CI is told: findings, JUnit, a summary; never a value of a row."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Position, Severity
from runner.errors import ExitCode, JobError, SignInError
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.plan import Change, Refusal, RunPlan, TaskPlan, Trip
from runner.report.findings import findings_of, findings_of_plan
from runner.report.job_summary import findings_summary, runs_summary
from runner.report.junit import junit_xml, suites_of_findings, suites_of_run
from tests.unit.report.junit_rules import checked_junit

FOLDER = Path("/repo")
JOB = FOLDER / "jobs/accounts.yaml"
START = datetime(2026, 1, 31, 2, 30, tzinfo=UTC)
PLACE = Position(7, 11, 15)
SECRET = "Grace Hopper"
GOOD = TaskOutcome("good", "upsert", "Account", TaskStatus.DONE, Counts(read=3, created=3))
PARTIAL = TaskOutcome(
    "some",
    "create",
    "Contact",
    TaskStatus.PARTIAL,
    Counts(read=1_200, created=1_195, failed=5),
    exit_code=ExitCode.PARTIAL,
    seconds=1.25,
    results=Path("/state/runs/1/some"),
    top_errors=(
        ("DUPLICATE_VALUE", f"duplicate value {SECRET}", 3, 7),
        ("TOO_LONG", f"too long: {SECRET}", 1, 0),
    ),
)
BROKEN = TaskOutcome(
    "broken",
    "create",
    "Lead",
    TaskStatus.FAILED,
    message="The answer never came | \x1b[31m",
    hint="Try again.",
    code="SERVER_UNAVAILABLE",
    exit_code=ExitCode.TEMPORARY,
)
NOT_RUN = TaskOutcome(
    "late",
    "create",
    "Case",
    TaskStatus.SKIPPED,
    message="needs broken",
    exit_code=ExitCode.TEMPORARY,
)
RUN = RunOutcome(
    "20260131-023000-7f3a",
    "accounts",
    JOB,
    START,
    START + timedelta(seconds=12),
    (GOOD, PARTIAL, BROKEN, NOT_RUN),
    exit_code=ExitCode.TEMPORARY,
)
DONE = replace(RUN, tasks=(GOOD,), exit_code=ExitCode.DONE)
ABORTED = replace(RUN, tasks=(), exit_code=ExitCode.TERMINATED)
PROBLEM = Diagnostic("job/no-source", "no file none.csv", JOB, Position(9, 1, 4), help="write it")
INVALID = JobError((PROBLEM,))
SIGN_IN = SignInError("No token.", hint="`runner login`")


def place(file, task):
    assert file == JOB
    return PLACE if task in {"some", "broken"} else None


def found_of(end):
    return list(findings_of(end, place))


def test_findings_of_a_run_have_the_line_of_their_task_and_no_value():
    rows, broken = found_of(RUN)
    assert rows == Diagnostic(
        "DUPLICATE_VALUE",
        "some: 5 failed of 1,200 rows "
        "(DUPLICATE_VALUE: 3 rows, first row 7; TOO_LONG: 1 row; 1 more for other reasons)",
        JOB,
        PLACE,
        severity=Severity.WARNING,
    )
    assert (broken.code, broken.position, broken.severity) == (
        "SERVER_UNAVAILABLE",
        PLACE,
        Severity.ERROR,
    )
    assert broken.help == "Try again."


def test_a_run_that_went_well_has_no_findings():
    assert found_of(DONE) == []


@pytest.mark.parametrize("end", [ABORTED, replace(DONE, resumed=RUN), INVALID, SIGN_IN])
def test_an_end_that_is_not_good_is_never_without_a_finding(end):
    assert any(each.severity is Severity.ERROR for each in found_of(end))
    root = checked_junit(junit_xml(list(suites_of_run(end, FOLDER))))
    assert root.findall(".//error")


def test_what_was_not_started_is_a_finding():
    [*_, last] = found_of(replace(RUN, not_started="Not started: b.yaml."))
    assert (last.code, last.message) == ("run/not-started", "Not started: b.yaml.")


def test_junit_has_a_suite_a_job_and_a_case_a_task():
    text = junit_xml([*suites_of_run(RUN, FOLDER), *suites_of_run(INVALID, FOLDER)])
    root = checked_junit(text)
    assert SECRET not in text
    suite, invalid = root
    assert suite.attrib == {
        "name": "accounts",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "1.250",
        "timestamp": "2026-01-31T02:30:00",
    }
    good, some, broken, late = suite
    assert list(good) == []
    [failure] = some
    assert (failure.tag, failure.get("type")) == ("failure", "DUPLICATE_VALUE")
    assert "DUPLICATE_VALUE: 3 rows, first row 7" in failure.text
    assert "rows: /state/runs/1/some" in failure.text
    [error] = broken
    assert error.get("message") == "The answer never came | �[31m"
    assert [each.tag for each in late] == ["skipped"]
    assert invalid.get("name") == "runner"
    assert "no file none.csv" in invalid.find("testcase/error").text


def test_junit_of_findings_has_a_suite_a_file():
    warning = replace(PROBLEM, severity=Severity.WARNING, file=FOLDER / "connections/a.yaml")
    root = checked_junit(
        junit_xml(
            list(suites_of_findings([PROBLEM, warning], [JOB, FOLDER / "jobs/good.yaml"], FOLDER))
        )
    )
    assert [(each.get("name"), each.get("failures")) for each in root] == [
        ("jobs/accounts.yaml", "1"),
        ("jobs/good.yaml", "0"),
        ("connections/a.yaml", "0"),
    ]
    assert root[0][0].get("name") == "job/no-source jobs/accounts.yaml:9:1"
    assert root[2][0].find("system-out").text.startswith("warning: no file none.csv")


def test_the_summary_has_a_row_a_task_and_no_value():
    text = runs_summary([RUN, INVALID, SIGN_IN], FOLDER)
    assert SECRET not in text
    assert "\x1b" not in text
    assert "### `accounts`: try again later (exit 5)" in text
    assert "| `some` | create `Contact` | partial | 1,200 | 1,195 | 5 | 0 | 1.2 |" in text
    assert "- `DUPLICATE_VALUE: 3 rows, first row 7`" in text
    assert r"**`broken`**: `The answer never came \| �[31m` `Try again.`" in text
    assert "### not started (exit 2)" in text
    assert "| error `job/no-source` | `jobs/accounts.yaml:9:1` | `no file none.csv help" in text
    assert "`No token.`" in text


def test_the_summary_of_findings_is_short_however_many_there_are():
    assert findings_summary([], [JOB], FOLDER, "validate") == (
        "### `runner validate`: no problems\n\n`jobs/accounts.yaml`\n"
    )
    text = findings_summary([PROBLEM] * 5_000, [JOB], FOLDER, "check")
    assert text.startswith("### `runner check`: 5,000 problems\n")
    assert "| 4,900 more | | |" in text
    assert len(text) < 20_000


def test_a_plan_warns_of_rows_that_would_be_refused_and_of_what_would_stop_it():
    task = TaskPlan(
        "some",
        "create",
        "Contact",
        read=10,
        counts={Change.REFUSED: 2},
        refusals=(Refusal("TOO_LONG", SECRET, 2, 4),),
    )
    trip = Trip("max_deletes", "12 deletes, at most 10", JOB, Position(3, 1, 2))
    plan = RunPlan("accounts", JOB, START, (task, replace(task, counts={})), trips=(trip,))
    stop, refused = findings_of_plan(plan, place)
    assert (stop.code, stop.position, stop.severity) == (
        "rail/max-deletes",
        Position(3, 1, 2),
        Severity.ERROR,
    )
    assert refused.message == "some: 2 of 10 rows would be refused (TOO_LONG: 2 rows, first row 4)"
    assert (refused.position, refused.severity) == (PLACE, Severity.WARNING)
