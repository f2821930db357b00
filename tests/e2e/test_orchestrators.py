"""The page on Airflow, Dagster and Prefect: its own code runs under the real packages.

They are in the extra `test-orchestrators`, best in an environment of its own; CONTRIBUTING.md has
the commands. The code that all three share is tested without them.
"""

import importlib.util
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner import api
from runner.errors import ExitCode
from runner.state.run_records import RunState

PAGE = Path(__file__).parents[2] / "docs/how-to/run-from-airflow-dagster-prefect.md"
JOB = """\
version: 1
name: accounts
connection: {environment: local}
tasks:
  - {name: load, create: Account, from: a.csv, fields: {Name: Name}, api: bulk}
"""
NAMES = [f"A{number}" for number in range(5)]
OFFLINE = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "DO_NOT_TRACK": "1",
}


@pytest.fixture
def site(bench):
    """The files of the page, with a job of this test and retries that wait for nothing."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = r"^```python\n# (\S+)\n(.*?)^```$"
    for name, code in re.findall(blocks, text, re.DOTALL | re.MULTILINE):
        here = code.replace("/opt/sync/jobs", str(bench.folder))
        for wait in ("minutes=10", "seconds_to_wait=600", "retry_delay_seconds=600"):
            here = here.replace(wait, re.sub(r"\d+", "0", wait))
        bench.write(name, here)
    bench.write("accounts.yaml", JOB)
    bench.write("a.csv", "\n".join(["Name", *NAMES]) + "\n")
    bench.write("dagster.yaml", "telemetry: {enabled: false}\n")
    homes = {f"{each}_HOME": str(bench.folder) for each in ("AIRFLOW", "DAGSTER", "PREFECT")}
    places = {f"AIRFLOW__CORE__{each.upper()}_FOLDER": each for each in ("dags", "plugins")}
    places = {name: str(bench.folder / each) for name, each in places.items()}
    bench.env |= {"PYTHONPATH": str(bench.folder), **homes, **places, **OFFLINE}
    return bench


def module_of(site, name):
    spec = importlib.util.spec_from_file_location(name, site.folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_they_share_follows_a_run_and_tells_its_end(site, org, caplog):
    sync = module_of(site, "sync")
    caplog.set_level(logging.INFO)
    job = site.folder / "accounts.yaml"

    def follow():
        return sync.follow(api.run(job, state_dir=site.state), logging.getLogger("task"))

    org.fault(kind="daily_limit", method="PUT", times=1)
    with pytest.raises(sync.Unsuccessful, match="exit 5") as raised:
        follow()
    (run,) = api.history("accounts", state_dir=site.state)
    assert (raised.value.is_temporary, raised.value.run_id) == (True, run.run_id)
    done = {"run_id": run.run_id, "exit_code": 0, "rows": {"load": 5}, "failed": 0}
    assert follow() == done
    assert f"run {run.run_id}: done (exit 0)" in caplog.messages
    assert sorted(each["Name"] for each in org.rows("SELECT Name FROM Account")) == NAMES

    (site.folder / "a.csv").write_text(f"Name\nfits\n{'x' * 300}\n", encoding="utf-8")
    end = follow()
    assert (end["exit_code"], end["rows"], end["failed"]) == (3, {"load": 1}, 1)
    sync.ACCEPTED.remove(ExitCode.PARTIAL)
    with pytest.raises(sync.Unsuccessful, match="exit 3") as raised:
        follow()
    assert not raised.value.is_temporary
    (site.folder / "a.csv").unlink()
    with pytest.raises(sync.Unsuccessful) as raised:
        follow()
    assert (raised.value.exit_code, raised.value.run_id) == (ExitCode.INVALID, None)


def real(package):
    """Tests with a real package are slow, and skipped where it is not installed."""
    absent = importlib.util.find_spec(package) is None
    why = f"{package} is not installed: it is in the extra `test-orchestrators`"
    return lambda test: pytest.mark.slow(pytest.mark.skipif(absent, reason=why)(test))


def started(site, *command, out=subprocess.PIPE):
    """A process of this environment in a group of its own, with both streams as one."""
    process = subprocess.Popen(
        command,
        cwd=site.folder,
        env=site.environ() | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    site.started.append(process)
    return process


def ended(site, *command):
    """What a command wrote."""
    return started(site, *command).communicate()[0]


def python(text):
    return sys.executable, "-c", text


def until_stalled(org, process):
    """Wait until the org works on a Bulk job."""
    states: list[str] = []
    while "InProgress" not in states:
        assert process.poll() is None, "it ended before"
        answer = org.request("GET", "/services/data/v62.0/jobs/ingest").json()
        states = [each["state"] for each in answer["records"]]


def limit_once_then_stall(org):
    """The first attempt ends with exit 5; the second does not end."""
    org.fault(kind="daily_limit", method="PUT", times=1)
    org.stall_jobs()


def the_run(site, state):
    """The only run, which is in this state."""
    (run,) = api.history("accounts", state_dir=site.state)
    assert run.state is state
    return run


def assert_sent_once(org):
    assert sorted(each["Name"] for each in org.rows("SELECT Name FROM Account")) == NAMES


@real("dagster")
def test_dagster_retries_resumes_and_terminates(site, org):
    materialize = python("""
