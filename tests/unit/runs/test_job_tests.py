"""Tests of jobs: what they compare and what they touch."""

from runner.job.job_tests import load_tests
from runner.runs.job_tests import run_test
from runner.verdict import Status
from tests.unit.runs.project import CONNECTION, JOB, codes, said


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
