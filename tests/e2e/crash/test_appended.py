"""A query that adds rows to its target, killed: they are there once after the next run."""

import random
import sqlite3
from contextlib import closing

import pytest

from tests.e2e.crash.test_incremental_crashes import Held

SEED = 20261130
RECORDS = 3
TABLE = "database: {env: DB}, table: a"
TARGETS = {
    "a.csv": "file: a.csv",
    "a.parquet": "file: a.parquet",
    "folder": "folder: a, format: parquet",
    "sqlite": TABLE,
    "postgresql": TABLE,
    "duckdb": TABLE,
    "delta": "folder: a, format: delta",
}
IN_SUITE = {"a.csv": "run", "sqlite": "resume"}
QUERY = "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account"


def filled(org):
    for number in range(RECORDS):
        org.create("Account", Name=f"n {number}")


class Loads:
    """Runs of one job that adds all records to its target each time."""

    def __init__(self, bench, killer, target, more=""):
        self._killer, self._state = killer, bench.state
        self.job = bench.job(
            f"- {{name: load, query: {QUERY!r}, {more} to: {{{target}, mode: append}}}}"
        )

    def run(self, kill_at=None):
        ended = self.go_on("run", self.job, kill_at=kill_at)
        assert ended.code in {0, -9}, ended.err + ended.out
        return ended

    def go_on(self, *words, kill_at=None):
        return self._killer.run(*words, "-o", "json", state=self._state, kill_at=kill_at)

    def finished(self):
        """How many runs have nothing left to resume; one that sent nothing is one of them later."""
        with closing(sqlite3.connect(self._state / "ledger.sqlite")) as ledger, ledger:
            found = ledger.execute("SELECT count(*) FROM runs WHERE settled AND exit_code = 0")
            return found.fetchone()[0]


@pytest.mark.parametrize(
    ("kind", "by"),
    list(IN_SUITE.items())
    + [
        pytest.param(kind, by, marks=pytest.mark.slow)
        for kind in TARGETS
        for by in ("run", "resume")
    ],
)
def test_every_run_adds_its_rows_once(bench, org, killer, request, kind, by):
    """Killed at any point, and finished by `run` or `resume`."""
    filled(org)
    held = Held(kind, bench, killer, request)
    loads = Loads(bench, killer, TARGETS[kind])
    loads.run()
    points = loads.run().points
    chosen = range(1, points + 1)
    if not request.node.get_closest_marker("slow"):
        near = range(points - 8, points - 2)
        chosen = sorted(random.Random(f"{SEED} {kind}").sample(near, 3))  # noqa: S311 - repeats
    times = 2
    for at in chosen:
        before = loads.finished()
        assert loads.run(kill_at=at).code == -9
        was_over = loads.finished() > before
        resumed = by == "resume" and not was_over and loads.go_on("resume").code == 0
        if not resumed:
            loads.run()
        times += 2 if was_over else 1
        assert len(held.rows()) == times * RECORDS, f"killed at point {at}"


def test_a_target_that_changed_since_does_not_tell_and_nothing_is_added(bench, org, killer):
    """Somebody else has written the file after the kill: a person has to look."""
    filled(org)
    loads = Loads(bench, killer, TARGETS["a.csv"])
    file = bench.folder / "a.csv"
    points = loads.run().points
    for at in range(points - 12, points):
        lines = len(file.read_text().splitlines())
        loads.run(kill_at=at)
        if len(file.read_text().splitlines()) > lines:
            break
        loads.run()
    with file.open("a") as stream:
        stream.write(file.read_text().splitlines()[-1] + "\n")
    written = file.read_text()
    for verb in (("run", loads.job), ("resume",)):
        ended = loads.go_on(*verb)
        assert ended.code == 1, ended.out
        assert f"It is not known whether the rows of task 'load' are in {file}" in ended.out
        assert "--abandon" in ended.out
        assert file.read_text() == written
    assert loads.go_on("resume", "--abandon").code == 0
    loads.run()
    assert len(file.read_text().splitlines()) == len(written.splitlines()) + RECORDS


def test_a_resume_says_that_the_rows_were_there(bench, org, killer):
    filled(org)
    loads = Loads(bench, killer, TARGETS["a.csv"])
    points = loads.run().points
    for at in range(points - 12, points):
        loads.run(kill_at=at)
        (task,) = loads.run().document["tasks"]
        if told := [each for each in task["notes"] if "already" in each]:
            break
    assert told == ["its rows were in the target already when the run was resumed"]
    assert (task["status"], task["counts"]["written"]) == ("done", RECORDS)
