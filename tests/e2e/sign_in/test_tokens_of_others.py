"""Signing in by what another program has: a token or its JSON on standard input, the CLI's own."""

import json
import os
import subprocess

import pytest

from tests.e2e.conftest import USER
from tests.e2e.sign_in.conftest import ONE, job, kept
from tests.short_form import slow

APPS = """\
version: 1
apps:
  - client_id: web-app
    callbacks: ["http://localhost:1717/OauthRedirect"]
"""


@pytest.fixture
def org(serve_org):
    return serve_org(org_file=APPS)


def granted(org):
    """A refresh token of `web-app`, had as any other program would."""
    return org.grant("web-app")["refresh_token"]


def test_a_token_on_standard_input_is_taken_in_three_forms(bench, org):
    file = job(bench, org, "client_id: web-app, token: tokens/org.json")
    ended = bench.run("login", file, "--with-token", given=org.token + "\n")
    assert ended.code == 0, ended.err
    assert kept(bench)["access_token"] == org.token
    whole = (bench.folder / "tokens/org.json").read_text()
    assert bench.run("login", file, "--with-token", given=whole).code == 0
    assert bench.run("run", file).code == 0

    refresh_token = granted(org)
    host = org.url.removeprefix("http://")
    url = f"force://web-app::{refresh_token}@{host}"
    ended = bench.run("login", file, "--with-token", given=url)
    assert ended.code == 0, ended.err
    assert kept(bench)["refresh_token"] == refresh_token
    assert refresh_token not in ended.out + ended.err
    assert bench.run("run", file).code == 0


@pytest.mark.parametrize("text", ["", "two words", "force://nothing", '{"version": 1}'])
def test_what_is_no_token_is_refused_and_not_repeated(bench, org, text):
    file = job(bench, org, "client_id: web-app, token: tokens/org.json")
    ended = bench.run("login", file, "--with-token", given=text)
    assert ended.code == 4
    assert "standard input" in ended.err
    assert not (bench.folder / "tokens/org.json").exists()


@pytest.mark.parametrize("color", ["\x1b[32m", *slow("")])
def test_json_of_the_salesforce_cli_is_a_token(bench, org, color):
    file = job(bench, org, "client_id: web-app, token: tokens/org.json")
    refresh_token = granted(org)
    url = f"force://web-app::{refresh_token}@{org.url.removeprefix('http://')}"
    shown = {"accessToken": org.token, "instanceUrl": org.url, "username": USER, "id": "00D"}
    for result in (shown, {"sfdxAuthUrl": url}, {**shown, "sfdxAuthUrl": url}):
        answer = json.dumps({"status": 0, "result": result, "warnings": []}, indent=2)
        answer = answer.replace('"', f'{color}"', 1) + ("\x1b[39m" if color else "")
        ended = bench.run("login", file, "--with-token", given=answer)
        assert ended.code == 0, ended.err
        assert kept(bench).get("refresh_token") == (
            refresh_token if "sfdxAuthUrl" in result else None
        )
        assert bench.run("run", file).code == 0


def test_json_of_the_salesforce_cli_without_its_token_says_what_to_paste(bench, org):
    file = job(bench, org, "client_id: web-app, token: tokens/org.json")
    hidden = "[REDACTED] Use 'sf org auth show-access-token' to view"
    answer = json.dumps({"status": 0, "result": {"accessToken": hidden, "instanceUrl": org.url}})
    ended = bench.run("login", file, "--with-token", given=answer)
    assert ended.code == 4
    assert "sf org auth show-sfdx-auth-url --json" in ended.err


@pytest.mark.parametrize("force", ["1", "3", "true"])
def test_a_sign_in_of_the_salesforce_cli_is_read_in_colour(bench, org, force):
    file = job(bench, org, "client_id: web-app, token: tokens/org.json")
    url = f"force://web-app::{granted(org)}@{org.url.removeprefix('http://')}"
    answer = json.dumps({"status": 0, "result": {"sfdxAuthUrl": url}})
    coloured = answer.replace(url, f"\x1b[32m{url}\x1b[39m").replace("{", "\x1b[1m{\x1b[22m")
    cli = bench.write("sf", f"#!/bin/sh\ncat <<'END'\n{coloured}\nEND\n")
    cli.chmod(0o700)
    bench.env |= {"FORCE_COLOR": force, "SFRUNNER_SF": str(cli)}
    ended = bench.run("login", file, "--from-sf", "acme")
    assert ended.code == 0, ended.err


