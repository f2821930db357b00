"""A run with `undo: true` or its undo is killed at any point; called again, all is as it was."""

import random
import sys

import pytest

SAMPLE = 1
SEED = 20261123
ROWS, SEEDS = 450, 220
JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  undo: true
  api: {api}
  retry: {{attempts: 4, longest_wait: 1s}}
"""


class Undone:
    """One job on one org, run, undone and compared again and again."""

    def __init__(self, bench, org, killer, api):
        killer.env["T"] = org.token
        connection = f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"
        self.bench, self.org, self.killer = bench, org, killer
        self.job = bench.job(JOB.format(api=api), connection=connection)
        lines = "".join(f"E{n:04},n {n},0{n}\n" for n in range(ROWS))
        bench.write("a.csv", f"ERP_Id__c,Name,Phone\n{lines}")
        self.number = 0

    def prepare(self):
        """The org as it is before each run, and a state folder of its own."""
        self.number += 1
        assert self.org.request("POST", "/__org/reset").status_code == 204
        for start in range(0, SEEDS, 200):
            records = [
                {"attributes": {"type": "Account"}, "Name": f"old {n}", "ERP_Id__c": f"E{n:04}"}
                for n in range(start, min(start + 200, SEEDS))
            ]
            body = {"allOrNone": True, "records": records}
            self.org.request("POST", "/services/data/v62.0/composite/sobjects", json=body)
        return self.bench.folder / "states" / str(self.number), self.picture()

    def picture(self):
        return sorted(map(str, self.org.rows("SELECT Id, Name, ERP_Id__c, Phone FROM Account")))

    def command(self, *words, state, kill_at=None):
        return self.killer.run(*words, "-o", "json", state=state, kill_at=kill_at)

    def undo(self, run_id, state):
        ended = self.command("undo", run_id, "--yes", state=state)
        assert ended.code == 0, ended.err + ended.out


@pytest.fixture(params=[pytest.param("rest", marks=pytest.mark.slow), "bulk"])
def undone(request, bench, serve_org, killer):
    org = serve_org("--daily-api-requests", "1000000")  # the slow test makes 850 runs
    return Undone(bench, org, killer, request.param)


def run_killed(undone, at):
    """Whatever was read before the kill is what comes back, never what the run wrote."""
    state, before = undone.prepare()
    ended = undone.command("run", undone.job, state=state, kill_at=at)
    if ended.code == -9:
        ended = undone.command("resume", state=state)
    if ended.code == 2:  # nothing to resume: nothing was sent, or the run had come to its end
        ended = undone.command("show", "last", state=state)
    if undone.picture() != before:
        assert ended.code == 0, ended.err + ended.out
        undone.undo(ended.document["run_id"], state)
    assert undone.picture() == before, f"killed at point {at}"


def open_jobs(org):
    jobs = org.request("GET", "/services/data/v68.0/jobs/ingest").json()["records"]
    return [each for each in jobs if each["state"] == "Open"]


def undo_killed(undone, at):
    state, before = undone.prepare()
    run_id = undone.command("run", undone.job, state=state).document["run_id"]
    assert undone.command("undo", run_id, "--yes", state=state, kill_at=at).code in {0, -9}
    undone.undo(run_id, state)
    assert undone.picture() == before, f"killed at point {at}"
    assert not open_jobs(undone.org), f"killed at point {at}"
    assert not list(state.glob("runs/*/*/staging")), f"killed at point {at}"


def points_of(undone):
    """How many points a run has, and its undo."""
    state, _ = undone.prepare()
    ran = undone.command("run", undone.job, state=state)
    undo = undone.command("undo", ran.document["run_id"], "--yes", state=state)
    return ran.points, undo.points


def test_a_sample_of_points(undone):
    chance = random.Random(SEED)  # noqa: S311 - a sample that repeats
    of_run, of_undo = points_of(undone)
    for at in chance.sample(range(1, of_run + 1), SAMPLE):
        run_killed(undone, at)
    for at in chance.sample(range(1, of_undo + 1), SAMPLE):
        undo_killed(undone, at)
    state, _ = undone.prepare()
    first = undone.command("run", undone.job, state=state).document["run_id"]
    undone.command("undo", first, "--yes", state=state, kill_at=of_undo // 2)
    after = undone.command("run", undone.job, state=state)
    assert after.code == 0, "an undo that died is nothing for a run to go on with"


@pytest.mark.parametrize("undone", ["bulk"], indirect=True)
def test_the_next_undo_aborts_the_job_that_a_killed_one_left_open(undone):
    state, _ = undone.prepare()
    run_id = undone.command("run", undone.job, state=state).document["run_id"]
    for at in range(36, 200, 2):
        assert undone.command("undo", run_id, "--yes", state=state, kill_at=at).code == -9
        if open_jobs(undone.org):
            break
    undone.undo(run_id, state)
    assert not open_jobs(undone.org)


@pytest.mark.slow
def test_every_point(undone, capsys):
    of_run, of_undo = points_of(undone)
    for at in range(1, of_run + 1):
        run_killed(undone, at)
    for at in range(1, of_undo + 1):
        undo_killed(undone, at)
    with capsys.disabled():
        sys.stdout.write(f"\nkilled at each of {of_run} points of a run, {of_undo} of its undo\n")
