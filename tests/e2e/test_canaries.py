"""Nothing leaks: distinctive secrets wherever one can be, then every command, well and badly."""

import json
import os
import threading
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.cli.app import app
from tests.e2e.apis import OVER_BULK

ACCESS = "00D5g00000ABCDE!AQ.canary.access.0001"
REFRESH = "5Aep861canary.refresh.0002"
CLIENT_SECRET = "CANARYSECRET00030003"
PASSPHRASE = "canary passphrase 0004"
PROXY = "canaryproxy0005"
PASTED = "canaryCode0006=="
COMMANDED = "00D5g00000ABCDE!AQ.canary.commanded.0007"
JOB = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""
BOOM = """\
import runner.salesforce.session as session
def boom(self, *_args, **_more):
    token = self.token
    raise RuntimeError(
        f"{token!r} Bearer {token.access_token.reveal()} {token.refresh_token.reveal()}"
    )
session.Session.answer = boom
"""


@pytest.fixture(scope="module")
def pem():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


class Watch:
    """What every command said, and every argument that any process had meanwhile."""

    def __init__(self, bench, secrets):
        self.bench = bench
        self.secrets = [secret.encode() for secret in secrets]
        self.codes = []
        self.verbs = set()
        self.found = []

    def run(self, *words, given=None, code=None):
        ended = self.bench.run(*words, given=given)
        self.codes.append(ended.code)
        self.verbs |= {str(words[0]), " ".join(map(str, words[:2]))}
        if code is not None:
            assert ended.code == code, (words, ended.out, ended.err)
        self.look(" ".join(map(str, words)), (ended.out + ended.err).encode())
        return ended

    def look(self, where, content):
        self.found += [(where, secret) for secret in self.secrets if secret in content]

    def look_at_files(self, besides):
        for file in self.bench.folder.rglob("*"):
            if file.is_file() and file not in besides and not file.is_symlink():
                self.look(file, file.read_bytes())

    @contextmanager
    def looking_at_processes(self):
        ends = threading.Event()

        def look():
            while not ends.wait(0.01):
                for file in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        self.look(file, file.read_bytes())
                    except OSError:
                        continue

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()


def commands():
    """Every command of the program, by its words."""

    def below(command, words):
        inner = getattr(command, "commands", None)
        if inner is None:
            return {" ".join(words)}
        return {name for word, each in inner.items() for name in below(each, (*words, word))}

    return below(typer.main.get_command(app), ())


def the_rest(watch, jobs):
    """Commands that look ahead, and those that meet no secret, or should not."""
    for name, code in (("live", 0), ("dead", 4)):
        watch.run("check", jobs[name], "-o", "sarif", code=code)
        watch.run("plan", jobs[name], "-vv", "-o", "json", code=code)
        watch.run("apply", jobs[name], "--yes", "-vv", "-o", "json", code=code)
    watch.run("plan", jobs["live"], "--save", "saved.plan", code=0)
    watch.run("apply", "saved.plan", "-vv", code=0)
    watch.run("history", "-o", "json", code=0)
    watch.run("fleet", "-o", "json", code=0)
    watch.run("show", "-o", "json")
    watch.run("logs", "-o", "json")
    watch.run("report", "--out", "-")
    watch.run("doctor", "-o", "json")
    watch.run("overdue", jobs["live"], "-o", "json", code=2)
    watch.run("org", "pull", jobs["live"], "--out", "pulled", code=0)
    watch.run("org", "pull", jobs["live"], "--from-source", ".", "--out", "source", code=2)
    watch.run("state", "export", "state.zip", code=0)
    watch.run("state", "import", "state.zip", code=0)
    watch.run("resume", "-vv", code=2)
    watch.run("retry", "-vv", code=2)
    watch.run("undo", "-vv", "--yes")
    watch.run("history", "--prune", "--keep", "1", code=0)
    watch.run("init", "new.yaml", code=0)
    watch.run("test", "new.yaml", code=0)
    watch.run("schema", "token", code=0)
    watch.run("schema", "--for", "pulled/org.yaml", code=0)
    watch.run("org", "serve", "--port", "0", code=1)
    watch.run("org", "reset", code=1)
    watch.run("org", "snapshot", "base", code=0)
    watch.run("org", "restore", "base", code=0)
    watch.run("org", "time", "+1s", code=0)
    watch.run("org", "dump", "dumped", code=0)
    watch.run("org", "load", "dumped", code=2)  # there is nothing in it


