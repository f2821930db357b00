"""An incremental query beside a writer, killed and resumed: its target ends up equal to the org."""

import os
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

SEED = int(os.environ.get("SOAK_SEED", "20261129"))
QUERY = "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account"
FAULTS = (
    {"kind": "answer_lost", "path": "query|deleted", "times": 1},
    {"kind": "truncated", "path": "query", "times": 1},
    {"kind": "status", "path": "deleted|query", "times": 1, "html": True},
    {"kind": "reset_before", "path": "query", "times": 1},
)
MINUTE = 60
MOST_LATE = 2
"""Queries that do not find a record yet; with a minute between them, the overlap is longer."""


class Writer:
    """Creates, changes and deletes records; some of them are found late."""

    def __init__(self, org, chance):
        self._org, self._chance = org, chance
        self.ids = []
        self._made = 0

    def writes(self, changes):
        for _ in range(changes):
            what = self._chance.choice(("create", "create", "change", "delete"))
            if what == "create" or not self.ids:
                self._create()
            elif what == "change":
                self._made += 1
                self._send("PATCH", self._chance.choice(self.ids), json={"Name": f"n {self._made}"})
            else:
                self._send("DELETE", self.ids.pop(self._chance.randrange(len(self.ids))))

    def _create(self):
        self._made += 1
        made = self._org.create("Account", Name=f"n {self._made}, new")
        self.ids.append(made)
        if self._chance.random() < 0.3:
            times = self._chance.randint(1, MOST_LATE)
            self._org.fault(kind="late_records", object="Account", values=[made], times=times)

    def _send(self, method, record, **more):
        path = f"/services/data/v62.0/sobjects/Account/{record}"
        assert self._org.request(method, path, **more).status_code == 204


class Course:
    """Rounds of writing and extracting."""

    def __init__(self, bench, org, killer, target):
        self.chance = random.Random(f"{SEED} {target}")  # noqa: S311 - a course that repeats
        self.org, self.killer, self.ahead = org, killer, 0
        self.state = bench.state
        self.job = bench.job(
            f"- {{name: changes, query: {QUERY!r}, since: SystemModstamp, lag: 0s, deleted: true, "
            f"retry: {{attempts: 4, longest_wait: 1s}}, to: {target}}}"
        )
        self.writer = Writer(org, self.chance)
        self.points = 20

    def extract(self, kill_at=None):
        self.ahead += MINUTE
        self.org.request("POST", "/__org/clock", json={"ahead": self.ahead})
        words = ("run", self.job, "-o", "json")
        ended = self.killer.run(*words, state=self.state, kill_at=kill_at)
        assert ended.code in ({0} if kill_at is None else {0, -9}), ended.err + ended.out
        self.points = ended.points or self.points

    def rounds(self, number, kills=0.5):
        for _ in range(number):
            chance = self.chance.random()
            kill_at = self.chance.randint(1, self.points) if chance < kills else None
            if chance > 0.7:
                self.org.fault(**self.chance.choice(FAULTS))
            with ThreadPoolExecutor(1) as beside:
                writing = beside.submit(self.writer.writes, 4)
                self.extract(kill_at)
                writing.result()
        for _ in range(MOST_LATE + 1):
            self.extract()
        self.org.go_on()

    def in_org(self):
        return sorted(
            (row["Id"], row["Name"]) for row in self.org.rows("SELECT Id, Name FROM Account")
        )


FILES = pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])


def merged_as_the_org(bench, org, killer, name, number):
    course = Course(bench, org, killer, f"{{file: {name}, mode: merge, key: Id}}")
    course.rounds(number)
    with duckdb.connect() as reader:
        found = reader.execute(f"SELECT Id, Name FROM '{bench.folder / name}'").fetchall()
    assert sorted(found) == course.in_org()


def test_a_file_is_as_the_org_however_often_the_extract_is_killed(bench, org, killer):
    merged_as_the_org(bench, org, killer, "a.csv", 5)


@FILES
@pytest.mark.slow
def test_a_file_is_as_the_org_after_many_rounds(bench, org, killer, name):
    merged_as_the_org(bench, org, killer, name, 300)


@pytest.mark.parametrize(
    "number", [5, pytest.param(300, marks=pytest.mark.slow)], ids=["quick", "long"]
)
@pytest.mark.parametrize("mode", ["merge, key: Id", "append"])
def test_a_table_is_as_the_org_and_has_no_version_twice(bench, org, killer, mode, number):
    file = bench.folder / "t.db"
    killer.env["DB"] = f"sqlite:///{file}"
    course = Course(bench, org, killer, f"{{database: {{env: DB}}, table: a, mode: {mode}}}")
    course.rounds(number)
    with sqlite3.connect(file) as link:
        twice = "SELECT Id FROM a GROUP BY Id, SystemModstamp, IsDeleted HAVING count(*) > 1"
        assert link.execute(twice).fetchall() == []
        last = (
            "SELECT Id, Name FROM (SELECT *, row_number() OVER"
            " (PARTITION BY Id ORDER BY rowid DESC) AS n FROM a) WHERE n = 1 AND NOT IsDeleted"
        )
        assert sorted(link.execute(last).fetchall()) == course.in_org()


def test_a_history_has_no_version_twice(bench, org, killer):
    course = Course(bench, org, killer, "{file: a.csv, mode: append}")
    course.rounds(4, kills=0)
    with duckdb.connect() as reader:
        file = bench.folder / "a.csv"
        rows = (
            f"(SELECT *, row_number() OVER () AS place FROM read_csv('{file}', all_varchar = true))"
        )
        twice = f"SELECT Id FROM {rows} GROUP BY Id, SystemModstamp, IsDeleted HAVING count(*) > 1"
        assert reader.execute(twice).fetchall() == []
        last = (
            f"SELECT Id, arg_max(Name, place) FROM {rows} GROUP BY Id"
            " HAVING arg_max(IsDeleted, place) = 'false'"
        )
        assert sorted(reader.execute(last).fetchall()) == course.in_org()
