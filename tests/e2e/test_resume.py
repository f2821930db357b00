"""Unfinished runs: resumed, abandoned, or refused with what to do."""

import json
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Bench
from tests.short_form import slow

LOAD = """
- name: load
  create: Account
  from: a.csv
  api: bulk
- name: list
  query: SELECT Name FROM Account ORDER BY Name
  to: out/list.csv
"""


def write_rows(bench, count=10, name="n"):
    bench.write("a.csv", "Name\n" + "".join(f"{name} {n}\n" for n in range(count)))


def latest(bench):
    return json.loads(bench.run("history", "-o", "json").out)["runs"][0]


def stop_midway(bench, org, job, number=signal.SIGKILL):
    """End a run while its Bulk job is at work."""
    process = bench.begin("run", job, "-v")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    process.send_signal(number)
    process.communicate(timeout=60)
    org.go_on()
    return process.returncode


@pytest.fixture
def stalled_org(org):
    org.stall_jobs()
    return org


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), *slow((signal.SIGINT, 130))]
)
def test_a_stopped_run_is_resumed_and_its_job_not_sent_again(bench, stalled_org, number, code):
    write_rows(bench)
    assert stop_midway(bench, stalled_org, bench.job(LOAD), number) == code
    if number != signal.SIGKILL:
        known = json.loads(bench.run("show", "last", "-o", "json").out)["tasks"][0]["outcome"]
        assert known["counts"]["in_doubt"] == 10
        files = {each.name for each in Path(known["results"]).glob("*.csv")}
        assert files == {"succeeded.csv", "failed.csv"}, "the other rows are only counted"
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 10
    assert len(ended.task("load")["bulk_job_ids"]) == 1
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]
    assert (bench.folder / "out/list.csv").read_text().count("\n") == 11
    again = bench.run("resume")
    assert again.code == 2
    assert "nothing to resume" in again.err


def test_a_second_signal_leaves_at_once_and_the_run_is_still_resumed(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"E{n},n {n}\n" for n in range(100)))
    job = bench.job("- name: load\n  create: Account\n  from: a.csv\n  api: rest\n")
    # Carried out, and the answer takes minutes: longer than a first signal would wait.
    org.fault(kind="slow", path="/composite/sobjects", bytes_per_second=1, times=1)
    process = bench.start("run", job)
    while org.rows("SELECT COUNT(Id) n FROM Account") != [{"n": 100}]:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if line.startswith("stopping"):
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert latest(bench)["state"] == "died", "it wrote nothing more"
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 100
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 100}]


def test_the_next_run_of_the_job_finishes_the_unfinished_one_and_says_so(bench, stalled_org):
    write_rows(bench)
    job = bench.job(LOAD)
    stop_midway(bench, stalled_org, job)
    died = latest(bench)["run_id"]
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.document["run_id"] == died
    assert f"run {died} did not finish, so it is resumed" in ended.err
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]


def test_a_job_that_changed_is_refused_until_the_run_is_given_up(bench, stalled_org):
    write_rows(bench)
    stop_midway(bench, stalled_org, bench.job(LOAD))
    job = bench.job(LOAD, head="description: changed\n")
    for words in (("resume",), ("run", job)):
        refused = bench.run(*words)
        assert refused.code == 2, refused.err
        assert "the job file has changed" in refused.err
        assert "--abandon" in refused.err
    given_up = bench.run("resume", "--abandon")
    assert given_up.code == 0, given_up.err
    assert "rows 1 to 10 may have reached the org" in given_up.out
    assert bench.run("resume").code == 2


def test_a_resume_sends_the_rows_that_were_read_though_the_file_was_replaced(bench, stalled_org):
    write_rows(bench)
    stop_midway(bench, stalled_org, bench.job(LOAD))
    write_rows(bench, name="other")
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err
    assert resumed.document["tasks"][0]["counts"]["created"] == 10
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account WHERE Name LIKE 'other%'") == [
        {"n": 0}
    ]
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]


