"""Tests of jobs: what they compare, what they touch, and how broken ones are reported."""

import os
import signal
import tempfile
import textwrap
from pathlib import Path

import pytest

from runner.errors import JobError
from runner.job.job_tests import load_tests
from runner.runs import job_tests
from runner.runs.job_tests import run_test
from runner.verdict import Status, Verdict

ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Tier__c: {type: picklist, label: Tier, values: [Gold, Silver], restricted: true}
seed: {Account: seed.csv}
"""
CONNECTION = """\
connection:
  environment: sandbox
  domain: acme--uat
  client_id: abc
  token: tokens/uat.json
"""
JOB = f"""\
version: 1
{CONNECTION}
params:
  tier: {{type: string, default: Gold}}
tasks:
  - name: accounts
    upsert: Account
    key: ERP_Id__c
    from: {{file: in/accounts.csv, delimiter: semicolon, decimal: ","}}
    fields: {{ERP_Id__c: no, Name: trim(name), Tier__c: tier, AnnualRevenue: revenue}}
  - name: list
    query: "SELECT ERP_Id__c, Name FROM Account WHERE Tier__c = :tier ORDER BY ERP_Id__c"
    to: out/list.csv
  - name: contacts
    create: Contact
    from: out/list.csv
    fields: {{LastName: Name}}
"""
ROWS = """\
- {no: "0815", name: " Acme ", tier: Gold, revenue: "1200000,0"}
- {no: "0816", name: null, tier: Gold, revenue: null}
"""


class Project:
    """A folder with a job for a sandbox that nobody has signed in to."""

    def __init__(self, folder):
        self.folder = folder
        self.write("org.yaml", ORG)
        self.write("seed.csv", "Name\nSeeded\n")
        self.write("accounts.yaml", JOB)

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def files(self):
        found = (each for each in self.folder.rglob("*") if each.is_file())
        return {each: each.read_bytes() for each in found}

    def verdict(self, expect, given="", when="run", rows=ROWS):
        """Of one test, whose file has `expect` from line 100 on."""
        sources = f"sources:\n  accounts:\n{textwrap.indent(rows, '    ')}" if rows else ""
        shared = textwrap.indent(f"org: org.yaml\n{sources}", "  ")
        own = textwrap.indent(textwrap.dedent(given).strip() or "params: {}", "      ")
        head = (
            f"version: 1\ngiven:\n{shared}\ntests:\n  - name: it\n    when: {when}\n"
            f"    given:\n{own}\n"
        )
        head += "\n" * (99 - head.count("\n") - 1) + "    expect:\n"
        body = textwrap.indent(textwrap.dedent(expect).strip(), "      ")
        file = self.write("accounts.test.yaml", f"{head}{body}\n")
        before = self.files()
        (test,) = load_tests(file)
        with tempfile.TemporaryDirectory() as scratch:
            verdict = run_test(test, Path(scratch))
        assert self.files() == before
        return verdict


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def said(verdict):
    """Each difference in a line; a broken test's codes would be a mistake here."""
    assert [each.message for each in verdict.problems] == []
    assert verdict.message is None
    return [
        f"{each.line} {each.what}: {each.expected} / {each.actual}" for each in verdict.differences
    ]


def codes(verdict):
    assert verdict.status is Status.BROKEN
    return [(each.code, each.position.line if each.position else None) for each in verdict.problems]


def test_everything_that_a_run_does_can_be_expected(project):
    verdict = project.verdict(
        """
        exit: 3
        tasks:
          accounts: {read: 2, created: 1, failed: 1}
          list: {written: 1}
          contacts: {created: 1}
        failed: [{task: accounts, row: 2, code: REQUIRED_FIELD_MISSING}]
        records:
          - query: SELECT Name, ERP_Id__c, AnnualRevenue, IsDeleted FROM Account
            rows:
              - {Name: Acme, ERP_Id__c: "0815", AnnualRevenue: 1200000, IsDeleted: false}
              - {Name: Seeded, ERP_Id__c: null, AnnualRevenue: null, IsDeleted: false}
          - {query: SELECT COUNT() FROM Contact, rows: [{count: 1}]}
        files: {out/list.csv: [{ERP_Id__c: "0815", Name: Acme}]}
        max_requests: 20
        untouched: [Lead]
        """
    )
    assert said(verdict) == []
    assert verdict.status is Status.PASSED


