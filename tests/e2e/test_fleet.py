"""Jobs on a Dask cluster: real workers, killed, stopped and refused."""

import json
import os
import random
import signal
import socket
from collections import Counter
from contextlib import ExitStack, suppress

import pytest

from runner.state.paths import state_at
from runner.state.run_records import RunState
from runner.state.store import open_ledger
from tests import postgresql
from tests.e2e.conftest import Bench
from tests.e2e.fleets import CREATE, Project, cluster_in, worker_of
from tests.e2e.warm_process import Warm


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """It has Dask loaded, too."""
    made = Warm(tmp_path_factory.mktemp("warm"), "distributed.client")
    yield made
    made.end()


def names(org):
    return sorted(row["Name"] for row in org.rows("SELECT Name FROM Account"))


def until_stalled(process):
    """Read what a run says until its Bulk job waits in the org; gives that."""
    said = []
    for line in process.stderr:
        said.append(line)
        if "upload" in line.lower() or "InProgress" in line:
            return "".join(said)
    raise AssertionError("".join(said) + process.stdout.read())


MANY_JOBS, MANY_ORGS, MANY_KILLS, MANY_WORKERS, MANY_ROWS = 40, 10, 20, 4, 30
MOST_KILLS_OF_ONE = 3
"""Dask gives a task up whose worker died once more."""


@pytest.mark.slow
@pytest.mark.parametrize("is_shared", [False, True], ids=["folder", "postgresql"])
def test_workers_may_be_killed_at_any_time(tmp_path, warm, serve_org, is_shared):
    with ExitStack() as stack:
        address, _ = stack.enter_context(cluster_in(tmp_path, MANY_WORKERS))
        project = Project(tmp_path, warm, address, serve_org)
        if is_shared:
            socket_folder = stack.enter_context(postgresql.cluster())
            url = f"{postgresql.url_of(socket_folder)}&files=file://{tmp_path}/files"
            project.bench.env["SFRUNNER_STATE"] = url.replace("+psycopg", "")
            project.bench.env["PGPASSWORD"] = "pass-word"
        tasks = CREATE + "- name: more\n  create: Account\n  api: bulk\n  from: b.csv\n"
        orgs = [project.org(f"org{number}") for number in range(MANY_ORGS)]
        wanted = {number: [] for number in range(MANY_ORGS)}
        for job in range(MANY_JOBS):
            place, at = project.places[job % MANY_ORGS], job % MANY_ORGS
            for kind in ("a", "b"):
                rows = [f"{kind}-{job}-{row}" for row in range(MANY_ROWS)]
                place.write(f"{kind}-{job}.csv", "\n".join(["Name", *rows, ""]))
                wanted[at] += rows
            own = tasks.replace("a.csv", f"a-{job}.csv").replace("b.csv", f"b-{job}.csv")
            place.job(own, name=f"job{job}.yaml")
        for number in range(MANY_ORGS):
            (project.places[number].folder / f"org{number}.yaml").unlink()
        words = ("run", ".", "--on", address, "-o", "json", "-v")
        said = stack.enter_context((tmp_path / "said").open("w+"))  # more than a pipe holds
        process = project.bench.start(*words, stdout=said)
        killed = kill_workers(process, state_at(project.bench.environ()["SFRUNNER_STATE"], {}))
        code = process.wait()
        out = (tmp_path / "said").read_text()
        assert code == 0, out
        assert sum(killed.values()) == MANY_KILLS
        ends = json.loads(out)
        assert len(ends) == MANY_JOBS
        assert {each["exit_code"] for each in ends} == {0}
        for number, org in enumerate(orgs):
            assert names(org) == sorted(wanted[number])
        project.end()


def kill_workers(process, state):
    """Kill the worker of a run now and then, until the command ends; which run how often."""
    chance, killed = random.Random(18), Counter()  # noqa: S311 - not for secrets
    due = 10
    with open_ledger(state) as ledger:
        for at, _ in enumerate(process.stderr):
            if at < due or sum(killed.values()) == MANY_KILLS:
                continue
            found = ledger.under_way()
            running = [each for each in found if each.state is RunState.RUNNING]
            victims = [each for each in running if killed[each.job_file] < MOST_KILLS_OF_ONE]
            if victims:
                victim = chance.choice(victims)
                os.kill(victim.process.pid, signal.SIGKILL)
                killed[victim.job_file] += 1
                due = at + chance.randrange(4, 12)
    return killed


