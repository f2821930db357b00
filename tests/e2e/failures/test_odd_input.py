"""Whatever a user gives, by chance: a documented exit code and no traceback, never a defect."""

import os
import random
import shutil

import pytest

from tests.e2e.failures import odd_input, odd_tables

CODES = {0, 1, 2, 3, 4, 5, 8, 11}
RUN = """
- name: a
  create: Account
  from: a.csv
  api: bulk
  on_error: continue
- name: u
  upsert: Account
  key: ERP_Id__c
  undo: true
  from: a.csv
  api: rest
"""


@pytest.fixture
def meet(bench):
    """Run commands that odd input was made for; `make(chance)` makes one."""
    usual = dict(bench.env)

    def meet(make, seeds):
        for seed in seeds:
            case = make(random.Random(seed))  # noqa: S311 - no secret
            bench.env = {**usual, **case.env}
            ended = bench.run(*case.words, given=case.given)
            told = f"seed {seed}: {case.words} {case.env} -> {ended.code}\n{ended.err}"
            assert ended.code in CODES, told
            assert "Traceback" not in ended.err, told
            assert "error: internal error" not in ended.err, told

    return meet


def seeds(quick, count=12):
    """A few seeds, and many for `-m slow`."""
    long = [range(start, start + count) for start in range(100, 100 + 25 * count, count)]
    slow = pytest.mark.slow
    ids = [pytest.param(each, marks=slow, id=f"{each.start}-") for each in long]
    return pytest.mark.parametrize("seeds", [pytest.param(range(quick), id="few"), *ids])


@seeds(4)
@pytest.mark.parametrize(
    "make",
    [
        odd_input.odd_job,
        odd_input.odd_source,
        odd_input.odd_words,
        odd_input.odd_variables,
        odd_input.odd_place,
    ],
)
@pytest.mark.usefixtures("org")
def test_no_input_is_a_defect(bench, meet, make, seeds):
    meet(lambda chance: make(chance, bench), seeds)


@seeds(4)
def test_no_token_file_is_a_defect(bench, org, meet, seeds):
    token = {"access_token": org.token, "instance_url": org.url}
    meet(lambda chance: odd_input.odd_token(chance, bench, token), seeds)


@seeds(4)
def test_no_state_folder_is_a_defect(bench, org, meet, seeds):
    bench.write("a.csv", odd_tables.HEADER + "E1,n,1\nE2,n,x\n")
    assert bench.run("run", bench.job(RUN)).code == 3
    org.fault(kind="daily_limit", method="POST", path="/composite/sobjects")
    assert bench.run("run", bench.folder / "job.yaml").code == 5
    good = bench.folder / "good"
    shutil.copytree(bench.state, good, ignore=shutil.ignore_patterns("local_org"))
    meet(lambda chance: odd_input.odd_state(chance, bench, good), seeds)


def test_a_named_pipe_is_no_source(bench, org):
    os.mkfifo(bench.folder / "a.csv")
    job = bench.job("- name: a\n  create: Account\n  from: a.csv\n")
    for verb in ("validate", "run"):
        ended = bench.run(verb, job)
        assert ended.code == 2
        assert "job/source-is-no-file" in ended.err + ended.out


def test_a_job_that_is_a_link_to_itself_is_an_error(bench):
    (bench.folder / "job.yaml").symlink_to("job.yaml")
    ended = bench.run("run", "job.yaml", "other.yaml")
    assert ended.code == 2, ended.err


def test_a_path_that_is_too_long_is_an_error(bench, org):
    bench.write("a.csv", "Name\nn\n")
    job = bench.job("- name: a\n  create: Account\n  from: a.csv\n")
    for words in (["whoami", job], ["run", job], ["history"]):
        ended = bench.run(*words, "--state", "a" * 300)
        assert ended.code == 1, ended.err
        assert "File name too long" in ended.err


@pytest.mark.parametrize(
    ("words", "env", "told"),
    [
        (["show", "r\udcff"], {}, "The argument"),
        (["run", "job.yaml", "-p", "x=\udcff"], {}, "The argument"),
        (["history"], {"SFRUNNER_STATE": "s\udcff"}, "The variable SFRUNNER_STATE"),
        (["history"], {"HOME": "/h\udcff"}, "The variable HOME"),
    ],
)
def test_bytes_that_are_no_text_are_named(bench, words, env, told):
    bench.env = env
    ended = bench.run(*words)
    assert ended.code == 2
    assert f"{told} is not UTF-8: '" in ended.err


def test_a_folder_whose_name_is_no_text_is_named(bench):
    bench.env = {"HOME": str(bench.folder), "SFRUNNER_STATE": str(bench.state)}
    bench.folder /= "f\udcff"
    bench.folder.mkdir()
    ended = bench.run("history")
    assert ended.code == 2
    assert "The path of the current folder is not UTF-8" in ended.err