def test_no_secret_is_seen_anywhere(bench, org, pem):
    lines = [line for line in pem.splitlines() if len(line) == 64]
    watch = Watch(
        bench,
        [ACCESS, REFRESH, CLIENT_SECRET, PASSPHRASE, PROXY, PASTED, COMMANDED, org.token, *lines],
    )
    bench.env |= {"TMPDIR": str(bench.folder / "tmp"), "ACME_SECRET": CLIENT_SECRET}
    (bench.folder / "tmp").mkdir()
    key = bench.write("key.pem", pem)
    dead = bench.write("tokens/dead.json", token_text(org.url))
    for file in (key, dead):
        file.chmod(0o600)
    places = {
        "dead": "token: tokens/dead.json",
        "live": "token: tokens/live.json",
        "sealed": "token: {file: tokens/sealed.json, key: {env: PASSPHRASE}}",
        "jwt": "auth: {jwt: {username: admin@local.example, key: key.pem}}",
        "secret": "auth: {client_credentials: {secret: {env: ACME_SECRET}}}",
        "command": "token: {command: [cat, commanded.txt]}",
    }
    jobs = {
        name: bench.job(
            JOB,
            name=f"{name}.yaml",
            connection=f"{{environment: local, url: '{org.url}', client_id: app, {place}}}",
        )
        for name, place in places.items()
    }
    commanded = bench.write("commanded.txt", COMMANDED)
    pasted = bench.write("pasted.yaml", jobs["dead"].read_text() + f"# x\nname: '{ACCESS}'\n")
    bench.env["PASSPHRASE"] = PASSPHRASE

    with watch.looking_at_processes():
        watch.run("login", jobs["live"], "--with-token", given=org.token, code=0)
        watch.run("login", jobs["sealed"], "--with-token", given=org.token, code=0)
        watch.run("run", jobs["live"], "-vv", code=0)
        watch.run("whoami", jobs["sealed"], code=0)
        # An org without declared apps takes any secret.
        for name, code in (("dead", 4), ("jwt", 4), ("secret", 0), ("command", 4)):
            watch.run("run", jobs[name], "-vv", code=code)
        watch.run("whoami", jobs["dead"], "-o", "json", code=4)
        watch.run("run", jobs["dead"], "-o", "json", code=4)
        watch.run("validate", pasted, code=2)
        watch.run("login", jobs["live"], "--with-token", given=f"force://{REFRESH}", code=4)
        watch.run("login", jobs["live"], "--with-token", given=f"{ACCESS} {REFRESH}", code=4)
        url = f"http://localhost:1717/OauthRedirect?code={PASTED}&state=x"
        watch.run("login", jobs["live"], "--no-browser", given=url + "\n", code=4)
        bench.env["SFRUNNER_TOKEN"] = ACCESS
        watch.run("run", jobs["live"], code=4)
        del bench.env["SFRUNNER_TOKEN"]
        real = bench.job(
            JOB,
            name="real.yaml",
            connection="{environment: live, domain: acme, token: tokens/real.json}",
        )
        bench.write("tokens/real.json", token_text("https://acme.my.salesforce.com")).chmod(0o600)
        bench.env["HTTPS_PROXY"] = f"http://user:{PROXY}@127.0.0.1:1"
        watch.run("whoami", real, "-o", "json", code=5)
        watch.run("logout", real, code=0)
        bench.env["HTTPS_PROXY"] = f"nonsense://user:{PROXY}@127.0.0.1:1"
        watch.run("whoami", jobs["live"])
        del bench.env["HTTPS_PROXY"]
        bench.write("boom/sitecustomize.py", BOOM)
        bench.env["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(bench.folder / "boom"), os.environ.get("PYTHONPATH")))
        )
        crashed = watch.run("run", jobs["dead"], "-vv", code=70)
        assert list((bench.folder / "tmp").glob("runner-crash-*")), crashed.err
        del bench.env["PYTHONPATH"]
        the_rest(watch, jobs)
        watch.run("logout", jobs["live"], code=0)

    assert commands() - watch.verbs == set(), "each command there is runs among secrets here"
    log = org.request("GET", "/__org/requests")
    watch.look("the org's request log", log.content)
    sealed = bench.folder / "tokens/sealed.json"
    watch.look(sealed, sealed.read_bytes())
    watch.look_at_files(
        besides={key, dead, commanded, pasted, *(bench.state / "local_org").rglob("*")}
    )
    assert watch.found == []