def test_jobs_end_as_on_one_machine(project):
    one, two = project.org("one"), project.org("two", f"Name\nAcme\n{'x' * 300}\n")
    project.bench.write(
        "one/two.yaml",
        (project.bench.folder / "one/one.yaml").read_text().replace("a.csv", "b.csv"),
    )
    project.bench.write("one/b.csv", "Name\nCcme\n")
    ended = project.run("one", "two", "-o", "json", "-v")
    assert ended.code == 3, ended.err
    first, second, third = json.loads(ended.out)
    assert [each["exit_code"] for each in (first, second, third)] == [0, 0, 3]
    assert first["job_file"] == str(project.bench.folder / "one/one.yaml")
    assert first["started"] < first["finished"] < second["started"] < second["finished"]
    assert names(one) == ["Acme", "Bcme", "Ccme"]
    assert names(two) == ["Acme"]
    assert "test: load: create Account" in ended.err
    alone = project.bench.run("history", "-o", "json").document["runs"]
    assert len(alone) == 3
    workers = project.fleet()["workers"]
    assert len(workers) == 2
    assert {each["jobs"] == [] and each["project"] for each in workers} == {
        str(project.bench.folder.parent)
    }


def test_a_worker_that_is_killed_is_replaced(project):
    org = project.org("one")
    org.stall_jobs()
    process = project.bench.begin("run", "one", "--on", project.address, "-o", "json", "-v")
    until_stalled(process)
    (run,) = project.fleet()["runs"]
    assert run["state"] == "running"
    assert run["tasks"] == ["load"]
    os.kill(run["pid"], signal.SIGKILL)
    org.go_on()
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["tasks"][0]["counts"]["created"] == 2
    assert json.loads(out)["run_id"] == run["run_id"]
    assert names(org) == ["Acme", "Bcme"]
    assert project.fleet()["runs"] == []


def test_a_second_command_leaves_the_runs_of_the_first_alone(project):
    one, two = project.org("one"), project.org("two")
    one.stall_jobs()
    process = project.bench.begin("run", "one", "--on", project.address, "-o", "json", "-v")
    until_stalled(process)
    (before,) = project.fleet()["runs"]
    assert project.run("two").code == 0
    refused = project.run("one")
    assert refused.code == 11, refused.err
    (after,) = project.fleet()["runs"]
    assert after["pid"] == before["pid"]
    one.go_on()
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert before["run_id"] not in err  # it was not stopped and resumed
    assert json.loads(out)["run_id"] == before["run_id"]
    assert names(one) == names(two) == ["Acme", "Bcme"]


def test_commands_of_one_scheduler_leave_each_others_orgs_alone(project):
    org, bench = project.org("one"), project.bench
    text = (bench.folder / "one/one.yaml").read_text().replace("api: bulk", "api: rest")
    other = bench.write("one/other.yaml", text.replace("a.csv", "b.csv"))
    quick = bench.write("one/quick.yaml", text.replace("a.csv", "c.csv"))
    bench.write("one/b.csv", "Name\nCcme\n")
    bench.write("one/c.csv", "Name\nDcme\n")
    org.stall_jobs()
    words = ("--on", project.address, "-o", "json", "-v")
    first = bench.start("run", "one/one.yaml", *words)
    until_stalled(first)
    second = bench.start("run", other, *words)
    for line in second.stderr:
        if "Another command" in line:
            break
    assert "Another command is running a job of this org; this job waits for it." in line
    assert bench.run("run", quick, "--on", project.address, "--per-org", 2).code == 0
    assert names(org) == ["Dcme"], "it need not wait"
    org.go_on()
    for process in (first, second):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert names(org) == ["Acme", "Bcme", "Ccme", "Dcme"]


