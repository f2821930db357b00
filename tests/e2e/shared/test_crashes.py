"""A run that is killed with its machine, at any point, is finished by another one.

The matrix of `crash`, with the ledger in PostgreSQL and the files in an object store: the machine
that resumes has its own folders and checkout, and nothing of the first one's files.
"""

import random
import sys

import pytest

from tests.e2e.crash.conftest import SCENARIOS
from tests.e2e.crash.test_crash_matrix import check

SEED = 20261129
QUICK = ("create-rest", "query-rest")


@pytest.fixture
def fleet(fleet, bucket):
    """With the files in an object store."""
    fleet.store, env = bucket
    fleet.env |= env
    return fleet


@pytest.mark.parametrize("name", QUICK)
def test_a_sample_of_points(crash_bench, name):
    chosen = random.Random(f"{SEED} {name}")  # noqa: S311 - a sample that repeats
    check(crash_bench(name), lambda count: [chosen.randint(1, count)])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_larger_sample_of_points(crash_bench, name, capsys):
    chosen = random.Random(f"{SEED} {name}")  # noqa: S311 - a sample that repeats
    points, _ = check(
        crash_bench(name), lambda count: sorted(chosen.sample(range(1, count + 1), 12))
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: killed at 12 of {points} points\n")
