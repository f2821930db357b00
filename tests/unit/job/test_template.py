import pytest

from runner.job.load import check_job
from runner.job.template import job_template


@pytest.mark.parametrize("name", ["accounts", "my job", "2024", "true", "", "Übung", "a" * 300])
def test_the_template_validates_under_any_name(name, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(job_template(name), encoding="utf-8")
    job, problems = check_job(file)
    assert problems == ()
    assert job is not None
    assert [task.name for task in job.tasks] == ["accounts_out"]


def test_the_commented_task_validates_too(tmp_path):
    lines = job_template("x").splitlines()
    start = next(i for i, line in enumerate(lines) if "- name: accounts_in" in line)
    uncommented = [*lines[:start], *(line.replace("# ", "", 1) for line in lines[start:])]
    file = tmp_path / "job.yaml"
    file.write_text("\n".join(uncommented), encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "accounts.csv").write_text("customer_no,company\n", encoding="utf-8")
    assert check_job(file)[1] == ()


def test_the_editor_is_told_of_the_schema():
    assert job_template("x").startswith("# yaml-language-server: $schema=")
