"""The benchmarks run and notice wrong results; how long anything takes is not looked at here."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks import checks, rows
from tests.benchmarks.works import WORKS

ROOT = Path(__file__).parents[2]


def test_every_work_is_done_right_by_the_product_and_a_peer(tmp_path):
    options = [
        "--rows",
        "700",
        "--rest-rows",
        "450",
        "--upsert-rows",
        "450",
        "--runs",
        "1",
        "--delay-ms",
        "0",
    ]
    contenders = ["--contenders", "sfrunner", "simple-salesforce"]
    places = ["--out", str(tmp_path / "out"), "--scratch", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *options, *contenders, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out/benchmarks.json").read_text())
    names = [work["name"] for work in document["works"]]
    assert names == [work.name for work in WORKS]
    for work in document["works"]:
        for contender in work["contenders"]:
            assert contender["wrong"] is None, (work["name"], contender)
            assert contender["seconds"] > 0
    assert "| sfrunner |" in (tmp_path / "out/benchmarks.md").read_text()
    ET.parse(tmp_path / "out/benchmarks.svg")  # noqa: S314 - written just now
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


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
