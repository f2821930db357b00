"""Runs that are killed again and again, at random points, with random faults in between."""

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FAULTS = (
    {"kind": "reset_before", "probability": 0.05},
    {"kind": "reset_after", "probability": 0.05},
    {"kind": "answer_lost", "path": "jobs|composite|query", "probability": 0.05},
    {"kind": "status", "path": "jobs|composite", "method": "GET", "probability": 0.1, "html": True},
    {"kind": "truncated", "path": "Results", "probability": 0.3},
    {"kind": "stale_session", "path": "jobs|composite", "nth": 3},
    {"kind": "lock_rows", "probability": 0.3, "times": 60},
    {"kind": "job_fails", "rows": 40, "times": 1},
    {"kind": "job_aborts", "rows": 40, "times": 1},
)
RUNS = 200
SEED = int(os.environ.get("SOAK_SEED", "20261123"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["create-bulk", "upsert-bulk", "create-findable-rest"])
def test_however_often_it_is_killed(crash_bench, name):
    bench = crash_bench(name)
    count, expected = bench.undisturbed()

    @settings(
        max_examples=25, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.integers(1, count), min_size=1, max_size=4))
    def killed(points):
        state = bench.prepare()
        words = ("run", bench.job)
        for at in points:
            ended = bench.killer.run(*words, "-o", "json", state=state, kill_at=at)
            if ended.code == 0:
                assert bench.picture(ended.document) == expected
                return
            if ended.code == 2:
                break
            assert ended.code == -9, ended.err
            words = ("resume",)  # a further `run` would begin anew where the kill came last
        assert bench.finish(state)[0] == expected

    killed()


def measures(bench, state):
    """What must not grow: bytes of the ledger and of the state folder, open files and memory."""
    files = [each for each in state.rglob("*") if each.is_file()]
    org = Path(f"/proc/{bench.org.process.pid}")
    return {
        "ledger": (state / "ledger.sqlite").stat().st_size,
        "folder": sum(each.stat().st_size for each in files),
        "open files of the org": len(list((org / "fd").iterdir())),
    }


@pytest.mark.slow
def test_soak(crash_bench, capsys):
    """Many runs of a job whose source changes, with faults and kills: the org equals the model."""
    chance = random.Random(SEED)  # noqa: S311 - a course that repeats
    bench = crash_bench("upsert-bulk")
    state = bench.prepare()
    model = {f"E{n:04}": f"old {n}" for n in range(bench.scenario.seeds)}
    kills = finished = 0
    figures = {}
    for number in range(RUNS):
        changed = {f"E{n:04}": f"n {n} {number}" for n in chance.sample(range(600), 150)}
        rows = "".join(f"{key},{name}\n" for key, name in changed.items())
        bench.bench.write("a.csv", f"ERP_Id__c,Name\n{rows}")
        bench.org.request("DELETE", "/__org/faults")
        if chance.random() < 0.5:
            bench.org.request("POST", "/__org/faults", json=chance.choice(FAULTS))
        words = ("run", bench.job)
        while chance.random() < 0.4:
            ended = bench.killer.run(*words, state=state, kill_at=chance.randint(1, 90))
            if ended.code != -9:
                break
            kills += 1
        else:
            ended = None
        bench.org.request("DELETE", "/__org/faults")
        while ended is None or ended.code != 0:
            ended = bench.killer.run(*words, state=state)
            assert ended.code in {0, 3, 5}, (number, ended.err, ended.out)
        model |= changed
        finished += 1
        if number % 10 == 9:
            assert bench.killer.run("history", "--prune", "--keep", "5", state=state).code == 0
            figures[number + 1] = measures(bench, state)
            found = bench.org.rows("SELECT ERP_Id__c, Name FROM Account")
            assert {row["ERP_Id__c"]: row["Name"] for row in found} == model, number
            assert len(found) == len(model), "nothing twice"
    first, last = figures[20], figures[RUNS]
    with capsys.disabled():
        sys.stdout.write(f"\nseed {SEED}: {finished} runs, {kills} kills; {first} -> {last}\n")
    assert last["ledger"] <= first["ledger"] * 1.5
    assert last["folder"] <= first["folder"] * 1.5
    assert last["open files of the org"] <= first["open files of the org"] + 10
