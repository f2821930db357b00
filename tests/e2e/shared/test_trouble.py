"""The database or the store goes away, in the middle or before; and machines that are cut off."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.shared.relay import Relay

LOAD = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  api: bulk
- name: people
  create: Contact
  from: b.csv
  api: rest
"""
ROWS = 300
RELAY = Path(__file__).with_name("relay.py")


@pytest.fixture
def sources(fleet, two):
    fleet.write("jobs/a.csv", "Name,ERP_Id__c\n" + "".join(f"n {n},E{n:03}\n" for n in range(ROWS)))
    fleet.write("jobs/b.csv", "LastName\n" + "".join(f"p {n}\n" for n in range(ROWS)))


@pytest.fixture
def started():
    """Processes of the command, ended with the test."""
    processes = []
    yield processes
    for each in processes:
        if each.poll() is None:
            each.kill()
        each.communicate(timeout=60)


def start(started, machine, *words, within=()):
    """Start the command; gives it once its Bulk job is at work."""
    env = {**machine.killer.env, "SFRUNNER_STATE": machine.state, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "runner", *words, "-v"],
        cwd=machine.checkout,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    started.append(process)
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            return process
    pytest.fail(f"it ended: {process.wait(60)}")


def ended(process):
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def everything_once(org):
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": ROWS}]
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": ROWS}]


def test_a_database_that_goes_away_in_the_middle_stops_the_run_and_it_is_resumed(
    fleet, two, job, org, sources, started
):
    ada, _ = two
    relay = Relay("127.0.0.1:0", f"{fleet.database}/.s.PGSQL.5432")
    ada.state = ada.state.replace(
        f"@/postgres?host={fleet.database}", f"@127.0.0.1:{relay.port}/postgres?"
    )
    name = job(LOAD)
    org.stall_jobs()
    process = start(started, ada, "run", name)
    relay.cut()
    org.go_on()
    code, err = ended(process)
    assert code == 1, err
    assert "The state postgresql://127.0.0.1/postgres cannot be used:" in err
    assert "an unfinished run is resumed" in err
    relay.restore()
    del ada.killer.env["SFRUNNER_TEST_HOST"]  # it is seen at once that the process has ended
    resumed = ada.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err + resumed.out
    everything_once(org)
    relay.cut()
    refused = ada.run("history")
    assert (refused.code, "cannot be used: connection" in refused.err) == (5, True), refused.err


def test_a_store_that_cannot_be_written_stops_the_run_and_it_is_resumed(
    fleet, two, job, org, sources, started
):
    ada, bob = two
    store = fleet.root / "store"
    name = job(LOAD)
    store.write_text("in the way")
    refused = ada.run("run", name)
    assert refused.code == 5
    assert "cannot be written" in refused.err
    assert ada.run("history", "-o", "json").document["runs"] == []
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}], "nothing was sent"
    store.unlink()
    org.stall_jobs()
    process = start(started, ada, "run", name)
    store.rename(fleet.root / "away")
    store.write_text("in the way")
    org.go_on()
    code, err = ended(process)
    assert code == 1, err
    assert f"{store.as_uri()}/{fleet.schema} cannot be written" in err
    store.unlink()
    (fleet.root / "away").rename(store)
    fleet.run_out()
    resumed = bob.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err + resumed.out
    everything_once(org)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@pytest.fixture
def network(fleet, org):
    """A network namespace with a host that reaches the database over a cable, the org otherwise."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name = f"sf{secrets.token_hex(4)}"
    one, two, three = (secrets.randbelow(250) for _ in range(3))
    net = f"10.{one}.{two}.{4 * (three // 4)}"
    here, there = (f"{net.rpartition('.')[0]}.{4 * (three // 4) + n}" for n in (1, 2))
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine has no network namespaces: {error.stderr}")
    made = []
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        ip("address", "add", f"{here}/30", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("-n", name, "address", "add", f"{there}/30", "dev", f"{name}b")
        ip("-n", name, "link", "set", f"{name}b", "up")
        ip("-n", name, "link", "set", "lo", "up")
        database = Relay(f"{here}:0", f"{fleet.database}/.s.PGSQL.5432")
        made.append(database)
        port = org.url.rpartition(":")[2]
        made.append(Relay(f"{fleet.root}/org", f"127.0.0.1:{port}"))
        within = ("ip", "netns", "exec", name)
        relay = subprocess.Popen(
            [*within, sys.executable, RELAY, f"127.0.0.1:{port}", f"{fleet.root}/org"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        relay.stdout.readline()
        yield Cable(f"{name}a", f"{here}:{database.port}", within)
        relay.communicate(timeout=30)
    finally:
        for each in made:
            each.cut()
        subprocess.run(["ip", "link", "delete", f"{name}a"], check=False, capture_output=True)
        ip("netns", "delete", name)


class Cable:
    """Between a host in a namespace and the database."""

    def __init__(self, link, database, within):
        self._link = link
        self.database = database
        self.host = (*within, "unshare", "--uts", "sh", "-c", 'hostname ada && exec "$@"', "-")

    def cut(self):
        ip("link", "set", self._link, "down")

    def restore(self):
        ip("link", "set", self._link, "up")


def test_a_host_that_is_cut_off_in_an_upload_sends_nothing_after_another_took_over(
    fleet, two, job, org, sources, started, network
):
    ada, bob = two
    ada.state = ada.state.replace(
        f"@/postgres?host={fleet.database}", f"@{network.database}/postgres?"
    )
    name = job(LOAD)
    org.stall_jobs()
    cut_off = start(started, ada, "run", name, within=network.host)
    network.cut()
    held = bob.run("resume")
    assert held.code == 2, "its lease is not over"
    fleet.run_out()
    taking_over = start(started, bob, "resume")
    org.go_on()
    code, err = ended(taking_over)
    assert code == 0, err
    network.restore()
    code, err = ended(cut_off)
    assert code == 11, err
    assert "This machine was out of touch with the state for too long" in err
    everything_once(org)
    (run,) = bob.run("history", "-o", "json").document["runs"]
    assert (run["state"], run["exit_code"]) == ("finished", 0)
