"""Python programs run jobs against the local org."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from runner import api
from runner.errors import ExitCode, JobError, RunnerError, UsageError
from runner.events import RunFinished, RunStarted, TaskFinished, TaskStarted
from runner.outcome import TaskStatus
from runner.state.run_records import RunState

JOB = """\
version: 1
name: accounts
connection: {environment: local}
params:
  name: {type: string}
  names: {type: list of string, default: [x]}
  day: {type: datetime, default: 2026-01-01T00:00:00Z}
tasks:
  - {name: load, create: Account, from: a.csv, fields: {Name: Name}}
  - name: read
    query: |
      SELECT Name FROM Account
      WHERE Name = :name AND Name IN :names AND CreatedDate > :day
    to: out.csv
"""


@pytest.fixture
def job(tmp_path):
    (tmp_path / "a.csv").write_text("Name\nAcme\nGlobex\n", encoding="utf-8")
    file = tmp_path / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    return file


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


PARAMS = {"name": "Acme", "names": ["Acme", "a, b"], "day": datetime(2026, 1, 31, tzinfo=UTC)}


def test_a_run_gives_its_events_and_then_its_outcome(job, tmp_path, state, capsys):
    run = api.run(job, state_dir=state, params=PARAMS)
    seen = list(run)
    outcome = run.outcome
    assert outcome.exit_code is ExitCode.DONE
    assert [task.counts.read for task in outcome.tasks] == [2, 1]
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == '"Name"\n"Acme"\n'
    assert (type(seen[0]), type(seen[-1])) == (RunStarted, RunFinished)
    assert [type(each) for each in seen].count(TaskFinished) == 2
    assert capsys.readouterr() == ("", "")
    assert list(run) == []


def test_a_run_is_followed_by_the_lines_of_the_command_and_found_in_the_history(
    job, tmp_path, state
):
    assert api.history(state_dir=state) == ()
    run = api.run(job, state_dir=state, params=PARAMS, tasks=["load"])
    lines = list(run.lines())
    run_id = run.outcome.run_id
    assert lines[0] == f"run {run_id}: accounts, 1 task"
    assert lines[2] == "load: create Account"
    assert lines[-1] == f"run {run_id}: done (exit 0)"
    assert "read 2  created 2" in lines[-2]
    (found,) = api.history("accounts", state_dir=state)
    assert (found.state, found.outcome.exit_code) == (RunState.FINISHED, ExitCode.DONE)
    assert api.history("another", state_dir=state) == ()
    with pytest.raises(UsageError, match="param"):
        list(api.run(job, state_dir=state).lines())


def test_failed_rows_are_in_the_outcome_and_not_raised(job, state, tmp_path):
    (tmp_path / "a.csv").write_text(f"Name\n{'x' * 300}\nok\n", encoding="utf-8")
    outcome = api.run(job, state_dir=state, params=PARAMS, tasks=["load"]).outcome
    assert outcome.exit_code is ExitCode.PARTIAL
    assert outcome.tasks[0].status is TaskStatus.PARTIAL
    assert outcome.tasks[0].counts.failed == 1


def test_a_loaded_job_is_run_and_planned(job, state):
    loaded = api.load(job)
    assert (loaded.name, [task.name for task in loaded.tasks]) == ("accounts", ["load", "read"])
    planned = api.plan(loaded, params=PARAMS, state_dir=state)
    assert planned.has_changes
    assert planned.tasks[0].name == "load"
    assert api.run(loaded, params=PARAMS, state_dir=state).outcome.exit_code is ExitCode.DONE


def test_problems_are_values_and_what_cannot_start_is_raised(job, state):
    assert api.validate(job) == ()
    with pytest.raises(UsageError, match="no task 'nix'") as raised:
        api.run(job, state_dir=state, params=PARAMS, tasks=["nix"]).outcome  # noqa: B018
    assert raised.value.exit_code is ExitCode.INVALID
    with pytest.raises(UsageError, match="param"):
        list(api.run(job, state_dir=state))
    with pytest.raises(UsageError, match="nonsense"):
        api.run(job, state_dir=state, allow=["nonsense"])
    job.write_text(JOB.replace("to: out.csv", "to: ../out.csv"), encoding="utf-8")
    (found,) = api.validate(job)
    assert (found.code, found.position.line) == ("job/outside-folder", 14)
    with pytest.raises(JobError) as problems:
        api.load(job)
    assert problems.value.diagnostics == (found,)
    assert str(problems.value) == (
        f"1 problem; nothing was attempted.\n{job}:14:{found.position.column}: {found.message} "
        f"({found.help})"
    )


def test_a_block_that_ends_early_stops_the_run_in_order_and_resume_finishes_it(job, state):
    with api.run(job, state_dir=state, params=PARAMS) as run:
        next(event for event in run if isinstance(event, TaskStarted))
    assert run.outcome.exit_code in {ExitCode.INTERRUPTED, ExitCode.DONE}
    if run.outcome.exit_code is ExitCode.INTERRUPTED:
        assert api.resume(state_dir=state).outcome.exit_code is ExitCode.DONE
    with pytest.raises(RunnerError, match="nothing to resume"):
        api.resume(state_dir=state).outcome  # noqa: B018


def test_one_name_is_not_taken_for_its_letters(job, state, tmp_path_factory):
    outcome = api.run(job, state_dir=state, params=PARAMS, tasks="read").outcome
    assert [task.name for task in outcome.tasks] == ["read"]
    assert [run.job for run in api.history(api.load(job), state_dir=state)] == ["accounts"]
    outside = tmp_path_factory.mktemp("outside")
    job.write_text(JOB.replace("to: out.csv", f"to: {outside}/out.csv"), encoding="utf-8")
    assert api.validate(job, allow_outside=str(outside)) == ()
    assert api.validate(job, allow_outside=outside) == ()
    # Among the letters of this one is a `/`: the root of all folders.
    refused = api.validate(job, allow_outside=f"{outside}-of-others")
    assert [each.code for each in refused] == ["job/outside-folder"]
    assert api.history(limit=1 << 80, state_dir=state)
    with pytest.raises(UsageError, match="There is no run ''"):
        _ = api.resume("", state_dir=state).outcome
    with pytest.raises(UsageError, match="'everything' is not a valid Rail"):
        api.run(job, state_dir=state, allow="everything")


def test_two_runs_at_once_and_a_running_event_loop_are_no_obstacle(job, state, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(JOB.replace("out.csv", "other.csv"), encoding="utf-8")

    async def both():
        runs = [api.run(each, state_dir=state, params=PARAMS) for each in (job, other)]
        return [await asyncio.to_thread(lambda run=run: run.outcome) for run in runs]

    outcomes = asyncio.run(both())
    assert [each.exit_code for each in outcomes] == [ExitCode.DONE, ExitCode.DONE]
    first, second = (api.run(job, state_dir=state, params=PARAMS) for _ in range(2))
    ends = []
    for each in (first, second):
        try:
            ends.append(each.outcome.exit_code)
        except RunnerError as error:
            ends.append(error.exit_code)
    assert sorted(ends) in ([ExitCode.DONE, ExitCode.LOCKED], [ExitCode.DONE, ExitCode.DONE])


def test_importing_it_imports_no_engine():
    program = "import sys, runner.api; print(*[m for m in sys.modules if m.startswith('runner.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    own = set(done.stdout.decode().split())
    assert own == {
        "runner.api",
        "runner.errors",
        "runner.lanes",
        "runner.redaction",
        "runner.version",
        "runner.wording",
    }