import json, dagster as dg, accounts_dagster
done = dg.materialize([accounts_dagster.accounts], raise_on_error=False)
found = done.asset_materializations_for_node("accounts") if done.success else []
failures = [each.step_failure_data.user_failure_data for each in done.all_events
            if each.is_step_failure]
print("\\n" + json.dumps({
    "tries": 1 + sum(each.is_step_up_for_retry for each in done.all_events),
    "metadata": [{k: v.value for k, v in (each.metadata).items()} for each in found],
    "failures": [{k: v.value for k, v in each.metadata.items()} for each in failures if each],
}))
""")
    limit_once_then_stall(org)
    process = started(site, *materialize)
    until_stalled(org, process)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[0]
    assert "exit 5" in said
    run = the_run(site, RunState.ABORTED)
    org.go_on()
    end = json.loads(ended(site, *materialize).splitlines()[-1])
    expected = {"run_id": run.run_id, "exit_code": 0, "rows": {"load": 5}, "failed": 0}
    assert end == {"tries": 1, "metadata": [expected], "failures": []}
    assert_sent_once(org)
    (site.folder / "a.csv").unlink()
    end = json.loads(ended(site, *materialize).splitlines()[-1])
    assert (end["tries"], end["failures"]) == (1, [{"run_id": "not started", "exit_code": 2}])


@real("prefect")
def test_prefect_retries_resumes_and_terminates(site, org):
    run_flow = python("""
import json, accounts_prefect
state = accounts_prefect.accounts(return_state=True)
end = state.result(raise_on_failure=False)
print("\\n" + json.dumps({"state": state.type, "end": end}, default=str))
""")
    limit_once_then_stall(org)
    log = site.folder / "flow.log"
    with log.open("w") as out:
        process = started(site, *run_flow, out=out)
        until_stalled(org, process)
        process.send_signal(signal.SIGTERM)
        process.wait()
    # Prefect leaves the temporary server of a terminated flow behind.
    os.killpg(process.pid, signal.SIGKILL)
    assert "exit 5" in log.read_text("utf-8")
    run = the_run(site, RunState.ABORTED)
    org.go_on()
    end = json.loads(ended(site, *run_flow).splitlines()[-1])
    expected = {"run_id": run.run_id, "exit_code": 0, "rows": {"load": 5}, "failed": 0}
    assert end == {"state": "COMPLETED", "end": expected}
    assert_sent_once(org)
    (site.folder / "a.csv").unlink()
    said = ended(site, *run_flow)
    assert json.loads(said.splitlines()[-1])["state"] == "FAILED"
    assert "Retry" not in said


@real("airflow")
def test_airflow_retries_resumes_stops_and_waits_for_the_end(site, org):
    ended(site, "airflow", "db", "migrate")
    limit_once_then_stall(org)
    process = started(site, "airflow", "dags", "test", "accounts")
    until_stalled(org, process)
    process.send_signal(signal.SIGTERM)
    before = []
    for line in process.stdout:
        before.append(line)
        if "exit 130" in line:
            break
    org.go_on()
    after = process.communicate()[0]
    run = the_run(site, RunState.FINISHED)
    assert "exit 5" in "".join(before)
    assert f"Returned value was: {{'run_id': '{run.run_id}', 'exit_code': 0" in after
    assert "state=success" in after
    assert_sent_once(org)
    said = ended(site, "airflow", "dags", "test", "after_accounts")
    assert "running trigger in line" in said
    assert "state=success" in said
    (site.folder / "a.csv").unlink()
    said = ended(site, "airflow", "dags", "test", "accounts")
    assert "state=failed" in said
    assert "up_for_retry" not in said
