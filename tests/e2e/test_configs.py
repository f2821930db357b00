"""Each job in `configs/` runs as it is, twice, and ends as the comment at its head says."""

import re
import shutil
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
JOBS = [file for file in sorted(CONFIGS.glob("*.yaml")) if "\ntasks:" in file.read_text("utf-8")]


@pytest.mark.parametrize("job", [file.name for file in JOBS])
def test_a_job_in_configs_runs_as_it_is(bench, job):
    shutil.copytree(CONFIGS, bench.folder / "configs", ignore=shutil.ignore_patterns("out"))
    file = bench.folder / "configs" / job
    if job == "export.yaml":  # it reads what the quickstart has loaded
        bench.run("run", bench.folder / "configs" / "quickstart.yaml")
    bench.env["MASK_KEY"] = "0123456789abcdef"
    told = re.search(r"[Ee]nds with exit (\d)", file.read_text("utf-8"))
    first = bench.run("run", file, "-o", "json")
    second = bench.run("run", file, "-o", "json")
    assert first.code == int(told[1]), first.out + first.err
    assert second.code == first.code, second.out + second.err
    for task in first.document["tasks"]:
        again = second.task(task["name"])
        assert again["status"] == task["status"]
        if task["verb"] == "query" and task["target"]:
            assert again["counts"]["written"] == task["counts"]["written"] > 0


def test_the_quickstart_accounts_for_every_row(bench):
    shutil.copytree(CONFIGS, bench.folder / "configs", ignore=shutil.ignore_patterns("out"))
    ended = bench.run("run", bench.folder / "configs" / "quickstart.yaml", "-o", "json")
    assert {task["verb"] for task in ended.document["tasks"]} == {
        "create",
        "update",
        "upsert",
        "delete",
        "query",
    }
    assert ended.task("contacts")["api"] == "bulk"
    for task in ended.document["tasks"]:
        counts = task["counts"]
        if task["verb"] != "query":
            ends = ("created", "updated", "deleted", "failed", "unprocessed", "in_doubt")
            assert sum(counts[end] for end in ends) == counts["read"]
            assert task["verb"] != "delete" or counts["deleted"] == 31
