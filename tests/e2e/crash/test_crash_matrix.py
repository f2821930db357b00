"""A run that is killed at any point and resumed leaves what an undisturbed run leaves."""

import random
import sys

import pytest

from tests.e2e.crash import faults

SAMPLE = 1
SEED = 20261123
OF_EACH_KIND = (
    "create-rest",
    "create-findable-bulk",
    "upsert-bulk",
    "update-rest",
    "delete-bulk",
    "query-rest",
    "update-by-key-bulk",
    "upsert-on-create-rest",
    "upsert-by-id-rest",
    "only-changes-bulk",
    "mirror-rest",
    "side-by-side-bulk",
)
"""Scenarios of the short form: each verb, each way to know a record, either API in turn."""


def unharmed(bench, found, expected, point):
    """Equal; where rows may be in doubt, nothing is there twice and every row is accounted for."""
    picture, code = found
    if code == 0:
        assert picture == expected, f"killed at point {point}"
        return
    assert len(set(picture["org"])) == len(picture["org"]), f"twice, killed at point {point}"
    counts = picture["counts"]["load"]
    told = sum(counts[each] for each in ("created", "updated", "in_doubt", "failed", "unprocessed"))
    assert told == counts["read"], f"killed at point {point}"
    assert counts["failed"] == counts["unprocessed"] == 0, f"killed at point {point}"
    done = counts["created"] + counts["updated"]
    assert done <= len(picture["org"]) <= counts["read"], f"killed at point {point}"


def check(bench, points_of):
    count, expected = bench.undisturbed()
    for at in points_of(count):
        by = "run" if at % 2 else "resume"
        unharmed(bench, bench.killed_and_resumed(at, by=by), expected, at)
    return count, expected


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_a_sample_of_points_and_of_faults(crash_bench, name):
    chosen = random.Random(f"{SEED} {name}")  # noqa: S311 - a sample that repeats
    bench = crash_bench(name)
    _, expected = check(bench, lambda count: sorted(chosen.sample(range(1, count + 1), SAMPLE)))
    faults.unharmed(bench, faults.FAULTS[chosen.choice(sorted(faults.FAULTS))], expected)


@pytest.mark.slow
def test_every_point(crash_bench, scenario, capsys):
    points, _ = check(crash_bench(scenario), lambda count: range(1, count + 1))
    with capsys.disabled():
        sys.stdout.write(f"\n{scenario}: killed at each of {points} points\n")
