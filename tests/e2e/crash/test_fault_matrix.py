"""A run that meets trouble leaves what an undisturbed run leaves, or ends so that a resume does.

`test_crash_matrix.py` has a fault of each scenario in its sample.
"""

import json
import sys

import pytest

from tests.e2e.crash.faults import FAULTS, unharmed


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
