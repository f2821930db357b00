"""Options that several verbs share, and what `runner init` writes."""

import pytest

from runner.cli.init import init
from runner.cli.options import seconds
from runner.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"), [("90m", 5400), ("2m", 120), ("120", 120), ("0.5", 0.5), ("1.5h", 5400)]
)
def test_a_duration_has_a_unit_or_is_seconds(text, expected):
    assert seconds(text, "--timeout") == expected


@pytest.mark.parametrize("text", ["soon", "", "nan", "infs", "-5", "5 m", "1e3", "m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match=f"--timeout {text} is not a duration"):
        seconds(text, "--timeout")


def test_a_starter_job_creates_its_folder_and_replaces_nothing(tmp_path, capsys):
    file = tmp_path / "jobs/nightly/accounts.yaml"
    init(file)
    assert f"runner validate {file}" in capsys.readouterr().out
    assert (file.parent / "job.schema.json").exists()
    with pytest.raises(UsageError, match="already exists"):
        init(file)
    with pytest.raises(UsageError, match="cannot be written"):
        init(file / "further.yaml")
