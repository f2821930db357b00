"""Signing in and out, in a real browser, and what a run does with a token that dies."""

import json
import re
import shutil
import signal
import socket
import stat
import subprocess
from contextlib import suppress
from random import SystemRandom

import httpx
import pytest

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def port():
    """A free port below those that the system gives away to others until it is used here."""
    for candidate in SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return candidate
    raise AssertionError("no port is free")


@pytest.fixture
def page():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser.new_page()
        browser.close()


def connected_job(bench, org):
    connection = f"{{environment: local, url: '{org.url}', client_id: app, token: tokens/org.json}}"
    return bench.job(ONE, connection=connection)


def begun(bench, job, port, *more, **options):
    """Start a sign-in; give its process and the address it shows."""
    bench.env["SFRUNNER_BROWSER"] = "true"
    process = bench.start("login", job, "--port", port, *more, stdin=subprocess.PIPE, **options)
    for line in process.stderr:
        if line.startswith("http"):
            return process, line.strip()
    raise AssertionError(process.communicate())


@needs_browser
def test_approving_in_the_browser_seeds_the_token_and_logging_out_ends_it(bench, org, port, page):
    job = connected_job(bench, org)
    process, address = begun(bench, job, port)
    page.goto(address)
    page.click("#login")
    page.click("#approve")
    page.wait_for_url("**/done")
    assert "Signed in" in page.inner_text("body")
    assert "code=" not in page.url
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    token = bench.folder / "tokens/org.json"
    kept = json.loads(token.read_text())
    assert str(token) in out
    assert org.url in out
    assert kept["access_token"] not in out + err
    assert kept["refresh_token"] not in out + err
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700

    who = bench.run("whoami", job, "-o", "json")
    assert who.code == 0, who.err
    assert who.document["org_id"].startswith("00D")
    assert bench.run("run", job).code == 0

    ended = bench.run("logout", job)
    assert ended.code == 0, ended.err
    assert not token.exists()
    dead = org.request(
        "GET",
        "/services/data/v62.0/limits",
        headers={"Authorization": f"Bearer {kept['access_token']}"},
    )
    assert dead.status_code == 401, "the org no longer takes it"
    who = bench.run("whoami", job)
    assert who.code == 4
    assert "runner login" in who.err


@needs_browser
def test_denying_in_the_browser_leaves_no_token(bench, org, port, page):
    job = connected_job(bench, org)
    process, address = begun(bench, job, port)
    page.goto(address)
    page.click("#login")
    page.click("#deny")
    page.wait_for_url("**/done")
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "denied" in err.lower()
    assert not (bench.folder / "tokens/org.json").exists()


def test_nobody_in_the_browser_ends_in_time_with_what_to_check(bench, org, port):
    process, _address = begun(bench, connected_job(bench, org), port, "--timeout", "0.2")
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "redirect_uri_mismatch" in err


def test_ctrl_c_ends_a_sign_in_that_a_script_has_started_in_the_background(bench, org, port):
    def in_background():  # as a shell does it
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    job = connected_job(bench, org)
    process, _address = begun(bench, job, port, preexec_fn=in_background)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_a_taken_port_is_named(bench, org):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ended = bench.run("login", connected_job(bench, org), "--port", taken)
    assert ended.code == 4
    assert str(taken) in ended.err
    assert "--port" in ended.err


def test_a_pasted_address_signs_in_without_a_browser_here(bench, org, port):
    job = connected_job(bench, org)
    process, address = begun(bench, job, port, "--no-browser")
    landed = approve_by_hand(address)
    out, err = process.communicate(landed + "\n", timeout=60)
    assert process.returncode == 0, err
    assert "Signed in" in out
    assert bench.run("run", job).code == 0


def test_a_pasted_address_of_another_sign_in_is_refused(bench, org, port):
    job = connected_job(bench, org)
    process, address = begun(bench, job, port, "--no-browser")
    landed = approve_by_hand(address).replace("state=", "state=x")
    _out, err = process.communicate(landed + "\n", timeout=60)
    assert process.returncode == 4, err
    assert not (bench.folder / "tokens/org.json").exists()


def approve_by_hand(address):
    """Send the page's two forms without a browser; give the address they lead to."""
    with httpx.Client(follow_redirects=False) as client:
        user = re.search(r'name="username" value="([^"]+)"', client.get(address).text)[1]
        for step in ("login", "approve"):
            answer = client.post(address, data={"username": user, "step": step})
    return answer.headers["location"]


@pytest.mark.parametrize("rotate", [False, True])
def test_a_dead_access_token_is_renewed_and_what_the_org_gives_is_kept(
    bench, serve_org, port, rotate
):
    org = serve_org(*(["--rotate"] if rotate else []))
    job = connected_job(bench, org)
    process, address = begun(bench, job, port, "--no-browser")
    process.communicate(approve_by_hand(address) + "\n", timeout=60)
    token = bench.folder / "tokens/org.json"
    before = json.loads(token.read_text())
    for _ in range(3):
        answer = org.request("POST", "/__org/sessions/expire")
        assert answer.status_code < 300, answer.text
        ended = bench.run("run", job)
        assert ended.code == 0, ended.err
    after = json.loads(token.read_text())
    assert after["access_token"] != before["access_token"]
    assert (after["refresh_token"] != before["refresh_token"]) is rotate


def test_a_token_that_dies_in_the_middle_of_a_run_is_renewed_there(bench, serve_org, port):
    org = serve_org("--rotate")
    connection = f"{{environment: local, url: '{org.url}', client_id: app, token: tokens/org.json}}"
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(1000)))
    job = bench.job(
        """
- name: load
  create: Account
  from: a.csv
  api: rest
""",
        connection=connection,
    )
    process, address = begun(bench, job, port, "--no-browser")
    process.communicate(approve_by_hand(address) + "\n", timeout=60)
    fault = {"kind": "stale_session", "path": ".*/composite/sobjects", "nth": 3}
    answer = org.request("POST", "/__org/faults", json=fault)
    assert answer.status_code < 300, answer.text
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.task("load")["counts"]["created"] == 1000
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 1000}]
