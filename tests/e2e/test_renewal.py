"""One rotating token and several processes, one of which may die: the sign-in is not lost."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""
ROUNDS = 50


@pytest.fixture
def org(serve_org):
    return serve_org("--rotate")


@pytest.fixture
def token(bench, org):
    """A token file of a sign-in whose refresh token the org replaces at each use."""
    answer = org.grant()
    members = {
        "version": 1,
        "access_token": answer["access_token"],
        "refresh_token": answer["refresh_token"],
        "instance_url": org.url,
        "login_url": org.url,
        "client_id": "app",
    }
    file = bench.write("tokens/org.json", json.dumps(members))
    file.chmod(0o600)
    return file


@pytest.fixture
def job(bench, org):
    connection = f"{{environment: local, url: '{org.url}', client_id: app, token: tokens/org.json}}"
    return bench.job(ONE, connection=connection)


def refreshes(org):
    log = org.request("GET", "/__org/requests").json()
    requests = log["requests"] if isinstance(log, dict) else log
    return sum(each["path"].endswith("/oauth2/token") for each in requests)


def test_two_processes_renew_one_token_at_the_same_moment_and_neither_loses_it(bench, org, token):
    script = Path(__file__).parent / "renewing.py"
    both = [
        subprocess.Popen(
            [sys.executable, script, token],
            env=bench.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    bench.started += both
    assert [process.stdout.readline() for process in both] == ["ready\n", "ready\n"]
    seen = set()
    for _ in range(ROUNDS):
        org.expire_sessions()
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in both] == ["200\n", "200\n"]
        seen.add(json.loads(token.read_text())["refresh_token"])
    assert len(seen) == ROUNDS, "one renewal a round, and each was kept"
    for process in both:
        process.stdin.close()
        assert process.wait(30) == 0


def old_is_spent(org, refresh_token):
    form = {"token": refresh_token, "client_id": "app"}
    answer = httpx.post(f"{org.url}/services/oauth2/introspect", data=form)
    return answer.json()["active"] is False


@pytest.mark.parametrize("again", ["run", "whoami"])
def test_a_process_that_dies_with_the_answer_in_hand_is_told_of_by_the_next(
    bench, org, token, job, again
):
    before = json.loads(token.read_text())
    org.expire_sessions()
    # The org has replaced the token, and its answer is on its way, byte by byte.
    org.fault(kind="slow", path="/oauth2/token", bytes_per_second=1, times=1)
    process = bench.start("run", job)
    deadline = time.monotonic() + 30
    while not old_is_spent(org, before["refresh_token"]):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()

    after = json.loads(token.read_text())
    assert after["refresh_token"] == before["refresh_token"], "the old file is whole"
    assert "renewal_began" in after
    ended = bench.run(again, job)
    assert ended.code == 4
    assert "was cut off before its answer could be kept" in ended.err
    assert f"runner login {job}" in ended.err


def test_a_process_that_dies_before_the_org_heard_of_it_loses_nothing(bench, org, token, job):
    org.expire_sessions()
    org.fault(kind="reset_before", path="/oauth2/token", times=1)
    assert bench.run("run", job).code == 5
    assert "renewal_began" in json.loads(token.read_text())
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err
    assert "renewal_began" not in json.loads(token.read_text())


def test_a_second_copy_of_the_token_file_is_named_as_the_reason(bench, org, token, job):
    org.expire_sessions()
    assert bench.run("run", job).code == 0
    copy = token.read_text()
    org.expire_sessions()
    assert bench.run("run", job).code == 0
    token.write_text(copy)
    org.expire_sessions()
    ended = bench.run("run", job)
    assert ended.code == 4
    assert "another copy of this token file was used" in ended.err