def test_each_difference_says_where_it_was_expected(project):
    verdict = project.verdict(
        """
        tasks: {accounts: {created: 2}}
        failed: []
        records:
          - query: SELECT Name FROM Account ORDER BY Name
            rows: [{Name: Seeded}, {Name: Acme}]
          - {query: SELECT COUNT() FROM Contact, rows: []}
        files:
          out/list.csv: [{ERP_Id__c: "0815", Name: ACME}]
          out/lists.csv: org.yaml
        max_requests: 0
        untouched: [Contact]
        """
    )
    assert verdict.status is Status.FAILED
    requests = next(each.actual for each in verdict.differences if each.what == "max_requests")
    assert said(verdict) == [
        "99 exit: 0 / 3",
        "100 tasks.accounts.created: 2 / 1",
        "101 failed: 0 rows / 1 row",
        "103 records of SELECT Name FROM Account ORDER BY Name: 2 rows / other values",
        "105 records of SELECT COUNT() FROM Contact: 0 rows / 1 row",
        "107 file out/list.csv: 1 row / other values",
        "108 file out/lists.csv: a file / no file",
        f"109 max_requests: at most 0 / {requests}",
        "110 untouched: Contact: no change / 1 created, 0 changed or deleted",
    ]
    lines = {each.what: each.lines for each in verdict.differences}
    reason = "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]"
    assert lines["exit"] == (f"  accounts: 1 row, first row 2: {reason}",)
    assert lines["failed"] == ("+ task accounts, row 2, REQUIRED_FIELD_MISSING",)
    assert lines["file out/list.csv"] == ("  ERP_Id__c | Name", "- 0815 | ACME", "+ 0815 | Acme")
    assert lines["file out/lists.csv"] == ("  the job wrote out/list.csv",)
    assert lines["records of SELECT COUNT() FROM Contact"] == ("  count", "+ 1")
    (created,) = lines["untouched: Contact"]
    assert created.startswith("  + 003")


def test_the_second_of_two_runs_is_compared(project):
    given = "seed: {Account: [{Name: Old, ERP_Id__c: '0815'}]}"
    expect = """
        exit: 3
        tasks: {accounts: {created: 0, updated: 1}, contacts: {created: 1}}
        records:
          - {query: SELECT Name FROM Account, rows: [{Name: Acme}]}
          - {query: SELECT COUNT() FROM Contact, rows: [{count: 2}]}
        """
    assert said(project.verdict(expect, given, when="run twice")) == []


def test_a_file_in_place_of_a_source_is_read_with_its_options(project):
    project.write("rows.csv", "no;name;tier;revenue\n1;A;Silver;2,0\n")
    given = "sources: {accounts: rows.csv}\nparams: {tier: Silver}"
    expect = """
        tasks: {list: {written: 1}}
        records:
          - query: SELECT AnnualRevenue FROM Account WHERE ERP_Id__c = '1'
            rows: [{AnnualRevenue: 2}]
        files: {out/list.csv: expected.csv}
        """
    project.write("expected.csv", '"ERP_Id__c","Name"\n"1","A"\n')
    assert said(project.verdict(expect, given)) == []


def test_a_source_without_rows_and_a_target_without_rows(project):
    expect = "tasks: {accounts: {read: 0}}\nfiles: {out/list.csv: []}"
    assert said(project.verdict(expect, rows="[]")) == []


def test_columns_that_rows_leave_out_are_blank(project):
    """But a record type is a fixed text where there is no such column."""
    text = JOB.replace("revenue}", "revenue, OwnerId: {owner: admin@local.example}}")
    project.write("accounts.yaml", text)
    expect = """
        records:
          - query: SELECT Name, AnnualRevenue FROM Account WHERE ERP_Id__c = '1'
            rows: [{Name: A, AnnualRevenue: null}]
        """
    assert said(project.verdict(expect, rows='- {no: "1", name: A}\n')) == []


def test_a_text_is_not_the_number_that_it_looks_like(project):
    """Lost zeros are what happens to keys on their way through a spreadsheet."""
    expect = """
        exit: 3
        records:
          - query: SELECT ERP_Id__c FROM Account WHERE Name = 'Acme'
            rows: [{ERP_Id__c: 815}]
        files: {out/list.csv: [{ERP_Id__c: 815, Name: Acme}]}
        """
    verdict = project.verdict(expect)
    query = "SELECT ERP_Id__c FROM Account WHERE Name = 'Acme'"
    assert said(verdict) == [
        f"102 records of {query}: 1 row / other values",
        "104 file out/list.csv: 1 row / other values",
    ]
    lines = ("  ERP_Id__c", "- 815", "+ 0815")
    assert verdict.differences[0].lines == lines


def test_the_deletes_of_a_mirror_are_those_of_its_own_task(project):
    text = JOB.replace("upsert: Account", "mirror: Account\n    scope: ERP_Id__c != null")
    text = text.replace("fields: {ERP", "limits: {max_deletes: 5}\n    fields: {ERP")
    project.write("accounts.yaml", text)
    given = "seed: {Account: [{Name: Old, ERP_Id__c: '1'}]}"
    rows = '- {no: "0815", name: Acme, tier: Gold, revenue: null}\n'
    expect = "tasks: {accounts: {created: 1}, accounts.missing: {deleted: 1}}"
    assert said(project.verdict(expect, given, rows=rows)) == []
    expect = "tasks: {list.missing: {deleted: 1}}"
    assert codes(project.verdict(expect, given, rows=rows)) == [("test/unknown-task", 100)]


