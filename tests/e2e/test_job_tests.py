"""`runner test` from the command line: what it prints, writes and returns."""

import re
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from runner.job.schema.files import schema_of
from tests.short_form import slow

JOB = """
- {name: accounts, create: Account, from: rows.csv, fields: {Name: name}}
- {name: names, query: SELECT Name FROM Account ORDER BY Name, to: out/names.csv}
"""
TESTS = """\
version: 1
job: job.yaml
tests:
  - name: two rows are created
    expect: {tasks: {accounts: {created: 2}}}
  - name: the names are in order
    expect:
      records:
        - query: SELECT Name FROM Account
          rows: [{Name: Acme}, {Name: Bolt}]
      files: {out/names.csv: expected.csv}
  - name: a misspelt task
    expect: {tasks: {acounts: {created: 2}}}
"""
SAID = """\
PASSED test.test.yaml: two rows are created
FAILED test.test.yaml: the names are in order
BROKEN test.test.yaml: a misspelt task

--- the names are in order
test.test.yaml:9: records of SELECT Name FROM Account: expected 2 rows, got other values
    Name
  - Acme
  - Bolt
  + Beta
  + Cork
test.test.yaml:11: file out/names.csv: expected the content of expected.csv, got other content
    "Name"
  - "Acme"
  + "Beta"
  + "Cork"

--- a misspelt task
error[test/unknown-task]: job.yaml has no task 'acounts'
  --> test.test.yaml:13:22
   |
13 |     expect: {tasks: {acounts: {created: 2}}}
   |                      ^^^^^^^
   = help: did you mean `accounts`?

1 passed, 1 failed, 1 broken in N s
"""


@pytest.fixture
def tests(bench):
    """A project with a passing, a failing and a broken test."""
    bench.write("rows.csv", "name\nCork\nBeta\n")
    bench.write("expected.csv", '"Name"\n"Acme"\n')
    bench.job(JOB, connection="{environment: live, client_id: abc, token: tokens/live.json}")
    return bench.write("test.test.yaml", TESTS)


def test_one_passes_one_fails_one_is_broken(bench, tests):
    before = sorted(bench.folder.rglob("*"))
    ended = bench.run("test", "-n", "2", "--junit", "results/tests.xml")
    said = re.sub(r"in [\d.]+ s", "in N s", ended.out)
    assert said == SAID
    assert (ended.err, ended.code) == ("", 2)
    results = bench.folder / "results"
    new = set(bench.folder.rglob("*")) - {*before, results, results / "tests.xml"}
    assert not any(each.is_relative_to(bench.folder / "out") for each in new)
    suite = ET.parse(results / "tests.xml").getroot()[0]  # noqa: S314 - just written
    found = [(case.get("name"), *(each.tag for each in case)) for case in suite]
    assert found == [
        ("two rows are created",),
        ("the names are in order", "failure"),
        ("a misspelt task", "error"),
    ]


def test_tests_are_chosen_by_name_and_reported_as_json(bench, tests):
    ended = bench.run("test", "-k", "ROWS", "-o", "json")
    assert ended.code == 0, ended.err
    (only,) = ended.document["tests"]
    schema = Draft202012Validator(schema_of("test-results"))
    schema.validate(ended.document)
    schema.validate(bench.run("test", "-o", "json", "--cover").document)
    assert (only["name"], only["status"], only["line"]) == ("two rows are created", "passed", 4)
    bench.write("test.yaml", "the job means the tests beside it")
    assert bench.run("test", "test.yaml", "-k", "order", "-q").code == 1
    none = bench.run("test", "-k", "nothing")
    assert (none.code, none.out) == (2, "")
    assert "No test has 'nothing' in its name." in none.err
    wrong = bench.run("test", "-n", "0")
    assert (wrong.code, wrong.out) == (2, "")
    assert "-n 0 is not a number of tests." in wrong.err


@pytest.mark.parametrize("processes", ["2", *slow("1")])
def test_ctrl_c_ends_a_test_that_waits_and_leaves_nothing(bench, tests, processes):
    fault = "given: {faults: [{kind: status, method: POST, status: 503}]}"
    tests.write_text(
        TESTS.replace("expect:\n      records", f"{fault}\n    expect:\n      records")
    )
    scratch = bench.folder / "scratch"
    scratch.mkdir()
    bench.env = {"TMPDIR": str(scratch)}
    process = bench.start("test", "-n", processes)
    assert process.stdout.readline().startswith("PASSED")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.startswith("1 passed in")
    assert "stopped: 2 of 3 tests have no result" in err
    assert list(scratch.iterdir()) == []


def test_a_watch_runs_again_what_has_changed_until_ctrl_c(bench, tests):
    # As a script has it that starts the command in the background.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = bench.start("test", "--watch", "-k", "two")
    finally:
        signal.signal(signal.SIGINT, before)

    assert process.stdout.readline() == "PASSED test.test.yaml: two rows are created\n"
    assert process.stdout.readline().startswith("1 passed in")
    assert process.stderr.readline().startswith("waiting for changes of ")
    bench.write("rows.csv", "name\nCork\n")
    assert process.stdout.readline() == "FAILED test.test.yaml: two rows are created\n"
    while not process.stdout.readline().startswith("1 failed in"):
        assert process.poll() is None
    assert process.stderr.readline() == "changed: rows.csv\n"
    assert process.stderr.readline().startswith("waiting for changes of ")
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=60), process.returncode) == (("", ""), 130)


def test_a_watch_writes_no_results(bench, tests):
    ended = bench.run("test", "--watch", "-o", "json")
    assert ended.code == 2
    assert ended.document["hint"] == "Leave out --junit, --output and --update."


def test_a_folder_without_tests_and_a_file_that_is_not_there_are_usage_errors(bench):
    empty = bench.run("test")
    assert empty.code == 2
    assert "There is no test in ." in empty.err
    missing = bench.run("test", "nix.test.yaml")
    assert missing.code == 2
    assert "there is no such file" in missing.out
    job = bench.job("- {name: a, query: SELECT Id FROM Account, to: a.csv}\n", name="lone.yaml")
    untested = bench.run("test", job.name)
    assert untested.code == 2
    assert "lone.yaml has no tests: there is no lone.test.yaml beside it" in untested.err


def test_the_test_that_init_writes_passes_and_is_not_overwritten(bench):
    for name, meant in (("jobs/accounts", "jobs/accounts.yaml"), ("a.test.yaml", "a.yaml")):
        refused = bench.run("init", name)
        assert (refused.code, refused.out) == (2, "")
        assert f"`runner init {meant}`" in refused.err
    assert bench.run("init", "jobs/accounts.yaml").code == 0
    ended = bench.run("test", "jobs/accounts.yaml")
    assert ended.code == 0, ended.out + ended.err
    (bench.folder / "jobs/accounts.yaml").unlink()
    own = bench.write("jobs/accounts.test.yaml", "mine")
    assert bench.run("init", "jobs/accounts.yaml").code == 0
    assert own.read_text() == "mine"


def test_the_test_of_the_quickstart_passes(bench):
    ended = bench.run("test", Path(__file__).parents[2] / "configs" / "quickstart.test.yaml")
    assert ended.code == 0, ended.out
