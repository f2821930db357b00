"""The benchmarks run and notice wrong results; how long anything takes is not looked at here."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks import checks, report, rows
from tests.benchmarks.works import WORKS

ROOT = Path(__file__).parents[2]


def measured(folder, *words):
    """The document of a short run, which must end well."""
    sizes = ["--rows", "700", "--rest-rows", "450", "--upsert-rows", "450", "--runs", "1"]
    places = ["--out", str(folder / "out"), "--scratch", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *sizes, "--delay-ms", "0", *places, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out/benchmarks.json").read_text())


def test_works_are_done_right_by_the_product_and_a_peer(tmp_path):
    contenders = ["--contenders", "sfrunner", "simple-salesforce"]
    works = ["bulk_jsonl", "bulk_create"]
    document = measured(tmp_path, *contenders, "--works", *works)
    assert [work["name"] for work in document["works"]] == works
    for work in document["works"]:
        assert len(work["contenders"]) == 2
        for contender in work["contenders"]:
            assert contender["wrong"] is None, (work["name"], contender)
            assert contender["seconds"] > 0
    assert "| sfrunner |" in (tmp_path / "out/benchmarks.md").read_text()
    ET.parse(tmp_path / "out/benchmarks.svg")  # noqa: S314 - written just now
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


KNOWN_TO_BE_WRONG = {("rest_query", "jsforce"), ("bulk_query", "jsforce")}


@pytest.mark.slow
def test_every_work_is_done_right_by_all_who_are_installed(tmp_path):
    document = measured(tmp_path)
    assert {work["name"] for work in document["works"]} == {work.name for work in WORKS}
    wrong = {
        (work["name"], contender["contender"]): contender["wrong"]
        for work in document["works"]
        for contender in work["contenders"]
        if contender["wrong"]
    }
    assert wrong.keys() <= KNOWN_TO_BE_WRONG, wrong


def test_growth_is_told_of_works_of_several_sizes():
    kept = report.Runs("sfrunner", "any", [1.0], [3.0], [50_000_000])
    works = [
        {"title": "A", "rows": count, "contenders": [kept.document()]}
        for count in (10_000, 100_000)
    ]
    lines = report.growth([*works, {**works[0], "title": "B"}])
    assert lines[-3:] == [
        "| A | 10,000 | 3.00 s | 300.00 s | 50 MB |",
        "| A | 100,000 | 3.00 s | 30.00 s | 50 MB |",
        "",
    ]
    assert report.growth(works[:1]) == []


def test_a_wrong_value_is_noticed(tmp_path):
    cells = [list(rows.queried(i)) for i in range(3)]
    cells[1][6] = "0.1"
    texts = "".join(rows.quoted(tuple(row)) for row in [list(rows.QUERIED), *cells])
    (tmp_path / "rows.csv").write_text(texts)
    with pytest.raises(checks.WrongError, match="record 2"):
        checks.check("rest_query", "jsforce", tmp_path, tmp_path, 3)


def test_a_missing_row_is_noticed(tmp_path):
    texts = [rows.quoted(rows.QUERIED), rows.quoted(rows.queried(0)), rows.quoted(rows.queried(2))]
    (tmp_path / "rows.csv").write_text("".join(texts))
    with pytest.raises(checks.WrongError, match="record 2"):
        checks.check("bulk_query", "jsforce", tmp_path, tmp_path, 3)


def test_the_stages_of_an_ingest_are_told():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.stages", "--rows", "500"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [line.count("|") for line in done.stdout.splitlines()] == [5] * 6
    assert "write the result files" in done.stdout


def test_bulk_jobs_of_the_local_org_are_told():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.local_org", "--rows", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [line.count("|") for line in done.stdout.splitlines()] == [4] * 5


def test_what_each_start_costs_is_told():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.start", "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [line.count("|") for line in done.stdout.splitlines()] == [5] * 9


@pytest.mark.slow
def test_what_tests_of_jobs_cost_is_told():
    few = ("--tests", "2", "--rows", "3", "--by-hand", "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.job_tests", *few],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [line.count("|") for line in done.stdout.splitlines()] == [4, 4, 4, 4, 4, 0, 0]


@pytest.mark.slow
def test_a_merge_into_a_large_table_is_right():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.merge", "--rows", "900", "--changed", "90"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.startswith("sfrunner")
