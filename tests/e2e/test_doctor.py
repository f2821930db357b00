"""What keeps runs from working is named, with what to do; nothing secret is."""

import os
from datetime import UTC, datetime, timedelta

from runner.runs.doctor import Level, _clock
from runner.version import __version__

JOB = "- {name: out, query: SELECT Id FROM Account, to: out.csv}"


def findings(ended):
    return {each["about"]: each for each in ended.document["findings"]}


def test_a_machine_that_is_fine_has_nothing_to_mend(bench, org):
    file = bench.job(JOB)
    assert bench.run("run", file).code == 0
    ended = bench.run("doctor", file, "-o", "json")
    assert ended.code == 0, ended.out
    found = findings(ended)
    assert all(each["level"] == "ok" for each in found.values())
    assert __version__ in found["runner"]["text"]
    assert "excel" in found["extras"]["text"]
    assert "test" not in found["extras"]["text"], "it is for developers"
    assert "admin@local.example" in found["sign-in"]["text"]
    assert found["runs"]["text"] == "1 recorded"
    assert "as the org's" in found["clock"]["text"]


def test_what_is_wrong_is_an_error_with_what_to_do(bench):
    bench.env |= {
        "SSL_CERT_FILE": "/nowhere/ca.pem",
        "HTTPS_PROXY": "http://user:s3cret-pass@proxy:8080",
        "SFRUNNER_STATE": "/proc/1/state",
    }
    token = bench.job(JOB, connection="{environment: sandbox, token: none.json}")
    ended = bench.run("doctor", token, "-o", "json")
    assert ended.code == 1
    assert "s3cret-pass" not in ended.out + ended.err
    found = findings(ended)
    assert "/nowhere/ca.pem, which does not exist" in found["certificates"]["text"]
    assert "--state" in found["state folder"]["hint"]
    assert found["proxy"]["text"].endswith("@proxy:8080")
    assert "runner login" in found["sign-in"]["hint"]
    text = bench.run("doctor")
    assert text.code == 1
    assert "error    state folder: /proc/1/state" in text.out


def test_an_unfinished_run_is_named(bench, org):
    org.stall_jobs()
    bench.write("a.csv", "Name\nAda\n")
    job = bench.job("- {name: load, create: Account, from: a.csv, api: bulk}")
    assert bench.run("run", job, "--timeout", "1s").code == 5
    ended = bench.run("doctor")
    assert ended.code == 0
    assert f"of {os.path.realpath(job)} is unfinished" in ended.out
    assert "runner resume" in ended.out


def test_a_clock_that_is_wrong_is_named_with_its_difference():
    now = datetime(2026, 1, 31, tzinfo=UTC)
    assert _clock(now, now + timedelta(seconds=59)).level is Level.GOOD
    ahead = _clock(now, now + timedelta(minutes=5))
    assert (ahead.level, ahead.text) == (
        Level.ERROR,
        "this machine's clock is 300 s ahead of the org's",
    )
    assert "behind" in _clock(now, now - timedelta(days=1)).text


def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(bench):
    bench.env |= {"SFRUNNER_TAREGT": "prod", "SFRUNNER_XYZ": "1", "SFRUNNER_TASK": "a"}
    said = bench.run("doctor").out
    assert "warning  variables: SFRUNNER_TAREGT is set, but the runner has no such variable" in said
    assert "Did you mean SFRUNNER_TARGET?" in said
    assert "SFRUNNER_XYZ" not in said
    assert said.count(" variables: ") == 1
