"""Each key of a job that steers how rows are sent: what the org is asked because of it."""

import csv
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.e2e.apis import BOTH, OVER_BULK

DUPLICATE_RULE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
    duplicate_rules:
      Same_name: {fields: [Name], action: alert}
"""
ROWS = "Name,ERP_Id__c\n" + "".join(f"n{number},E{number}\n" for number in range(6))
ONE_BAD_ROW = "Name,ERP_Id__c\n,E0\n" + "".join(f"n{number},E{number}\n" for number in range(1, 6))
UPSERT = "- name: load\n  upsert: Account\n  key: ERP_Id__c\n  from: a.csv\n"
QUERY = "- name: load\n  query: SELECT Id, Name FROM Account\n  to: out.csv\n"
COLLECTIONS = "/composite/sobjects"
INGEST = "/jobs/ingest"
QUERY_JOB = "/jobs/query"


@dataclass
class Log:
    """The requests of a run that the org answered, oldest first."""

    entries: list = field(default_factory=list)

    def of(self, part, method=None):
        return [
            each
            for each in self.entries
            if part in each["path"] and method in (None, each["method"])
        ]

    def overlapping(self, part):
        """How many requests began before the one before them had been answered."""
        times = sorted(
            (ended - timedelta(milliseconds=each["milliseconds"]), ended)
            for each in self.of(part)
            for ended in [datetime.fromisoformat(each["time"])]
        )
        return sum(after[0] < before[1] for before, after in pairwise(times))


@pytest.fixture
def run_logged(bench):
    """Run a task with its source; gives the end, and the log of what the org was asked."""

    def run(org, task, *keys, rows=ROWS, name="a.csv"):
        bench.write(name, rows)
        assert org.request("DELETE", "/__org/requests").status_code < 300
        ended = bench.run("run", bench.job(task + "".join(f"  {key}\n" for key in keys)), "-ojson")
        answer = org.request("GET", "/__org/requests").json()
        entries = answer["requests"] if isinstance(answer, dict) else answer
        return ended, Log(list(reversed(entries)))

    return run


@pytest.mark.parametrize(
    ("keys", "calls", "jobs"),
    [
        ([], 1, 0),
        (["batch_size: 1"], 6, 0),
        (["batch_size: 4"], 2, 0),
        (["bulk_threshold: 5"], 0, 1),
        (["bulk_threshold: 6"], 1, 0),
        (["bulk_threshold: 5", "api: rest"], 1, 0),
        (["bulk_threshold: 5", "batch_size: 4"], 2, 0),
        (["bulk_threshold: 5", "all_or_none: true"], 1, 0),
        (["bulk_threshold: 5", "options: {duplicate_rule_allow_save: true}"], 1, 0),
        (["bulk_threshold: 5", "options: {assignment_rule: true}"], 1, 0),
        (["bulk_threshold: 5", "options: {assignment_rule: 01Q5g000000ABCD}"], 0, 1),
    ],
)
def test_a_key_decides_by_which_requests_rows_are_sent(org, run_logged, keys, calls, jobs):
    ended, log = run_logged(org, UPSERT, *keys)
    assert ended.code == 0, ended.err
    assert ended.counts("created") == (6,)
    assert len(log.of(COLLECTIONS, "PATCH")) == calls
    assert len(log.of(INGEST, "POST")) == jobs
    assert ended.task("load")["api"] == ("bulk" if jobs else "rest")


@pytest.mark.parametrize(
    ("keys", "jobs"),
    [([], 0), (["bulk_threshold: 2"], 1), (["bulk_threshold: 3"], 0), (["api: bulk"], 1)],
)
def test_a_key_decides_by_which_requests_records_are_read(org, run_logged, keys, jobs):
    for number in range(3):
        org.create("Account", Name=f"n{number}")
    ended, log = run_logged(org, QUERY, *keys)
    assert ended.code == 0, ended.err
    assert ended.counts("written") == (3,)
    assert len(log.of(QUERY_JOB, "POST")) == jobs


def test_serial_requests_are_made_one_after_the_other(org, run_logged):
    ended, log = run_logged(org, UPSERT, "batch_size: 1", "concurrency: serial")
    assert ended.code == 0, ended.err
    assert len(log.of(COLLECTIONS)) == 6
    assert log.overlapping(COLLECTIONS) == 0


@pytest.mark.parametrize(("all_or_none", "created"), [("true", 4), ("false", 5)])
def test_one_bad_row_undoes_its_request_with_all_or_none(org, run_logged, all_or_none, created):
    keys = ("batch_size: 2", f"all_or_none: {all_or_none}")
    ended, _ = run_logged(org, UPSERT, *keys, rows=ONE_BAD_ROW)
    assert ended.code == 3, ended.err
    assert ended.counts("created", "failed") == (created, 6 - created)
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": created}]


@pytest.mark.parametrize(("hard", "left"), [("true", 0), ("false", 1)])
def test_only_a_hard_delete_skips_the_recycle_bin(org, run_logged, hard, left):
    record_id = org.create("Account", Name="Gone")
    task = "- name: load\n  delete: Account\n  from: a.csv\n"
    ended, log = run_logged(org, task, f"hard: {hard}", rows=f"Id\n{record_id}\n")
    assert ended.code == 0, ended.err
    assert len(log.of(INGEST, "POST")) == (1 if hard == "true" else 0)
    query = {"q": "SELECT Id FROM Account"}
    found = org.request("GET", "/services/data/v62.0/queryAll", params=query).json()
    assert found["totalSize"] == left


@BOTH
@pytest.mark.parametrize(("deleted", "names"), [("true", ["Gone", "Here"]), ("false", ["Here"])])
def test_deleted_records_are_found_where_the_job_says_so(
    bench, org, run_logged, api, deleted, names
):
    org.create("Account", Name="Here")
    gone = org.create("Account", Name="Gone")
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{gone}")
    ended, log = run_logged(org, QUERY, f"api: {api}", f"deleted: {deleted}")
    assert ended.code == 0, ended.err
    with (bench.folder / "out.csv").open(encoding="utf-8", newline="") as lines:
        assert sorted(row["Name"] for row in csv.DictReader(lines)) == names
    if api == "rest":
        assert bool(log.of("/queryAll")) == (deleted == "true")


@OVER_BULK
@pytest.mark.parametrize(
    ("keys", "utc"),
    [
        ([], "2024-07-01T10:00:00.000+0000"),
        (["timezone: Europe/Berlin"], "2024-07-01T08:00:00.000+0000"),
        (["timezone: America/New_York"], "2024-07-01T14:00:00.000+0000"),
    ],
)
def test_a_datetime_without_a_zone_is_of_the_jobs_timezone(org, run_logged, api, keys, utc):
    rows = "Name,ERP_Id__c,Checked__c\na,E1,2024-07-01 10:00:00\n"
    ended, _ = run_logged(org, UPSERT, f"api: {api}", *keys, rows=rows)
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Checked__c FROM Account") == [{"Checked__c": utc}]


@pytest.mark.parametrize(("allow", "created"), [("true", 1), ("false", 0)])
def test_what_a_duplicate_rule_warns_of_is_saved_where_the_job_says_so(
    serve_org, run_logged, allow, created
):
    org = serve_org(org_file=DUPLICATE_RULE)
    org.create("Account", Name="Twin")
    ended, _ = run_logged(
        org,
        UPSERT,
        f"options: {{duplicate_rule_allow_save: {allow}}}",
        rows="Name,ERP_Id__c\nTwin,E1\n",
    )
    assert ended.counts("created", "failed") == (created, 1 - created), ended.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 1 + created}]


def test_above_max_failures_no_further_request_is_made(org, run_logged):
    keys = ("batch_size: 1", "concurrency: serial", "max_failures: 0")
    ended, log = run_logged(org, UPSERT, *keys, rows=ONE_BAD_ROW)
    assert ended.code == 1, ended.err
    assert len(log.of(COLLECTIONS)) == 1
    assert ended.counts("failed", "unprocessed") == (1, 5)
    assert len(ended.rows("unprocessed")) == 5


@pytest.mark.parametrize(("kind", "code"), [("daily_limit", 5), ("stale_session", 4)])
def test_what_every_further_request_would_meet_ends_the_run(org, run_logged, kind, code):
    org.fault(kind=kind, path=COLLECTIONS)
    more = UPSERT.replace("load", "more")
    ended, log = run_logged(org, UPSERT + "  on_error: continue\n" + more)
    assert ended.code == code, ended.err
    assert [task["status"] for task in ended.document["tasks"]] == ["failed", "skipped"]
    assert ended.task("more")["message"] == "not run: load did not succeed"
    assert len(log.of(COLLECTIONS)) <= 2


def test_a_query_over_rest_ends_at_its_timeout(bench, org, run_logged):
    org.create("Account", Name="Slow")
    org.fault(kind="slow", path="/query", bytes_per_second=100)
    ended, _ = run_logged(org, QUERY, "api: rest", "timeout: 1s")
    assert ended.code == 5, ended.err
    assert ended.task("load")["message"] == "Task 'load' took longer than its timeout of 1 s."
    assert not (bench.folder / "out.csv").exists()


def test_a_task_that_needs_nothing_is_not_skipped_by_anothers_failure(bench, org):
    bench.write("bad.csv", "Name\n" + "x" * 300 + "\n")
    bench.write("a.csv", "Name\nAcme\n")
    tasks = """
- name: fails
  create: Account
  from: bad.csv
- name: waits
  create: Account
  from: a.csv
- name: free
  create: Account
  from: a.csv
  needs: []
- name: after_free
  create: Account
  from: a.csv
  needs: [free]
- name: after_failure
  create: Account
  from: a.csv
  needs: [fails]
"""
    ended = bench.run("run", bench.job(tasks), "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    status = {task["name"]: task["status"] for task in ended.document["tasks"]}
    assert status == {
        "fails": "failed",
        "waits": "skipped",
        "free": "done",
        "after_free": "done",
        "after_failure": "skipped",
    }
