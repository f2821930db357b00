"""A local org that a run has started lives until the last run that uses it has ended."""

import fcntl
import signal
import subprocess

import pytest

from tests.short_form import slow

LOAD = """
- name: load
  create: Account
  from: {file: "-", format: csv}
"""


def connected(bench, job):
    """A run that has met the org and waits for its rows."""
    process = bench.start("run", job, stdin=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("connected to"):
            return process, line
    raise AssertionError(process.wait())


def finished(process, name):
    _, told = process.communicate(f"Name\n{name}\n", timeout=60)
    assert process.returncode == 0, told


@pytest.mark.parametrize("ends", ["by a kill", *slow("in order")])
def test_the_run_that_started_it_may_end_first(bench, ends):
    first, where = connected(bench, bench.job(LOAD, name="a.yaml"))
    second, also_where = connected(bench, bench.job(LOAD, name="b.yaml"))
    assert where == also_where
    if ends == "in order":
        finished(first, "a")
    else:
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=60)
    finished(second, "b")
    (file,) = (bench.state / "local_org").glob("*/server.json")
    with file.open() as served:
        fcntl.flock(served, fcntl.LOCK_EX)  # had once the org has ended, which nobody asked to stay
    count = "- {name: n, query: SELECT Name FROM Account ORDER BY Name, to: n.csv}"
    ended = bench.run("run", bench.job(count, name="n.yaml"))
    assert ended.code == 0, ended.err
    expected = ['"a"', '"b"'] if ends == "in order" else ['"b"']
    assert (bench.folder / "n.csv").read_text().split() == ['"Name"', *expected]
