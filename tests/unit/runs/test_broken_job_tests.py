"""Tests of jobs that cannot be run: each says why, and where it is wrong."""

import os
import signal
import textwrap
from pathlib import Path

import pytest

from runner.errors import JobError
from runner.job.job_tests import load_tests
from runner.runs import job_tests
from runner.verdict import Status, Verdict
from tests.unit.runs.project import CONNECTION, JOB, codes, said

OUTSIDE = """
- {name: a, create: Account, from: {database: {env: NO_URL}, sql: SELECT 1}, fields: {Name: n}}
- {name: b, create: Account, from: "https://acme.example/a.csv", fields: {Name: n}}
- {name: c, create: Account, from: "-", fields: {Name: n}}
- name: d
  create: Account
  from: {connection: prod.yaml, query: SELECT Name FROM Account}
  fields: {Name: Name}
- {name: e, query: SELECT Id FROM Account, to: {database: {env: NO_URL}, table: t}}
"""


def test_what_a_job_reads_elsewhere_is_replaced_or_refused(project):
    project.write("prod.yaml", "environment: live\nclient_id: abc\ntoken: tokens/prod.json\n")
    tasks = textwrap.indent(OUTSIDE.strip(), "  ")
    project.write("accounts.yaml", f"version: 1\n{CONNECTION}tasks:\n{tasks}\n")
    verdict = project.verdict("exit: 0", rows=None)
    assert [code for code, _ in codes(verdict)] == ["test/outside"] * 5
    project.write(
        "accounts.yaml",
        project.folder.joinpath("accounts.yaml").read_text().replace(tasks.splitlines()[-1], ""),
    )
    rows = "[{n: A, Name: A}]"
    given = f"sources: {{a: {rows}, b: {rows}, c: {rows}, d: {rows}}}"
    expect = "records: [{query: SELECT COUNT() FROM Account, rows: [{count: 5}]}]"
    assert said(project.verdict(expect, given, rows=None)) == []


@pytest.mark.parametrize(
    ("given", "expect", "found"),
    [
        ("sources: {acounts: []}", "exit: 0", [("test/unknown-task", 13)]),
        ("sources: {list: []}", "exit: 0", [("test/no-source", 13)]),
        ("sources: {accounts: [{nr: 1}]}", "exit: 0", [("test/unread-column", 13)]),
        ("params: {tear: Gold}", "exit: 0", [("test/bad-params", 13)]),
        ("target: prod", "exit: 0", [("test/bad-target", 13)]),
        ("seed:\n  Account:\n    - {Name: A}\n    - {Nam: B}", "exit: 0", [("test/bad-seed", 15)]),
        ("seed:\n  Acount:\n    - {Name: A}", "exit: 0", [("test/bad-seed", 14)]),
        ("faults: [{kind: status, path: '('}]", "exit: 0", [("org/impossible", 13)]),
        ("", "tasks: {acounts: {read: 1}}", [("test/unknown-task", 100)]),
        ("", "failed: [{task: x, row: 1}]", [("test/unknown-task", 100)]),
        ("", "untouched: [Acount]", [("test/unknown-object", 100)]),
        (
            "",
            "records: [{query: SELECT Nam FROM Account, rows: []}]",
            [("test/refused-query", 100)],
        ),
        (
            "",
            "records: [{query: SELECT Name FROM Account, rows: [{Nam: A}]}]",
            [("test/unknown-column", 100)],
        ),
    ],
)
def test_a_test_that_makes_no_sense_is_broken_and_says_where(project, given, expect, found):
    assert codes(project.verdict(expect, given)) == found


def test_a_wrong_job_breaks_its_tests(project):
    project.write("accounts.yaml", JOB.replace("upsert: Account", "upsrt: Account"))
    verdict = project.verdict("exit: 0")
    assert [code for code, _ in codes(verdict)] == ["job/no-verb"]


def test_a_row_that_ends_on_a_later_line_is_found(project):
    given = (
        'seed:\n  Account:\n    - {Name: A, Description: "a\\nb\\nc"}\n    - {Name: B, Tier__c: X}'
    )
    assert codes(project.verdict("exit: 0", given)) == [("test/bad-seed", 16)]


def test_a_file_of_tests_has_all_its_problems_at_once(tmp_path):
    text = """\
version: 1
tests:
  - name: a
    given: {org: nix.yaml}
    expect: {records: [{query: SELECT FROM Account, rows: nix.csv}]}
  - name: a
    expect: {exit: 0}
"""
    file = tmp_path / "nix.test.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(JobError) as caught:
        load_tests(file)
    assert _places(caught.value) == [
        ("test/no-job", 1),
        ("test/no-file", 4),
        ("test/soql-syntax", 5),
        ("test/no-file", 5),
        ("test/repeated-name", 6),
    ]
    assert Path(caught.value.diagnostics[0].file) == file


def test_a_day_that_is_not_in_the_calendar_is_refused(tmp_path):
    tests = "tests: [{name: a, given: {today: 2026-01-31T24:30}, expect: {exit: 0}}]"
    (tmp_path / "nix.yaml").touch()
    file = tmp_path / "nix.test.yaml"
    file.write_text(f"version: 1\ngiven:\n  today: 2026-02-29\n{tests}\n", encoding="utf-8")
    with pytest.raises(JobError) as caught:
        load_tests(file)
    assert _places(caught.value) == [("test/bad-today", 3), ("test/bad-today", 4)]


def _places(error):
    return [(each.code, each.position and each.position.line) for each in error.diagnostics]


def test_a_test_whose_process_dies_is_broken_and_the_others_have_their_verdicts(
    project, monkeypatch
):
    tests = "[{name: a, expect: {exit: 0}}, {name: b, expect: {exit: 0}}]"
    file = project.write("accounts.test.yaml", f"version: 1\ntests: {tests}\n")

    def run(test, scratch):
        if test.name == "a":
            os.kill(os.getpid(), signal.SIGKILL)
        return Verdict(file, f"{test.name} in {scratch}", Status.PASSED)

    monkeypatch.setattr(job_tests, "run_test", run)
    died, passed = job_tests.verdicts(load_tests(file), Path("scratch"), 2)
    assert (died.status, died.name, died.line) == (Status.BROKEN, "a", 2)
    assert died.message == "the process that ran this test ended with signal 9 (SIGKILL)"
    assert (passed.status, passed.name) == (Status.PASSED, "b in scratch")
