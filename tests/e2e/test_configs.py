"""Each job in `configs/` runs as it is, twice, and ends as the comment at its head says."""

import re
import shutil
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
AFTER = {"quickstart.yaml": ["export.yaml"]}
"""Jobs that read what another has loaded run after it."""
LATER = {name for names in AFTER.values() for name in names}
JOBS = [
    file.name
    for file in sorted(CONFIGS.glob("*.yaml"))
    if "\ntasks:" in file.read_text("utf-8") and file.name not in LATER
]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_in_configs_runs_as_it_is(bench, job):
    shutil.copytree(CONFIGS, bench.folder / "configs", ignore=shutil.ignore_patterns("out"))
    bench.env["MASK_KEY"] = "0123456789abcdef"
    first = runs_twice(bench, bench.folder / "configs" / job)
    if job == "quickstart.yaml":
        accounts_for_every_row(first)
    for later in AFTER.get(job, []):
        runs_twice(bench, bench.folder / "configs" / later)


def runs_twice(bench, file):
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
    return first


def accounts_for_every_row(ended):
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
