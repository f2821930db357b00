"""One rotating token and several processes, one of which may die: the sign-in is not lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runner.credentials import SecretReference
from runner.state.paths import state_at
from runner.state.shared.token import SharedToken
from runner.state.tokens.format import token_from_json
from tests.postgresql import USER

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""
ROUNDS = 50
DEATH = """\
import os, signal
from runner.salesforce.auth import oauth

def die():
    os.kill(os.getpid(), signal.SIGKILL)

point = os.environ.get("DIE_AT")
replace, token_of = os.replace, oauth.token_of
answered = []

def read(*words, **more):
    if point == "answered":
        die()
    answered.append(True)
    return token_of(*words, **more)

def put(source, target):
    if answered and point == "written":
        die()
    replace(source, target)
    if answered and point == "kept":
        die()

oauth.token_of, os.replace = read, put
"""


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


@pytest.fixture(params=["file", "state"])
def stored(request, bench, token):
    """Where the token is, and what reads its refresh token there."""
    if request.param == "file":
        return str(token), lambda: json.loads(token.read_text())["refresh_token"]
    socket = request.getfixturevalue("postgres")
    place = f"postgresql://{USER}:pass-word@/postgres?host={socket}&files=file:///unused"
    bench.env |= {"SFRUNNER_STATE": f"{place}&schema=renewal", "TOKEN_KEY": "a passphrase"}
    state = state_at(bench.env["SFRUNNER_STATE"], {}).create()
    key = SecretReference(command=("echo", "a passphrase"))
    shared = SharedToken("acme", state, key, login_command="runner login")
    shared.save(token_from_json(token.read_text()))
    return "state:acme", lambda: shared.load().refresh_token.reveal()  # noqa: PLW0108 - loaded each time


def test_two_processes_renew_one_token_at_the_same_moment_and_neither_loses_it(bench, org, stored):
    place, refresh_token = stored
    script = Path(__file__).parent / "renewing.py"
    both = [
        subprocess.Popen(
            [sys.executable, script, place],
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
    rounds = ROUNDS if place.startswith("/") else 5
    for _ in range(rounds):
        org.expire_sessions()
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in both] == ["200\n", "200\n"]
        seen.add(refresh_token())
    assert len(seen) == rounds, "one renewal a round, and each was kept"
    for process in both:
        process.stdin.close()
        assert process.wait(30) == 0


def is_active(org, refresh_token):
    form = {"token": refresh_token, "client_id": "app"}
    answer = httpx.post(f"{org.url}/services/oauth2/introspect", data=form)
    return answer.json()["active"]


def killed_at(bench, job, point):
    """Run a job in a process that kills itself at a point of its renewal."""
    bench.write("death/sitecustomize.py", DEATH)
    paths = (str(bench.folder / "death"), os.environ.get("PYTHONPATH"))
    kept = dict(bench.env)
    bench.env |= {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "DIE_AT": point}
    assert bench.run("run", job).code == -signal.SIGKILL
    bench.env = kept


@pytest.mark.parametrize(
    ("point", "again"), [("answered", "run"), ("answered", "whoami"), ("written", "run")]
)
def test_a_process_that_dies_with_the_answer_in_hand_is_told_of_by_the_next(
    bench, org, token, job, point, again
):
    """Killed once the last byte was read, or with the new token in a file not yet in its place."""
    before = json.loads(token.read_text())
    org.expire_sessions()
    killed_at(bench, job, point)

    after = json.loads(token.read_text())
    assert not is_active(org, before["refresh_token"]), "the org has replaced it"
    assert after["refresh_token"] == before["refresh_token"], "the old file is whole"
    assert "renewal_began" in after
    ended = bench.run(again, job)
    assert ended.code == 4
    assert "was cut off before its answer could be saved" in ended.err
    assert f"runner login {job}" in ended.err


def test_a_process_that_dies_once_the_answer_is_kept_loses_nothing(bench, org, token, job):
    before = json.loads(token.read_text())
    org.expire_sessions()
    killed_at(bench, job, "kept")
    after = json.loads(token.read_text())
    assert after["refresh_token"] != before["refresh_token"]
    assert "renewal_began" not in after
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err


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
