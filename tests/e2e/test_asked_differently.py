"""What is asked after a run died is done too: the dead run is finished first."""

import signal

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.test_run_document import SCHEMA
from tests.short_form import slow

LOAD = """
- name: load
  create: Account
  from: a.csv
  api: bulk
- name: list
  query: SELECT Name FROM Account WHERE Name LIKE :like ORDER BY Name
  to: out/list.csv
"""
HEAD = "params:\n  like: {type: string, default: none}\n"


@pytest.fixture
def died(bench, serve_org):
    """Makes a run that was killed while its Bulk job is at work."""
    org = serve_org()
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(10)))
    job = bench.job(LOAD, head=HEAD)

    def make(*words):
        org.stall_jobs()
        process = bench.begin("run", job, "-v", *words)
        for line in process.stderr:
            if "UploadComplete" in line or "InProgress" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        org.go_on()
        return bench.run("history", "-o", "json").document["runs"][0]["run_id"]

    return make


def listed(bench):
    return (bench.folder / "out/list.csv").read_text().splitlines()[1:]


@pytest.mark.parametrize("words", [("-p", "like=n 3", "-t", "list"), *slow((("-t", "list"),))])
def test_the_old_run_is_finished_and_then_the_new_one_runs(bench, died, words):
    old = died("-p", "like=n 1")
    ended = bench.run("run", "job.yaml", *words, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    Draft202012Validator(SCHEMA).validate(ended.document)
    assert ended.document["run_id"] != old
    assert ended.document["resumed"]["run_id"] == old
    assert ended.document["resumed"]["tasks"][0]["counts"]["created"] == 10
    assert [task["name"] for task in ended.document["tasks"]] == ["list"]
    assert listed(bench) == (['"n 3"'] if "like=n 3" in words else [])
    assert f"run {old} did not finish, and it was started with like=n 1" in ended.err
    assert bench.run("resume").code == 2, "both are complete"


def test_a_file_that_was_replaced_is_loaded_after_the_old_run(bench, died):
    """Tasks of the old run that had not begun leave the new file to the new run."""
    old = died()
    bench.write("a.csv", "Name\nnew\n")
    ended = bench.run("run", "job.yaml", "-p", "like=%", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert "the source of load has been replaced" not in ended.err, "the params are another reason"
    assert [task["name"] for task in ended.document["resumed"]["tasks"]] == ["load"]
    assert len(listed(bench)) == 11
    old = died()
    bench.write("a.csv", "Name\nnewer\n")
    ended = bench.run("run", "job.yaml", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert f"run {old} did not finish, and the source of load has been replaced since" in ended.err
    assert [task["name"] for task in ended.document["resumed"]["tasks"]] == ["load"]
    assert ended.document["tasks"][0]["counts"]["created"] == 1
    assert bench.run("run", "job.yaml", "-p", "like=%", "-t", "list").code == 0
    assert len(listed(bench)) == 10 + 1 + 1 + 1


def test_text_and_quiet_tell_both(bench, died):
    old = died("-p", "like=n 1")
    ended = bench.run("run", "job.yaml", "-t", "list")
    assert f"run {old}: done (exit 0)" in ended.out
    assert ended.out.count("(exit 0)") == 2
    assert ": test, 1 task\n" in ended.err
    old = died("-p", "like=n 1")
    ended = bench.run("run", "job.yaml", "-t", "list", "-q")
    assert (ended.code, ended.out) == (0, "")
    assert f"warning: run {old} did not finish" in ended.err


@pytest.mark.parametrize("words", [("-p", "like=none"), *slow((("-t", "list", "-t", "load"),))])
def test_what_is_asked_in_other_words_is_the_same(bench, died, words):
    old = died()
    ended = bench.run("run", "job.yaml", *words, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.document["run_id"] == old
    assert ended.document["resumed"] is None


def test_the_exit_code_is_the_worst_of_both(bench, died):
    bench.write("a.csv", "Name\n" + "n\n" * 9 + "x" * 300 + "\n")
    died("-p", "like=n 1")
    ended = bench.run("run", "job.yaml", "-t", "list", "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert ended.document["exit_code"] == 3
    assert ended.document["resumed"]["exit_code"] == 3
    assert ended.document["tasks"][0]["exit_code"] == 0


def test_nothing_new_starts_while_the_old_run_cannot_be_finished(bench, died):
    old = died("-p", "like=n 1")
    source = (bench.folder / "a.csv").read_text()
    bench.write("a.csv", "Name\nother\n")
    [kept] = bench.state.rglob("rows/index.json")
    kept.unlink()  # as if the disk had lost the rows that were read
    for words in ((), ("-o", "json"), ("-q",)):
        ended = bench.run("run", "job.yaml", "-p", "like=n 3", *words)
        assert ended.code == 2, ended.err + ended.out
        assert f"Run {old} is still unfinished, and it was started with like=n 1" in ended.out
    assert not (bench.folder / "out/list.csv").exists()
    bench.write("a.csv", source)
    ended = bench.run("run", "job.yaml", "-p", "like=n 3", "-t", "list", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert listed(bench) == ['"n 3"']


def test_anew_abandons_the_old_run_as_ever(bench, died):
    old = died("-p", "like=n 1")
    ended = bench.run("run", "job.yaml", "-t", "list", "--anew", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["resumed"] is None
    assert bench.run("resume", old).code == 2
