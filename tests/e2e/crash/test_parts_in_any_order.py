"""What the ledger has of any part is accounted for, whatever ends a run or a resume before it.

Parts are small here (see `driver.py`): the rows of a Bulk write are a dozen jobs, and a task over
REST is as many batches.
"""

import csv
import shutil
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.e2e.apis import OVER_BULK
from tests.short_form import slow

ROWS = 1_500
PART = "- name: load\n  {verb}: Account\n{key}  from: a.csv\n  api: {api}\n{more}"
RETRY = "  retry: {attempts: 3, longest_wait: 1s}\n"


def rows_of(task, status):
    with (Path(task["results"]) / f"{status}.csv").open(encoding="utf-8", newline="") as lines:
        return [row["ERP_Id__c"] for row in csv.DictReader(lines)]


def task_of(ended):
    (task,) = ended.document["tasks"]
    return task


@pytest.fixture
def load(bench, org, killer):
    """Makes a job over a source of many parts; runs a verb on it."""
    killer.env["T"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"

    def make(verb="upsert", api="bulk", more=RETRY, broken=()):
        key = "  key: ERP_Id__c\n" if verb == "upsert" else ""
        tier = ["Nickel" if n in broken else "Gold" for n in range(ROWS)]
        lines = [f"n {n},E{n:05},{tier[n]}\n" for n in range(ROWS)]
        bench.write("a.csv", "Name,ERP_Id__c,Tier__c\n" + "".join(lines))
        job = bench.job(PART.format(verb=verb, key=key, api=api, more=more), connection=connection)

        def run(*words, kill_at=None):
            words = [job if word == "JOB" else word for word in words]
            state = bench.folder / "states"
            return killer.run(*words, "-o", "json", state=state, kill_at=kill_at)

        return run

    return make


@pytest.fixture
def faults(org):
    """Set faults on the org, one set after another."""

    def set_faults(*rules):
        org.request("DELETE", "/__org/faults")
        for rule in rules:
            org.fault(**rule)

    return set_faults


@pytest.mark.parametrize("verb", ["create", *slow("upsert")])
def test_a_resume_that_stops_early_accounts_for_later_parts(load, faults, verb):
    run = load(verb, broken=range(ROWS - 300, ROWS - 282))
    faults({"kind": "job_stalls", "nth": 1})
    first = task_of(run("run", "JOB", "--timeout", "4s"))
    known = rows_of(first, "succeeded") + rows_of(first, "failed")
    assert known, "parts have ended"
    # The resume cannot ask for the one part that is left, and stops there.
    faults({"kind": "daily_limit", "path": "jobs/ingest"})
    again = run("resume")
    assert again.code == 5, again.err + again.out
    second = task_of(again)
    assert set(rows_of(second, "succeeded")) >= set(rows_of(first, "succeeded"))
    assert rows_of(second, "failed") == rows_of(first, "failed")
    assert second["counts"]["unprocessed"] == first["counts"]["unprocessed"]
    assert second["counts"]["in_doubt"] == first["counts"]["in_doubt"]
    faults()
    last = task_of(run("resume"))["counts"]
    assert (last["created"], last["failed"]) == (ROWS - 18, 18)


def test_a_resume_that_meets_max_failures_accounts_for_later_batches(load, org):
    few = "  batch_size: 50\n  max_failures: 10\n"
    run = load("create", "rest", more=few, broken=range(50))
    ended = run("run", "JOB")
    assert ended.code == 1, ended.err + ended.out
    for back in range(4, 64, 4):  # how many batches are in flight differs from run to run
        assert org.request("POST", "/__org/reset").status_code == 204
        killed = run("run", "JOB", "--anew", kill_at=ended.points - back)
        if killed.code == -9:
            break
    assert killed.code == -9, killed.out
    there = org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"]
    assert there, "batches in flight were answered"
    counts = task_of(run("resume"))["counts"]
    assert (counts["created"], counts["in_doubt"], counts["failed"]) == (there, 0, 50)
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": there}]


def test_rows_refused_for_now_count_as_refused_where_they_are_not_sent_again(load, faults):
    run = load("create")
    no_more_jobs = {"kind": "daily_limit", "path": "jobs/ingest$", "method": "POST", "after": 4}
    faults({"kind": "lock_rows", "times": 40}, no_more_jobs)
    ended = run("run", "JOB")
    assert ended.code == 5, ended.err + ended.out
    counts = task_of(ended)["counts"]
    assert counts["failed"] == 40
    assert counts["created"] + counts["unprocessed"] == ROWS - 40
    faults()
    assert task_of(run("resume"))["counts"]["created"] == ROWS


def test_a_resume_that_cannot_begin_reports_what_was_known(load, faults, bench):
    run = load("create")
    faults({"kind": "job_stalls", "nth": 2})
    known = task_of(run("run", "JOB", "--timeout", "4s"))
    (bench.folder / "a.csv").write_text("Name,ERP_Id__c,Tier__c\nother,E1,Gold\n")
    [kept] = bench.folder.rglob("rows/index.json")
    kept.unlink()
    ended = run("resume")
    assert ended.code == 2, ended.out
    refused = task_of(ended)
    assert "its source has changed" in refused["message"]
    assert (refused["counts"], refused["results"]) == (known["counts"], known["results"])


@OVER_BULK
def test_a_run_that_is_abandoned_says_what_is_known_of_its_rows(load, org, killer, bench, api):
    run = load("create", api)
    points = run("run", "JOB").points
    assert org.request("POST", "/__org/reset").status_code == 204
    # How often a job is asked for its state, and with it the number of points, is by chance.
    run("run", "JOB", kill_at=points - {"rest": 16, "bulk": 40}[api])
    words = ("resume", "--abandon")
    told = killer.run(*words, state=bench.folder / "states").out
    assert "  load: rows 1 to " in told
    assert " succeeded, 0 failed" in told


@pytest.mark.parametrize("attempts", [3, *slow(1)])
def test_a_kill_right_after_a_job_was_aborted_leaves_no_row_in_doubt(load, org, bench, attempts):
    run = load("create", more=f"  concurrency: serial\n  retry: {{attempts: {attempts}}}\n")
    for point in range(30, 60):
        assert run("run", "JOB", "--anew", kill_at=point).code == -9
        with closing(connect(bench.folder / "states" / "ledger.sqlite")) as ledger, ledger:
            known = ledger.execute("SELECT bulk_job_id FROM parts WHERE state = 'Open'").fetchall()
        if known:
            break
    # As a resume does; the ledger is not told.
    place = f"/services/data/v68.0/jobs/ingest/{known[-1][0]}"
    assert org.request("PATCH", place, json={"state": "Aborted"}).status_code == 200
    ended = run("resume")
    assert ended.code == 0, ended.err + ended.out
    assert task_of(ended)["counts"]["created"] == ROWS
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": ROWS}]


def test_an_older_copy_of_the_state_folder_does_not_double_creates(load, org, bench):
    run = load("create")
    names = "".join(f"a name without a unique value, {n:05}\n" for n in range(ROWS))
    bench.write("a.csv", "Name\n" + names.replace(", ", " "))
    assert run("run", "JOB", kill_at=60).code == -9
    shutil.copytree(bench.folder / "states", bench.folder / "copy")
    assert task_of(run("resume"))["counts"]["created"] == ROWS
    shutil.rmtree(bench.folder / "states")
    shutil.move(bench.folder / "copy", bench.folder / "states")
    ended = run("resume")
    assert ended.code == 1, ended.err + ended.out
    counts = task_of(ended)["counts"]
    assert counts["in_doubt"]
    assert counts["created"] + counts["in_doubt"] + counts["unprocessed"] == ROWS
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": ROWS}]
    # By chance, the copy knows a job of which nothing came, because another one took its place.
    said = task_of(ended)["message"]
    assert "does not know it" in said or "rows without a result" in said
