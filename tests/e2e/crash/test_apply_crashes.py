"""An apply that is killed at any point and resumed leaves what an undisturbed one leaves."""

import random

import pytest

SEED = 20261129
SAMPLE = 1
PLANS = pytest.mark.parametrize("name", ["only-changes-bulk", "upsert-rest", "delete-by-key-rest"])


def applied(bench, kill_at=None):
    """The points of an apply, and what is there after it; a killed one is resumed."""
    state = bench.prepare()
    plan = bench.killer.run("plan", bench.job, "--save", "a.plan", state=state)
    assert plan.code == 0, plan.err
    words = ("apply", "a.plan", "-o", "json")
    ended = bench.killer.run(*words, state=state, kill_at=kill_at)
    if ended.code == -9:
        resumed = bench.killer.run("resume", "-o", "json", state=state)
        if resumed.code == 2:
            assert "nothing to resume" in resumed.out, resumed.out
            shown = bench.killer.run("show", "last", "-o", "json", state=state)
            if shown.code == 0 and shown.document["exit_code"] is not None:
                document = shown.document
                document["tasks"] = [task["outcome"] for task in document["tasks"]]
                return None, bench.picture(document)
            resumed = bench.killer.run(*words, state=state)
        ended, points = resumed, None
    else:
        points = ended.points
    assert ended.code == 0, ended.err + ended.out
    return points, bench.picture(ended.document)


@pytest.mark.parametrize("name", ["only-changes-bulk", "delete-by-key-rest"])
def test_a_sample_of_points(crash_bench, name):
    bench = crash_bench(name)
    count, expected = applied(bench)
    chosen = random.Random(f"{SEED} {name}")  # noqa: S311 - a sample that repeats
    for at in sorted(chosen.sample(range(1, count + 1), SAMPLE)):
        assert applied(bench, at)[1] == expected, f"killed at point {at}"


@pytest.mark.slow
@PLANS
def test_every_point(crash_bench, name):
    bench = crash_bench(name)
    count, expected = applied(bench)
    for at in range(1, count + 1):
        assert applied(bench, at)[1] == expected, f"killed at point {at}"
