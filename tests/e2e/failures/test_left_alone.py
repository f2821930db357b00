"""What a process may lack where a scheduler starts it: somebody who reads, streams, a folder."""

import os
from functools import partial

import pytest

JOB = """
- name: out
  query: SELECT Name FROM Account
  to: out.csv
"""
TO_STDOUT = JOB.replace("out.csv", "'-'")


def close(numbers):
    for each in numbers:
        os.close(each)


def leave(folder):
    os.chdir(folder)
    folder.rmdir()


@pytest.fixture
def job(bench, org):
    org.create("Account", Name="Acme")
    return bench.job(JOB)


@pytest.mark.parametrize("numbers", [(2,), (1, 2), (0, 1, 2)])
def test_a_run_with_closed_streams_is_carried_out(bench, job, numbers):
    given = {"stdin": None, "stdout": None, "stderr": None}
    process = bench.start("run", job, **given, preexec_fn=partial(close, numbers))
    assert process.wait() == 0
    assert (bench.folder / "out.csv").read_text() == '"Name"\n"Acme"\n'


def test_a_run_goes_on_when_the_reader_of_stderr_has_gone(bench, job):
    reader, writer = os.pipe()
    os.close(reader)
    process = bench.start("run", job, stderr=writer)
    os.close(writer)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert "DONE" in said
    assert bench.run("history").out.split()[-3:-1] == ["exit", "0"]


@pytest.mark.parametrize("options", [(), ("--log-format", "json")])
def test_a_run_goes_on_when_the_disk_below_stderr_is_full(bench, job, options):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        process = bench.start("run", job, *options, stderr=full)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert "DONE" in said


def test_rows_for_a_closed_standard_output_are_not_lost_in_silence(bench, job):
    job = bench.job(TO_STDOUT)
    process = bench.start("run", job, stdout=None, preexec_fn=partial(close, [1]))
    _, said = process.communicate()
    assert process.returncode == 1
    assert "There is no standard output." in said


def test_a_current_folder_that_was_deleted_is_named(bench):
    gone = bench.folder / "gone"
    gone.mkdir()
    process = bench.start("history", preexec_fn=partial(leave, gone))
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.startswith("error: The current folder cannot be used: No such file or directory.")
