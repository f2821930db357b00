"""A Python program runs a job against the local org."""

import subprocess
import sys

import pytest

import runner
from runner.errors import ExitCode, JobError, UsageError
from runner.events import RunFinished, RunStarted

JOB = """\
version: 1
name: accounts
connection: {environment: local}
params:
  name: {type: string}
tasks:
  - {name: load, create: Account, from: a.csv, fields: {Name: Name}}
  - {name: read, query: 'SELECT Name FROM Account WHERE Name = :name', to: out.csv}
"""


@pytest.fixture
def job(tmp_path):
    (tmp_path / "a.csv").write_text("Name\nAcme\nGlobex\n", encoding="utf-8")
    file = tmp_path / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    return file


def test_a_job_runs_and_gives_its_outcome(job, tmp_path, capsys):
    seen = []
    outcome = runner.run_job(
        job, state_dir=tmp_path / "state", params={"name": "Acme"}, on_event=seen.append
    )
    assert outcome.exit_code is ExitCode.DONE
    assert [task.counts.read for task in outcome.tasks] == [2, 1]
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == '"Name"\n"Acme"\n'
    assert (type(seen[0]), type(seen[-1])) == (RunStarted, RunFinished)
    assert capsys.readouterr() == ("", "")


def test_what_cannot_start_is_raised(job, tmp_path):
    with pytest.raises(UsageError, match="no task 'nix'"):
        runner.run_job(job, state_dir=tmp_path / "state", tasks=["nix"])
    job.write_text(JOB.replace("to: out.csv", "to: ../out.csv"), encoding="utf-8")
    with pytest.raises(JobError):
        runner.run_job(job, state_dir=tmp_path / "state")


def test_the_package_imports_nothing_heavy():
    program = "import sys, runner; print([m for m in sys.modules if m.startswith('runner.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"['runner.version']"
