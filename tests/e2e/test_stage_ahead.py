"""The rows of the next write are read while the org works on those of this one."""

import gzip
import signal
import threading

import pytest

from runner.cli.app import app
from runner.cli.terminal import Exit
from runner.engine import source_rows, write
from tests.e2e.proxy import Proxy

SECONDS = 120
"""More than a start takes on a busy machine; nothing waits that long for what comes."""
TASKS = """\
- name: first
  create: Account
  from: a.csv
  api: bulk
- name: second
  create: Contact
  from: b.csv
  api: bulk
"""


@pytest.fixture
def files(bench, org):
    bench.env["T"] = org.token
    bench.write("a.csv", "Name,ERP_Id__c\n" + "".join(f"a{n},A{n}\n" for n in range(30)))
    bench.write("b.csv", "LastName,ERP_Id__c\n" + "".join(f"b{n},B{n}\n" for n in range(20)))
    return bench


def connection(org):
    return f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"


def contacts(org):
    return {row["LastName"] for row in org.rows("SELECT LastName FROM Contact")}


def test_rows_are_read_while_the_org_works(files, org, monkeypatch):
    read = threading.Event()

    def until_read(passing):
        if passing.method == "GET" and "/jobs/ingest/" in passing.path:
            assert read.wait(SECONDS)

    def reading(task, *rest):
        assert task.name == "second"
        rows = source_rows_read(task, *rest)
        files.write("b.csv", "LastName,ERP_Id__c\nlate,L\n")
        read.set()
        return rows

    source_rows_read = write.read_rows  # as the tasks themselves call it
    monkeypatch.setattr(source_rows, "read_rows", reading)
    for name, value in files.environ().items():
        monkeypatch.setenv(name, value)
    proxy = Proxy(org, change=until_read)
    try:
        job = files.job(TASKS, connection=proxy.connection)
        with pytest.raises(Exit) as ended:
            app(["run", str(job), "-q"])
    finally:
        proxy.close()
    assert ended.value.code == 0
    assert contacts(org) == {f"b{n}" for n in range(20)}


def test_rows_that_are_read_ahead_make_room_for_those_of_the_task_that_runs(
    files, org, monkeypatch
):
    read, reading = threading.Event(), write.read_rows

    def until_read(passing):
        if passing.method == "GET" and "/jobs/ingest/" in passing.path:
            assert read.wait(SECONDS)

    def noted(*args):
        try:
            return reading(*args)
        finally:
            read.set()

    monkeypatch.setattr(source_rows, "read_rows", noted)
    for name, value in files.environ().items():
        monkeypatch.setenv(name, value)
    for name, column, count in (("a", "Name", 2000), ("b", "LastName", 6000)):
        rows = "".join(f"{name}{n},{'x' * 500}\n" for n in range(count))
        packed = gzip.compress(f"{column},Description\n{rows}".encode())
        (files.folder / f"{name}.csv.gz").write_bytes(packed)
    proxy = Proxy(org, change=until_read)
    try:
        job = files.job(TASKS.replace(".csv", ".csv.gz"), connection=proxy.connection)
        with pytest.raises(Exit) as ended:
            app(["run", str(job), "-q", "--max-disk", "5600KB"])
    finally:
        proxy.close()
    assert ended.value.code == 1
    assert read.is_set()
    shown = files.run("show", "last", "-o", "json").document
    assert [each["outcome"]["status"] for each in shown["tasks"]] == ["done", "failed"]


@pytest.mark.parametrize(
    "changed",
    [
        TASKS.replace("api: bulk", "api: bulk\n  results: out", 1).replace(
            "from: b.csv", "from: out/succeeded.csv\n  fields: {LastName: Name}"
        ),
        TASKS.replace("api: bulk", "api: bulk\n  results: out", 1).replace(
            "from: b.csv", "from: {task: first}\n  fields: {LastName: Name}"
        ),
    ],
    ids=["results", "task"],
)
def test_what_a_task_leaves_is_not_read_before(files, org, changed):
    files.write("out/succeeded.csv", "Name,ERP_Id__c\nold,O\n")
    ended = files.run("run", files.job(changed, connection=connection(org)), "-o", "json")
    assert ended.code == 0, ended.err
    assert contacts(org) == {f"a{n}" for n in range(30)}


@pytest.mark.parametrize(
    ("rows", "told", "code", "accounts"),
    [
        ("Nonsense\nx\n", "Nonsense", 2, 0),
        ('LastName\n"open\n', "b.csv", 1, 30),
        ("LastName,ERP_Id__c\nb,B\nb,B,C\n", "b.csv", 1, 30),
    ],
    ids=["column", "quote", "cells"],
)
def test_a_source_that_cannot_be_read_fails_its_own_task(files, org, rows, told, code, accounts):
    files.write("b.csv", rows)
    job = files.job(TASKS, connection=connection(org))
    ended = files.run("run", job, "-o", "json")
    assert ended.code == code, ended.err
    assert told in ended.out + ended.err
    assert contacts(org) == set()
    assert len(org.rows("SELECT Id FROM Account")) == accounts


def test_nothing_is_left_of_rows_whose_task_does_not_start(files, org):
    files.write("a.csv", "Name,ERP_Id__c\n" + f"{'n' * 300},A\n" * 3)
    ended = files.run("run", files.job(TASKS, connection=connection(org)), "-o", "json")
    assert ended.code != 0
    assert ended.task("second")["status"] == "skipped"
    assert not list(files.state.glob("runs/*/second/staging"))


def test_a_run_that_is_interrupted_continues_with_all_rows(files, org):
    job = files.job(TASKS, connection=connection(org))
    org.stall_jobs()
    process = files.start("run", job, "-v")
    for line in process.stderr:
        if "InProgress" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert not list(files.state.glob("runs/*/second/staging"))
    org.go_on()
    assert files.run("resume", "last").code == 0
    assert contacts(org) == {f"b{n}" for n in range(20)}
    assert len(org.rows("SELECT Id FROM Account")) == 30
