"""`--timeout` and a task's `timeout` end every wait for the network within two seconds."""

import re
import socket
import threading
import time

import pytest

from tests.e2e.proxy import Proxy

TASKS = {
    "query": "- name: t\n  query: SELECT Id FROM Account\n  to: out.csv\n  api: rest\n",
    "bulk query": "- name: t\n  query: SELECT Id FROM Account\n  to: out.csv\n  api: bulk\n",
    "create": "- name: t\n  create: Account\n  from: a.csv\n  api: rest\n",
    "bulk create": "- name: t\n  create: Account\n  from: a.csv\n  api: bulk\n",
}
PLACES = {
    "connecting": "/services/data$",
    "describing": "/describe",
    "querying": "FROM%20Account",
    "asking for a query job": "/jobs/query/",
    "sending": "/composite/sobjects",
    "uploading": "/batches",
    "asking for a job": "/jobs/ingest/",
    "downloading": "/successfulResults",
}
CASES = [
    ("query", "connecting"),
    ("query", "describing"),
    ("query", "querying"),
    ("bulk query", "asking for a query job"),
    ("create", "sending"),
    ("bulk create", "uploading"),
    ("bulk create", "asking for a job"),
    ("bulk create", "downloading"),
]


START = 2
"""Seconds for the start of the process, on a busy machine."""


class Dripping(Proxy):
    """Sends the answers to some requests byte by byte, headers too, or never."""

    def __init__(self, org, pattern, seconds):
        self.pattern, self.seconds = pattern, seconds
        self._closed = threading.Event()
        super().__init__(org)

    def sent(self, handler, passing, data):
        if not re.search(self.pattern, passing.path):
            handler.wfile.write(data)
            return
        handler.close_connection = True
        try:
            for at in range(len(data)):
                handler.wfile.write(data[at : at + 1])
                if self._closed.wait(self.seconds):
                    return
        except OSError:
            pass

    def close(self):
        self._closed.set()
        super().close()


WAYS = ("drips", "never comes")


def every_wait():
    """Each place with one of the ways, in turn; with the other one in the long form."""
    for number, case in enumerate(CASES):
        for at, way in enumerate(WAYS):
            marks = [] if at == number % len(WAYS) else [pytest.mark.slow]
            yield pytest.param(*case, way, marks=marks)


@pytest.mark.parametrize(("task", "place", "way"), [*every_wait()])
def test_the_timeout_of_a_run_ends_every_wait(bench, org, task, place, way):
    bench.write("a.csv", "Name\nx\n")
    bench.env["T"] = org.token
    proxy = Dripping(org, PLACES[place], 0.3 if way == "drips" else 60)
    try:
        job = bench.job(TASKS[task], connection=proxy.connection)
        began = time.monotonic()
        ended = bench.run("run", job, "--timeout", "2s")
        assert time.monotonic() - began < 2 + 2 + START
        assert ended.code == 5, ended.err
        assert "longer than its `--timeout`" in ended.err + ended.out
    finally:
        proxy.close()


def test_the_timeout_of_a_task_ends_a_wait(bench, org):
    bench.env["T"] = org.token
    proxy = Dripping(org, PLACES["querying"], 0.3)
    try:
        job = bench.job(TASKS["query"] + "  timeout: 2s\n", connection=proxy.connection)
        began = time.monotonic()
        ended = bench.run("run", job)
        assert time.monotonic() - began < 2 + 2 + START
        assert ended.code == 5, ended.err
        assert "longer than its timeout of 2 s" in ended.err + ended.out
    finally:
        proxy.close()


def test_a_long_retry_after_does_not_outlast_the_timeout(bench, org):
    bench.env["T"] = org.token
    proxy = Proxy(org)

    def busy(passing):
        passing.status, passing.body, passing.headers = 503, b"busy", {"Retry-After": "60"}

    proxy.change = busy
    try:
        job = bench.job(TASKS["query"], connection=proxy.connection)
        began = time.monotonic()
        ended = bench.run("run", job, "--timeout", "4s")
        assert time.monotonic() - began < 4 + START
        assert ended.code == 5, ended.err
    finally:
        proxy.close()


def test_a_server_that_accepts_and_is_silent(bench):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.env["T"] = "00D000000000001!x"
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        connection = f"{{environment: local, url: '{url}', token: {{env: T}}}}"
        began = time.monotonic()
        ended = bench.run(
            "run", bench.job(TASKS["query"], connection=connection), "--timeout", "2s"
        )
        assert time.monotonic() - began < 2 + 2 + START
        assert ended.code == 5, ended.err


def test_a_run_whose_time_is_up_before_it_is_connected_is_run_again(bench, org):
    bench.write("a.csv", "Name\nx\n")
    bench.env["T"] = org.token
    proxy = Dripping(org, PLACES["connecting"], 0.3)
    try:
        ended = bench.run(
            "run", bench.job(TASKS["create"], connection=proxy.connection), "--timeout", "2s"
        )
        assert ended.code == 5, ended.err
        assert "longer than its `--timeout`" in ended.err + ended.out
        proxy.pattern = "nothing"
        assert "run again" in ended.err
        again = bench.run("run", bench.folder / "job.yaml")
        assert again.code == 0, again.err
        assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 1}]
    finally:
        proxy.close()