def test_github_is_told_what_to_star_out(bench, org):
    file = bench.job(
        JOB, connection=f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    )
    bench.env |= {"ORG_TOKEN": org.token, "GITHUB_ACTIONS": "true"}
    ended = bench.run("run", file, "-o", "json")
    assert ended.code == 0, ended.err
    assert f"::add-mask::{org.token}\n" in ended.err
    assert org.token not in ended.out
    assert ended.err.count(org.token) == 1


def test_a_file_that_stderr_goes_to_is_told_nothing(bench, org):
    file = bench.job(
        JOB, connection=f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    )
    bench.env |= {"ORG_TOKEN": org.token, "GITHUB_ACTIONS": "true"}
    with (bench.folder / "err.txt").open("w") as stderr:
        assert bench.start("run", file, stderr=stderr).wait(60) == 0
    assert org.token not in (bench.folder / "err.txt").read_text()


def repeating(token):
    """What an org, or something before it, may say of a request: with its headers."""
    dump = f"POST / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nX: {quote(token, safe='')}\r\n"
    return f"seen {token}, {b64encode(dump.encode()).decode()}, {token.encode().hex()}"


@OVER_BULK
def test_a_message_that_repeats_the_token_is_masked_in_every_file(bench, org, api):
    bench.write("a.csv", "Name,Tier__c\nn1,Tin\nn2,Tin\n")
    message = repeating(org.token)
    if api == "rest":
        error = {"statusCode": "INVALID_SESSION_X", "message": message, "fields": []}
        answer = json.dumps([{"success": False, "errors": [error]}] * 2)
        org.fault(kind="status", path="composite/sobjects", method="POST", status=200, body=answer)
    else:
        lines = [f'"","CUSTOM_{n}:{message}:Name --","n{n}","Tin"' for n in (1, 2)]
        answer = "\n".join(['"sf__Id","sf__Error","Name","Tier__c"', *lines]) + "\n"
        org.fault(kind="status", path="failedResults", status=200, body=answer)
    token = bench.write("t", org.token)
    job = bench.job(
        f"- {{name: load, create: Account, from: a.csv, api: {api}}}",
        connection=f"{{environment: local, url: '{org.url}', token: {{command: [cat, t]}}}}",
    )
    secrets = [org.token, org.token.encode().hex(), quote(org.token, safe="")]
    secrets += [b64encode(b"0" * n + org.token.encode()).decode()[4:-4] for n in range(3)]
    watch = Watch(bench, secrets)
    ended = watch.run("run", job, "-vv", "-o", "json", "--excel-safe", code=1)
    assert len(ended.task("load")["top_errors"]) >= 1
    watch.run("show", "-o", "json")
    watch.run("history", "-o", "json")
    failed = next((bench.state / "runs").rglob("failed.csv")).read_text()
    assert failed.count("seen ***, ") == 2
    watch.look_at_files(besides={token, *(bench.state / "local_org").rglob("*")})
    assert watch.found == []


def test_a_database_url_in_place_of_a_reference_is_not_shown(bench):
    bench.write("a.csv", "Name\nx\n")
    url = "postgresql+psycopg://ada:canary/pass@word0008@db.acme.example/crm"
    watch = Watch(bench, ["canary/pass", "word0008"])
    places = [
        f"from: '{url}', create: Account",
        f"from: {{database: '{url}', sql: SELECT 1}}, create: Account",
        f"from: {{database: {{env: '{url}'}}, sql: SELECT 1}}, create: Account",
        f"from: {{database: {{command: ['{url}']}}, sql: SELECT 1}}, create: Account",
        f"query: SELECT Id FROM Account, to: {{database: '{url}', table: t}}",
        f"query: SELECT Id FROM Account, to: '{url}', wrong: 1",
    ]
    for place in places:
        job = bench.job(f"- {{name: load, {place}}}")
        watch.run("validate", job, code=2)
        watch.run("validate", job, "-o", "json", code=2)
        watch.run("run", job, "-o", "json", code=2)
    watch.run(
        "login", "--token", "t.json", "--jwt", "--username", "a", "--key-env", url, "-o", "json"
    )
    assert watch.found == []


def token_text(url):
    """A token file that no org takes."""
    members = {
        "version": 1,
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "client_secret": CLIENT_SECRET,
        "instance_url": url,
        "login_url": url,
        "client_id": "app",
        "username": "ada@acme.example",
        "rotates": True,
    }
    return json.dumps(members)