def test_ctrl_c_ends_all_in_order(project):
    org = project.org("one")
    org.stall_jobs()
    words = ("run", "one", "--on", "dask:1", "-o", "json", "-v")
    with socket.socket() as other:
        with suppress(OSError):  # then another cluster has it
            other.bind(("127.0.0.1", 8787))
            other.listen()
        process = project.bench.start(*words, start_new_session=True)
        said = until_stalled(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "8787" not in said, "Dask does not complain about another cluster"
    assert json.loads(out)["tasks"][0]["status"] == "aborted"
    assert project.bench.run("fleet").out == "No run is in progress.\n"
    org.go_on()
    ended = project.bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["run_id"] == json.loads(out)["run_id"]
    assert names(org) == ["Acme", "Bcme"]


def test_a_second_ctrl_c_leaves_at_once_and_says_how_to_go_on(project):
    org = project.org("one")
    org.stall_jobs()
    words = ("run", "one", "--on", "dask:1", "-v")
    process = project.bench.start(*words, start_new_session=True)
    until_stalled(process)
    os.killpg(process.pid, signal.SIGINT)
    for line in process.stderr:
        if line.startswith("stopping"):
            break
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)  # workers have its stderr: it waits for them, too
    assert (process.returncode, out.strip()) == (130, "")
    assert err == "quit; `runner resume` continues where it stopped\n"
    org.go_on()


def test_a_worker_that_is_shut_down_hands_its_job_on_and_a_dead_scheduler_leaves_runs_to_resume(
    tmp_path, warm, serve_org
):
    with cluster_in(tmp_path, 0) as (address, scheduler):
        project = Project(tmp_path, warm, address, serve_org)
        org, _ = project.org("one"), project.org("two")
        ended = project.run("one")
        assert ended.code == 5
        assert "has no workers" in ended.err
        project.bench.env.clear()  # wait for workers as long as Dask usually does
        org.stall_jobs()
        with worker_of(address, tmp_path) as first:
            process = project.bench.begin("run", "one", "--on", address, "-o", "json", "-v")
            until_stalled(process)
            run = project.bench.run("fleet", "-o", "json").document["runs"][0]
            first.terminate()
            first.wait(timeout=60)
        org.go_on()
        with worker_of(address, tmp_path, "--no-nanny"):
            out, err = process.communicate()
            assert process.returncode == 0, err
            assert json.loads(out)["run_id"] == run["run_id"]
            assert names(org) == ["Acme", "Bcme"]

            project.bench.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "8s"
            org.stall_jobs()
            process = project.bench.begin("run", "one", "two", "--on", address, "-o", "json", "-v")
            until_stalled(process)
            scheduler.kill()
            out, err = process.communicate()
            assert process.returncode == 1, err
            assert f"The scheduler at {address} does not answer; trying again for a while." in err
            assert f"The scheduler at {address} has lost this job" in out + err
            assert "Not started: " in out + err
            assert "Traceback" not in err
            org.go_on()
        project.end()


def test_what_cannot_run_there_is_refused_before_anything_is_sent(project, tmp_path, warm):
    org = project.org("one")
    bench, job = project.bench, project.bench.folder / "one/one.yaml"

    elsewhere = Bench(tmp_path / "other", warm)
    (elsewhere.folder / ".git").mkdir(parents=True)
    elsewhere.write("one.yaml", job.read_text())
    elsewhere.write("a.csv", "Name\nAcme\n")
    ended = elsewhere.run("run", "one.yaml", "--on", project.address)
    assert ended.code == 2
    assert "does not have one.yaml" in ended.err
    assert "Nothing was sent" in ended.err

    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    usual = bench.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"]
    bench.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "100ms"
    ended = bench.run("run", job, "--on", address)
    assert ended.code == 5
    assert f"The scheduler at {address} does not answer" in ended.err
    waits = f"warning: The scheduler at {address} does not answer: Connection refused. Waiting"
    assert waits in ended.err
    ended = bench.run("fleet", "--on", address)
    assert ended.code == 5
    assert waits in ended.err
    bench.env["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = usual

    for words, said in (
        (("--on", "scheduler:8786"), "is not the address of a scheduler"),
        (("--on", "tcp://scheduler"), "is not the address of a scheduler"),
        (("--on", "tls://127.0.0.1:8786"), "needs certificates"),
        (("--on", project.address, "--dry-run"), "--dry-run and --on contradict"),
        (("--per-org", "2"), "--per-org needs --on"),
    ):
        ended = bench.run("run", job, *words)
        assert ended.code == 2
        assert said in ended.err
    ended = bench.run("fleet", "--on", "dask")
    assert ended.code == 2
    assert names(org) == []
    assert bench.run("history", "-o", "json").document["runs"] == []