def test_run_anew_gives_the_unfinished_run_up(bench, stalled_org):
    write_rows(bench)
    job = bench.job(LOAD)
    stop_midway(bench, stalled_org, job)
    died = latest(bench)["run_id"]
    ended = bench.run("run", job, "--anew", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["run_id"] != died
    assert bench.run("resume", died).code == 2


def test_another_org_is_refused(bench, stalled_org):
    write_rows(bench)
    stop_midway(bench, stalled_org, bench.job(LOAD))
    with closing(sqlite3.connect(bench.state / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE runs SET org_id = '00D000000000XXX'")
    ledger.close()
    refused = bench.run("resume")
    assert refused.code == 2, refused.err
    assert "used org 00D000000000XXX" in refused.err


def test_unknown_and_finished_runs_are_refused(bench, org):
    write_rows(bench)
    assert bench.run("resume").code == 2
    assert bench.run("run", bench.job(LOAD)).code == 0
    finished = latest(bench)["run_id"]
    refused = bench.run("resume", finished)
    assert refused.code == 2
    assert f"runner retry {finished}" in refused.err
    assert bench.run("resume", "nope").code == 2


def test_a_run_out_of_time_is_resumable(bench, stalled_org):
    write_rows(bench)
    job = bench.job(LOAD)
    ended = bench.run("run", job, "--timeout", "2s", "-o", "json")
    assert ended.code == 5, ended.err
    assert "--timeout" in ended.task("load")["message"]
    stalled_org.go_on()
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 10
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]
    assert bench.run("run", job, "--timeout", "soon").code == 2


def test_the_daily_limit_in_the_middle_is_resumable(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"E{n},n {n}\n" for n in range(5_000)))
    fault = {"kind": "daily_limit", "path": "composite/sobjects", "after": 9}
    rule = org.request("POST", "/__org/faults", json=fault).json()["ids"][0]
    job = bench.job("- name: load\n  create: Account\n  from: a.csv\n  api: rest\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err
    sent = ended.task("load")["counts"]["created"]
    assert 0 < sent < 5_000
    org.request("DELETE", f"/__org/faults/{rule}")
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 5_000
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 5_000}]


def test_an_undo_says_that_rows_of_an_abandoned_run_are_unknown(bench, stalled_org):
    write_rows(bench)
    assert stop_midway(bench, stalled_org, bench.job(LOAD), signal.SIGTERM) == 143
    assert bench.run("resume", "--abandon").code == 0
    undone = bench.run("undo", "last", "--yes")
    assert undone.code == 3, undone.err + undone.out
    assert "load: what it wrote is unknown" in undone.out + undone.err


@pytest.mark.parametrize("kind", ["answer_lost", "reset_after"])
def test_a_lost_create_is_found_by_its_unique_field(bench, org, kind):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"E{n},n {n}\n" for n in range(600)))
    fault = {"kind": kind, "path": "/composite/sobjects", "method": "POST", "nth": 2}
    org.request("POST", "/__org/faults", json=fault)
    job = bench.job("- name: load\n  create: Account\n  from: a.csv\n  api: rest\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 600
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 600}]


def test_a_job_whose_making_was_not_answered_is_not_left_open(bench, org):
    write_rows(bench)
    for kind in ("answer_lost", "reset_after"):
        fault = {"kind": kind, "path": "/jobs/ingest$", "method": "POST", "nth": 1}
        org.request("POST", "/__org/faults", json=fault)
    assert bench.run("run", bench.job(LOAD)).code == 0
    jobs = org.request("GET", "/services/data/v68.0/jobs/ingest").json()["records"]
    assert {job["state"] for job in jobs} == {"Aborted", "JobComplete"}


