"""A run that meets trouble leaves what an undisturbed run leaves, or ends so that a resume does."""

import json
import random
import sys

import pytest

SEED = 20261123
SAMPLE = 1
API = "jobs|composite|query|Soap"
PAGE = {"status": 200, "html": True}
FAULTS = {
    "reset before": {"kind": "reset_before", "path": API, "probability": 0.2, "times": 6},
    "reset after": {"kind": "reset_after", "path": API, "probability": 0.2, "times": 6},
    "answer lost": {"kind": "answer_lost", "path": API, "probability": 0.2, "times": 6},
    "storm of 500": {"kind": "status", "path": API, "status": 500, "times": 3},
    "storm of 503": {"kind": "status", "path": API, "status": 503, "after": 2, "times": 3},
    "storm without end": {"kind": "status", "path": API, "status": 503, "after": 3},
    "a proxy's page": {"kind": "status", "path": API, "status": 502, "html": True, "times": 3},
    "a page that says 200": {"kind": "status", "path": API, "status": 200, "html": True, "nth": 3},
    "a page for an upload": {"kind": "status", "method": "PUT", **PAGE, "times": 2},
    "a page for a state": {
        "kind": "status",
        "method": "GET",
        "path": "jobs/[a-z]+/7",
        **PAGE,
        "nth": 2,
    },
    "a page for results": {"kind": "status", "method": "GET", "path": "esults", **PAGE, "nth": 1},
    "a page for later results": {"kind": "status", "path": "esults", **PAGE, "nth": 3},
    "cut off": {"kind": "truncated", "path": API, "method": "GET", "probability": 0.4, "times": 6},
    "locked rows": {"kind": "lock_rows", "probability": 0.3, "times": 150},
    "too many at once": {"kind": "concurrency_limit", "path": API, "after": 1, "times": 3},
    "no request left": {"kind": "daily_limit", "path": API, "after": 3},
    "no request left to poll": {"kind": "daily_limit", "path": API, "method": "GET", "after": 2},
    "job fails half-way": {"kind": "job_fails", "rows": 40, "times": 2},
    "job aborted half-way": {"kind": "job_aborts", "rows": 40, "times": 2},
}
ENDS = {0, 1, 3, 5}
"""Done; an answer of no API's; rows in doubt or locked to the last; come back later."""


def disturbed(bench, fault):
    """The picture after a run with a fault and, where it did not come to its end, a resume."""
    state = bench.prepare()
    bench.org.fault(**fault)
    ended = bench.killer.run("run", bench.job, "-o", "json", state=state)
    bench.org.request("DELETE", "/__org/faults")
    assert ended.code in ENDS, ended.err + ended.out
    if ended.code == 0:
        return bench.picture(ended.document), ended.code
    again = bench.killer.run("resume", "-o", "json", state=state)
    if again.code == 2:
        assert "nothing to resume" in again.out, again.out
        return bench.picture(ended.document), ended.code
    return bench.picture(again.document), again.code


def unharmed(bench, fault, expected):
    picture, code = disturbed(bench, fault)
    told = f"{bench.scenario.name}, {fault}"
    assert len(set(picture["org"])) == len(picture["org"]), f"twice: {told}"
    if code == 0:
        assert picture == expected, told
        return
    assert bench.scenario.may_doubt, f"exit {code}: {told}"
    counts = picture["counts"]["load"]
    assert code == 3, told
    written = counts["created"] + counts["updated"]
    assert written + counts["in_doubt"] == counts["read"], told
    assert counts["created"] <= len(picture["org"]) <= counts["read"], told


def test_a_sample_of_faults(crash_bench, scenario):
    chosen = random.Random(f"{SEED} {scenario}")  # noqa: S311 - a sample that repeats
    bench = crash_bench(scenario)
    _, expected = bench.undisturbed()
    for name in chosen.sample(sorted(FAULTS), SAMPLE):
        unharmed(bench, FAULTS[name], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault(crash_bench, scenario, name):
    bench = crash_bench(scenario)
    _, expected = bench.undisturbed()
    unharmed(bench, FAULTS[name], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [f"{verb}-bulk" for verb in ("create", "upsert", "update", "delete")]
)
def test_a_job_that_stalls_is_left_in_time_and_collected_later(crash_bench, name):
    bench = crash_bench(name)
    _, expected = bench.undisturbed()
    state = bench.prepare()
    bench.org.fault(kind="job_stalls", rows=10)
    words = ("run", bench.job, "--timeout", "2s", "-o", "json")
    ended = bench.killer.run(*words, state=state)
    bench.org.request("DELETE", "/__org/faults")
    assert ended.code == 5, ended.err + ended.out
    found, code = bench.finish(state)
    assert (found, code) == (expected, 0)


def signed_in(bench):
    """A sign-in that is renewed, and whose refresh token lives on."""
    answer = bench.org.grant()
    members = {
        "version": 1,
        "access_token": answer["access_token"],
        "refresh_token": answer["refresh_token"],
        "instance_url": bench.org.url,
        "login_url": bench.org.url,
        "client_id": "app",
    }
    bench.bench.write("token.json", json.dumps(members)).chmod(0o600)


def expired_at(bench, number, expected):
    """Carry the job out with a session that ends at its n-th request; tell if it has so many."""
    state = bench.prepare()
    signed_in(bench)
    bench.org.fault(kind="stale_session", path="/services/data/v", nth=number)
    ended = bench.killer.run("run", bench.job, "-o", "json", state=state)
    (rule,) = bench.org.request("GET", "/__org/faults").json()
    bench.org.request("DELETE", "/__org/faults")
    assert ended.code == 0, f"{bench.scenario.name}, request {number}: {ended.err + ended.out}"
    assert bench.picture(ended.document) == expected, f"{bench.scenario.name}, request {number}"
    return rule["struck"] == 1


@pytest.mark.slow
def test_a_session_that_ends_at_any_request(crash_bench, scenario, capsys):
    bench = crash_bench(scenario)
    text = bench.job.read_text().replace("token: {env: T}", "client_id: app, token: token.json")
    bench.job.write_text(text)
    signed_in(bench)
    _, expected = bench.undisturbed()
    number = 1
    while expired_at(bench, number, expected):
        number += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{scenario}: a session ended at each of {number - 1} requests\n")