def test_a_first_extract_of_changes_has_the_records_that_the_org_starts_with(project):
    """Although it ends some minutes before the present."""
    query = "SELECT Id, Name, SystemModstamp FROM Account"
    job = f"""\
version: 1
{CONNECTION}
tasks:
  - name: changes
    query: {query}
    since: SystemModstamp
    lag: 20m
    to: {{file: out/changes.csv, mode: merge, key: Id}}
"""
    project.write("accounts.yaml", job)
    for when, written in (("run", 1), ("run twice", 0)):
        expect = f"tasks: {{changes: {{written: {written}}}}}"
        for given in ("", "today: 2024-02-29"):
            assert said(project.verdict(expect, given, when=when, rows=None)) == []


def test_a_test_without_an_org_file_says_that_it_has_none(project):
    project.write(
        "accounts.test.yaml",
        "version: 1\ntests: [{name: it, given: {sources: {accounts: []}}, expect: {exit: 0}}]\n",
    )
    (test,) = load_tests(project.folder / "accounts.test.yaml")
    verdict = run_test(test, project.folder)
    assert verdict.differences[0].lines[-1] == (
        "  The test's org has only standard objects and fields; name your own: "
        "`given: {org: org.yaml}`"
    )


def test_faults_are_those_of_the_local_org(project):
    project.write(
        "accounts.yaml", JOB.replace("params:", "defaults: {retry: {attempts: 1}}\nparams:")
    )
    given = "faults: [{kind: status, method: POST, status: 503, times: 1}]"
    verdict = project.verdict("exit: 0", given)
    assert [each.actual for each in verdict.differences] != []
    assert "503" in str(verdict.differences[0].lines)


def test_the_target_decides_which_tasks_are_enabled(project):
    prod = "{environment: live, client_id: abc, token: t.json}"
    targets = f"connection: {{targets: {{dev: {{environment: local}}, prod: {prod}}}}}\n"
    text = JOB.replace(CONNECTION, targets).replace(
        "  - name: contacts\n", "  - name: contacts\n    enabled: {targets: [prod]}\n"
    )
    project.write("accounts.yaml", text)
    rows = '- {no: "1", name: A, tier: Gold, revenue: null}\n'
    for target, created in (("dev", 0), ("prod", 1)):
        expect = f"records: [{{query: SELECT COUNT() FROM Contact, rows: [{{count: {created}}}]}}]"
        assert said(project.verdict(expect, f"target: {target}", rows=rows)) == []


def test_today_is_that_of_the_org_and_of_expressions(project):
    """Also in the process that is killed, and in the run that resumes it."""
    moment = "strftime(now(), '%Y-%m-%dT%H:%M ') || strftime(current_date(), '%d ')"
    moment += " || date_diff('year', DATE '2000-02-29', today())"
    fields = f'Name: trim(name), Description: "{moment}"'
    text = JOB.replace("Name: trim(name)", fields)
    text = text.replace("WHERE Tier__c = :tier", "WHERE CreatedDate = TODAY")
    project.write("accounts.yaml", text)
    expect = """
        exit: 3
        tasks: {list: {written: 2}}
        records:
          - query: SELECT Description FROM Account WHERE CreatedDate > 2024-02-29T05:59:59Z
              AND CreatedDate < 2024-02-29T07:00:00Z AND ERP_Id__c = '0815'
            rows: [{Description: "2024-02-29T06:00 29 24"}]
        """
    when = "{killed_after_requests: 4}"
    assert said(project.verdict(expect, "today: 2024-02-29T07:00:00+01:00", when=when)) == []
    expect = "exit: 3\ntasks: {list: {written: 2}}"
    assert said(project.verdict(expect, "today: 2024-02-29")) == []


def test_a_run_that_ends_before_it_is_killed_breaks_its_test(project):
    verdict = project.verdict("exit: 3", when="{killed_after_requests: 99}")
    assert codes(verdict) == [("test/not-killed", 11)]


def test_a_run_is_killed_after_each_of_its_requests(project):
    verdict = project.verdict("exit: 1", when="{killed_after_requests: each}")
    assert said(verdict) == ["100 killed after request 1: exit: 1 / 3"]


def test_nobody_hears_of_a_test(project):
    """A heartbeat would fail and warn; metrics would write a file, which `verdict` would find."""
    head = "heartbeat: {url: {env: NO_URL}}\nmetrics: {textfile: metrics}\nparams:"
    project.write("accounts.yaml", JOB.replace("params:", head))
    assert said(project.verdict("exit: 3")) == []


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