def test_the_environment_names_the_token_instead_of_the_job(bench, org):
    file = job(bench, org, "token: tokens/none.json")
    assert bench.run("whoami", file).code == 4
    bench.env["SFRUNNER_TOKEN"] = org.token
    assert bench.run("run", file).code == 0
    bench.env["SFRUNNER_TOKEN_COMMAND"] = "cat token.txt"
    ended = bench.run("run", file)
    assert (ended.code, "both set" in ended.err) == (2, True)
    del bench.env["SFRUNNER_TOKEN"]
    bench.write("token.txt", org.token)
    assert bench.run("run", file).code == 0
    del bench.env["SFRUNNER_TOKEN_COMMAND"]
    bench.env["SFRUNNER_TOKEN_FILE"] = "elsewhere.json"
    assert bench.run("login", file, "--with-token", given=org.token).code == 0
    assert (bench.folder / "elsewhere.json").exists()
    assert bench.run("run", file).code == 0


SF = """\
#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
asked = " ".join(words[:3])
if asked == os.environ["SF_ANSWERS"]:
    print(json.dumps({"status": 0, "result": {"sfdxAuthUrl": os.environ["SF_URL"]}}))
elif asked == "org display --verbose":
    print(json.dumps({"status": 0, "result": {"sfdxAuthUrl": "[REDACTED]"}}))
else:
    print(json.dumps({"status": 1, "name": "Error", "message": "No authorization found"}))
    sys.exit(1)
"""


@pytest.mark.parametrize(
    ("answers", "code"),
    [("org auth show-sfdx-auth-url", 0), ("org display --verbose", 0), ("nothing", 4)],
)
def test_a_sign_in_of_the_salesforce_cli_is_taken_over(bench, org, answers, code):
    url = f"force://web-app::{granted(org)}@{org.url.removeprefix('http://')}"
    cli = bench.write("bin/sf", SF)
    cli.chmod(0o755)
    bench.env |= {"SF_URL": url, "SF_ANSWERS": answers}
    bench.env["PATH"] = f"{cli.parent}{os.pathsep}{os.environ['PATH']}"
    file = job(bench, org, "token: tokens/org.json")
    ended = bench.run("login", file, "--from-sf", "acme")
    assert ended.code == code, ended.err
    if code:
        assert "No authorization found" in ended.err
        assert "--jwt" in ended.err
    else:
        assert bench.run("run", file).code == 0


def test_a_token_in_a_git_work_tree_is_refused_until_git_ignores_it(bench, org):
    subprocess.run(["git", "init", "-q", bench.folder], check=True)
    file = job(bench, org, "token: tokens/org.json")
    ended = bench.run("login", file, "--with-token", given=org.token)
    assert ended.code == 4
    assert ".gitignore" in ended.err
    bench.write(".gitignore", "/tokens/\n")
    assert bench.run("login", file, "--with-token", given=org.token).code == 0
    assert bench.run("run", file).code == 0
    bench.write(".gitignore", "")
    assert bench.run("run", file).code == 4, "read neither, once it is no longer ignored"


def test_what_is_no_token_file_is_not_overwritten(bench, org):
    notes = bench.write("notes.txt", "do not lose me")
    ended = bench.run("login", job(bench, org, "token: notes.txt"), "--with-token", given=org.token)
    assert ended.code == 1
    assert notes.read_text() == "do not lose me"


def test_an_encrypted_token_file_opens_with_its_key_alone(bench, org):
    bench.env["ACME_TOKEN_KEY"] = "correct horse battery staple"
    file = job(bench, org, "token: {file: tokens/org.json, key: {env: ACME_TOKEN_KEY}}")
    assert bench.run("login", file, "--with-token", given=org.token).code == 0
    assert org.token not in (bench.folder / "tokens/org.json").read_text()
    assert bench.run("run", file).code == 0
    bench.env["ACME_TOKEN_KEY"] = "another"
    ended = bench.run("run", file)
    assert ended.code == 4
    assert "cannot be decrypted with this key" in ended.err
    plain = job(bench, org, "token: tokens/org.json")
    ended = bench.run("run", plain)
    assert (ended.code, "is encrypted" in ended.err) == (4, True)


@pytest.mark.parametrize("domain", ["evil.example.com", "salesforce.com.evil.com"])
def test_a_token_goes_to_no_host_but_salesforces(bench, domain):
    bench.env["ACME_TOKEN"] = "00D5g00000ABCDE!AQ0AQ.pretended.token"
    file = bench.job(
        ONE, connection=f"{{environment: live, domain: {domain}, token: {{env: ACME_TOKEN}}}}"
    )
    ended = bench.run("whoami", file)
    assert ended.code == 2
    assert f"--allow-host {domain}" in ended.err
    bench.env["HTTPS_PROXY"] = "http://127.0.0.1:1"
    ended = bench.run("whoami", file, "--allow-host", domain)
    assert "cannot be reached" in ended.err