def test_retry_sends_the_failed_rows_only(bench, org):
    bench.write("a.csv", "company,tier\na,Gold\nb,Wood\nc,Iron\n")
    job = bench.job(
        "- name: load\n  create: Account\n  from: a.csv\n"
        "  fields: {Name: company, Tier__c: tier}\n"
        "- name: list\n  query: SELECT Id FROM Account\n  to: out/list.csv\n"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    failed = bench.folder / ended.task("load")["results"] / "failed.csv"
    failed.write_text(failed.read_text().replace("Wood", "Silver"), encoding="utf-8")
    retried = bench.run("retry", "-o", "json")
    assert retried.code == 3, retried.err + retried.out
    assert [task["name"] for task in retried.document["tasks"]] == ["load"]
    assert retried.task("load")["counts"]["read"] == 2
    assert retried.task("load")["counts"]["created"] == 1
    assert org.rows("SELECT Name FROM Account ORDER BY Name") == [{"Name": "a"}, {"Name": "b"}]
    assert bench.run("retry", ended.document["run_id"]).code == 3, "the older run's rows"


def test_retry_reads_failed_rows_that_a_spreadsheet_has_saved(bench, org):
    bench.write("a.csv", "company,tier\nKäse,Wood\nb,Wood\n")
    job = bench.job(
        "- name: load\n  create: Account\n  from: a.csv\n  fields: {Name: company, Tier__c: tier}\n"
    )
    ended = bench.run("run", job, "-o", "json")
    failed = bench.folder / ended.task("load")["results"] / "failed.csv"
    text = failed.read_text(encoding="utf-8").replace("Wood", "Silver")
    saved = text.replace(",", ";").replace("\n", "\r\n")
    failed.write_text(saved, encoding="windows-1252", newline="")
    refused = bench.run("retry")
    assert refused.code == 1
    assert "failed.csv: line 2: byte " in refused.out
    assert "Save it as UTF-8" in refused.out
    failed.write_text(saved, encoding="utf-8-sig", newline="")
    assert bench.run("retry", ended.document["run_id"]).code == 0
    found = org.rows("SELECT Name, Tier__c FROM Account ORDER BY Name")
    assert found == [{"Name": "b", "Tier__c": "Silver"}, {"Name": "Käse", "Tier__c": "Silver"}]


def test_a_retry_says_which_failed_rows_are_gone(bench, org):
    """Rows may be removed on purpose, but not all of them, and not without a word."""
    bench.write("a.csv", "Name,Tier__c\na,Gold\nb,Wood\nc,Iron\n")
    job = bench.job("- {name: load, create: Account, from: a.csv}\n")
    ended = bench.run("run", job, "-o", "json")
    failed = bench.folder / ended.task("load")["results"] / "failed.csv"
    lines = failed.read_text(encoding="utf-8").splitlines(keepends=True)
    for text in (lines[0], ""):
        failed.write_text(text, encoding="utf-8")
        refused = bench.run("retry", ended.document["run_id"])
        assert refused.code == 2, refused.out
        assert "failed.csv has no rows, and 2 rows failed" in refused.err
    failed.write_text("".join(lines[:2]).replace("Wood", "Silver"), encoding="utf-8")
    retried = bench.run("retry", ended.document["run_id"])
    assert retried.code == 0, retried.err
    assert "failed.csv had 1 of the 2 rows that had failed" in retried.err


def test_a_retry_on_another_org_sends_nothing(bench, org, serve_org, tmp_path, warm):
    bench.write("a.csv", "Name,Tier__c\na,Gold\nb,Wood\n")
    elsewhere = Bench(tmp_path / "elsewhere", warm)
    other = serve_org(place=elsewhere)
    for used, word in ((org, "run"), (other, "retry")):
        bench.env["TOKEN"] = used.token
        connection = f"{{environment: local, url: '{used.url}', token: {{env: TOKEN}}}}"
        job = bench.job("- {name: load, create: Account, from: a.csv}\n", connection=connection)
        ended = bench.run(*([word, job] if word == "run" else [word]))
    assert other.rows("SELECT Id FROM Account") == []
    elsewhere.end()
    assert ended.code == 2, ended.err
    assert "used org 00D" in ended.err
    assert "Nothing was sent" in ended.err


def test_a_retry_of_nothing_is_refused(bench, org):
    write_rows(bench)
    assert bench.run("run", bench.job(LOAD)).code == 0
    refused = bench.run("retry")
    assert refused.code == 2
    assert "no failed rows" in refused.err


def test_of_two_runs_at_once_one_waits_and_nothing_is_lost(bench, serve_org):
    org = serve_org("--bulk-pace-seconds", "0.3")
    write_rows(bench)
    job = bench.job(LOAD)
    with ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(bench.run, "run", job, "--wait-lock", "2m", "-o", "json") for _ in range(3)
        ]
        ends = [each.result() for each in runs]
    assert [end.code for end in ends] == [0, 0, 0], [end.err for end in ends]
    assert len({end.document["run_id"] for end in ends}) == 3
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 30}]


def test_two_jobs_on_one_state_folder_run_side_by_side(bench, org):
    write_rows(bench)
    jobs = [bench.job(LOAD.replace("list.csv", f"{n}.csv"), name=f"{n}.yaml") for n in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda job: bench.run("run", job), jobs))
    assert [end.code for end in ends] == [0, 0, 0, 0], [end.err for end in ends]
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 40}]
    assert len(json.loads(bench.run("history", "-o", "json").out)["runs"]) == 4


def test_rows_that_cannot_be_read_twice_are_kept(bench, stalled_org):
    """Standard input is gone after a crash, and an expression of the moment gives another."""
    job = bench.job("""
- name: load
  create: Account
  from: {file: "-", format: csv}
  api: bulk
  fields: {Name: "Name || ' ' || uuid()", Description: "strftime(now(), '%Y-%m-%d %H:%M:%S.%g')"}
""")
    process = bench.start("run", job, "-v", stdin=subprocess.PIPE)
    process.stdin.write("Name\n" + "".join(f"n {n}\n" for n in range(20)))
    process.stdin.close()
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    process.kill()
    process.wait(timeout=60)
    stalled_org.go_on()
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 20
    assert stalled_org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 20}]
    assert not (bench.folder / ended.task("load")["results"] / "rows").exists(), "no longer needed"
