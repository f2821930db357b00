"""What a command line says twice, and not the same way, is refused."""

import pytest

from runner.errors import UsageError
from runner.runs.prepare import RunOptions, prepare
from runner.runs.selection import resolved_params
from runner.runs.wiring import UserSettings, load_job
from runner.state.paths import StateFolder
from runner.state.run_records import RunRequest

JOB = """\
version: 1
connection: {environment: local}
params: {day: {type: date}}
tasks:
  - {name: read, query: 'SELECT Name FROM Account WHERE CreatedDate > :day', to: out.csv}
"""


@pytest.fixture
def job(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    return file


def test_a_job_is_named_once(job, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to(job)
    options = RunOptions(UserSettings(StateFolder(tmp_path / "state")))
    request = RunRequest(params=("day=2026-03-01",))
    for again in (job, link):
        with pytest.raises(UsageError, match=f"{again.name} is given twice"):
            prepare([job, again], request, options)


def test_a_param_has_one_value(job, tmp_path):
    found = load_job(job, UserSettings(StateFolder(tmp_path)).permissions)
    same = RunRequest(params=("day=2026-03-01", "day=2026-03-01"))
    assert len(resolved_params(found, same)) == 1
    other = RunRequest(params=("day=2026-03-01", "day=2026-03-02"))
    with pytest.raises(UsageError, match="--param day is given twice: 2026-03-01 and 2026-03-02"):
        resolved_params(found, other)
