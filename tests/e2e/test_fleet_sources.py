"""Large sources on a Dask cluster: staged by several workers, with the results of one machine."""

import json
import os
import shutil
import signal
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import distributed
import duckdb
import pytest

from runner.runs.fleet import worker
from runner.runs.fleet.run import Fleet, run_on_fleet
from runner.runs.prepare import RunOptions, prepare
from runner.runs.wiring import UserSettings
from runner.state.paths import state_at
from runner.state.run_records import RunRequest
from tests import postgresql
from tests.e2e.fleets import Project, cluster_in, worker_of
from tests.short_form import slow

PARTS = """
- name: load
  upsert: Account
  key: ERP_Id__c
  api: bulk
  from: {file: "*.parquet"}
  fields: {ERP_Id__c: key, Name: upper(name), Score__c: score}
"""
MAKE = """
COPY (
  SELECT CASE WHEN i % 50 = 7 THEN 'k7' ELSE 'k' || i END AS key, 'name ' || i AS name,
    CASE WHEN i = 40 THEN 'much' ELSE CAST(i AS VARCHAR) END AS score
  FROM range({0}, {0} + 100) t(i)
) TO '{1}' (FORMAT parquet)
"""


@contextmanager
def watched(address, told, *, kills="", by=signal.SIGKILL):
    """Have the workers tell where pieces were staged; one of a role dies before it can answer."""

    class Watch(distributed.WorkerPlugin):
        name = "watch"

        def transition(self, key, start, finish, **_):
            if "sfrunner-piece" not in key or (start, finish) != ("executing", "memory"):
                return
            has_job = json.loads(worker.report('{"state": ""}'))["jobs"]
            role = "of the job" if has_job else "of another"
            with told.open("a+") as file:
                file.seek(0)
                is_first = kills and "killed" not in file.read()
                dies = is_first and role == kills
                file.write(f"{'killed' if dies else 'staged'} {role}\n")
            if dies:
                os.kill(os.getpid() if by == signal.SIGKILL else os.getppid(), by)

    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        client.register_plugin(Watch())
        yield
        client.unregister_worker_plugin("watch")


def runs_alone_and_together(project, told, *, kills=""):
    """Run a job as usual, and its copy on a cluster that has several workers stage its source."""
    for name in ("alone", "together"):
        project.org(name, tasks=PARTS)
        for at in range(4):
            duckdb.execute(MAKE.format(at * 100, project.bench.folder / name / f"{at}.parquet"))
    alone = project.bench.run("run", "alone", "-o", "json")
    assert alone.code == 3, alone.err
    state, said = state_at(project.bench.environ()["SFRUNNER_STATE"], {"HOME": "/nowhere"}), []
    options = RunOptions(UserSettings(state), said.append)
    file = project.bench.folder / "together/together.yaml"
    fleet = Fleet(project.address, least_rows=400, few_threads=0)
    with watched(project.address, told, kills=kills):
        jobs = prepare([file], RunRequest(), options)
        (end,) = run_on_fleet(jobs, options, fleet, lambda _: said.append).ends
    assert "one worker" not in str(said)
    roles = Counter(told.read_text().splitlines())
    assert roles["killed of another"] == bool(kills)
    assert roles["staged of the job"] + roles["staged of another"] >= 4
    assert roles["staged of another"] or kills
    expected = alone.document["tasks"][0]
    assert end.tasks[0].counts.created == expected["counts"]["created"] == 392
    return Path(expected["results"]), end


@pytest.mark.parametrize("kills", ["of another", *slow("")])
def test_a_large_source_is_staged_by_several_workers(project, tmp_path, monkeypatch, kills):
    monkeypatch.chdir(project.bench.folder)
    expected, end = runs_alone_and_together(project, tmp_path / "told", kills=kills)
    results = end.tasks[0].results
    for kind in ("succeeded.csv", "failed.csv"):
        assert (results / kind).read_bytes() == (expected / kind).read_bytes()
    assert not (results / "staging").exists()


def test_what_workers_stage_goes_through_the_store(
    tmp_path, warm, serve_org, monkeypatch, postgres, bucket
):
    store, env = bucket
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with cluster_in(tmp_path, 2, **env) as (address, _):
        project = Project(tmp_path, warm, address, serve_org)
        url = f"postgresql://{postgresql.USER}@/postgres?host={postgres}&files={store}"
        project.bench.env |= {**env, "SFRUNNER_STATE": f"{url}&schema=pieces"}
        monkeypatch.chdir(tmp_path)
        expected, end = runs_alone_and_together(project, tmp_path / "told")
        here = next(tmp_path.glob(f"**/runs/{end.run_id}"))
        shutil.rmtree(here)
        shown = project.bench.run("show", end.run_id)
        assert shown.code == 0, shown.err
        for kind in ("succeeded.csv", "failed.csv"):
            assert (here / "load" / kind).read_bytes() == (expected / kind).read_bytes()
        project.end()


@pytest.mark.slow
def test_a_million_rows_are_shared_out(tmp_path, warm, serve_org, monkeypatch):
    """Five workers of one machine; one is killed after it has staged a piece."""
    monkeypatch.chdir(tmp_path)
    make = MAKE.replace("+ 100", "+ 500000").replace("i % 50 = 7", "i % 50000 = 7")
    with cluster_in(tmp_path, 5) as (address, _):
        project = Project(tmp_path, warm, address, serve_org)
        for name in ("alone", "together"):
            project.org(name, tasks=PARTS)
            for at in range(2):
                file = project.bench.folder / name / f"{at}.parquet"
                duckdb.execute(make.format(at * 500_000, file))
        alone = project.bench.run("run", "alone", "-o", "json")
        assert alone.code == 3, alone.err
        options = RunOptions(UserSettings(state_at(str(project.bench.state), {})))
        jobs = prepare([tmp_path / "together/together.yaml"], RunRequest(), options)
        fleet = Fleet(address, few_threads=0)
        with watched(address, tmp_path / "told", kills="of another"):
            (end,) = run_on_fleet(jobs, options, fleet, lambda _: print).ends
        roles = Counter((tmp_path / "told").read_text().splitlines())
        assert roles["killed of another"] == 1
        assert roles["staged of another"] + roles["staged of the job"] >= 4
        expected = alone.document["tasks"][0]
        assert end.tasks[0].counts.created == expected["counts"]["created"] == 1_000_000 - 20
        for kind in ("succeeded.csv", "failed.csv"):
            file = end.tasks[0].results / kind
            assert file.read_bytes() == (Path(expected["results"]) / kind).read_bytes()
        project.end()


@pytest.mark.slow
def test_a_worker_that_is_shut_down_while_others_stage_hands_its_job_on(
    tmp_path, warm, serve_org, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with cluster_in(tmp_path, 0) as (address, _):
        with worker_of(address, tmp_path), worker_of(address, tmp_path):
            project = Project(tmp_path, warm, address, serve_org)
            project.org("one", tasks=PARTS)
            for at in range(4):
                duckdb.execute(MAKE.format(at * 100, tmp_path / "one" / f"{at}.parquet"))
            options = RunOptions(UserSettings(state_at(str(project.bench.state), {})))
            jobs = prepare([tmp_path / "one/one.yaml"], RunRequest(), options)
            fleet = Fleet(address, least_rows=400, few_threads=0)
            with watched(address, tmp_path / "told", kills="of the job", by=signal.SIGTERM):
                (end,) = run_on_fleet(jobs, options, fleet, lambda _: print).ends
        assert "killed of the job" in (tmp_path / "told").read_text()
        assert end.tasks[0].counts.created == 392
        project.end()
