import os
from pathlib import Path

import pytest

from runner.job import missing_file
from runner.job.load import check_job
from runner.job.yaml.document import read_document


def problem(file):
    (found,) = read_document(file).problems
    return found.code, found.message, found.help


@pytest.mark.parametrize("typed", ["customers.yml", "customers", "custmers.yaml", "Customers.yaml"])
def test_a_name_mistyped_is_answered_with_the_one_that_was_meant(typed, tmp_path):
    (tmp_path / "customers.yaml").write_text("version: 1\n")
    for other in ("customers.plan", "org.yaml", ".customers.yml"):
        (tmp_path / other).write_text("")
    meant = f"did you mean `{tmp_path / 'customers.yaml'}`?"
    assert problem(tmp_path / typed) == ("yaml/no-file", "there is no such file", meant)


def test_names_with_nothing_but_their_ending_in_common_are_not_alike(tmp_path):
    (tmp_path / "org.yaml").write_text("")
    assert problem(tmp_path / "nope.yaml")[2] == "check the path"
    assert problem(tmp_path / "job" / "a.yaml")[2] == (
        f"check the path: there is no folder {tmp_path / 'job'}"
    )


def test_a_name_is_not_compared_with_those_of_a_very_large_folder(tmp_path, monkeypatch):
    for name in ("customers.yaml", "orders.yaml"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(missing_file, "_MOST_COMPARED", 1)
    assert problem(tmp_path / "custmers.yaml")[2] == "check the path"


def test_a_link_that_leads_nowhere_is_told_from_a_missing_file(tmp_path):
    for name, leads_to in (("gone.yaml", "/none/a.yaml"), ("gone.csv", "none.csv")):
        (tmp_path / name).symlink_to(leads_to)
    assert problem(tmp_path / "gone.yaml")[1] == (
        "this is a symbolic link to /none/a.yaml, where there is no file"
    )
    job = tmp_path / "job.yaml"
    job.write_text(
        "version: 1\nconnection: {environment: local}\n"
        "tasks: [{name: a, create: Account, from: gone.csv}]\n"
    )
    (found,) = check_job(job)[1]
    assert found.message == "gone.csv is a symbolic link to none.csv, where there is no file"
    assert found.help == "correct the link, or name another file"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    """`runner validate <(…)`: read twice, it would be empty the second time."""
    os.mkfifo(tmp_path / "job.yaml")
    assert problem(tmp_path / "job.yaml") == (
        "yaml/not-a-file",
        "this is a pipe or a device, which can be read only once",
        "save what it contains to a file, and name that",
    )


def test_standard_input_is_no_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert problem(Path("-"))[::2] == (
        "yaml/no-file",
        "save what it should contain to a file, and name that",
    )
