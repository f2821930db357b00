"""An incremental query beside a writer, killed and resumed: its target ends up equal to the org."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import deltalake
import duckdb
import pytest
import sqlalchemy

SEED = int(os.environ.get("SOAK_SEED", "20261129"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "300"))
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
    """Rounds of writing and extracting; every few rounds the target is compared with the org."""

    def __init__(self, bench, org, killer, target):
        self.chance = random.Random(f"{SEED} {target}")  # noqa: S311 - a course that repeats
        self.org, self.killer, self.ahead = org, killer, 0
        self.state = bench.state
        self.job = bench.job(
            f"- {{name: changes, query: {QUERY!r}, since: SystemModstamp, lag: 0s, deleted: true, "
            f"retry: {{attempts: 4, longest_wait: 1s}}, to: {target}}}"
        )
        # Its own: the two threads would take each other's turns, and no course would repeat.
        self.writer = Writer(org, random.Random(f"{SEED} {target} writer"))  # noqa: S311 - as above
        # A comparison with an org that has no record is refused, and the writer may delete all.
        org.create("Account", Name="always there")
        self.points = 20
        self.compares = "merge" in target

    def extract(self, kill_at=None):
        self.ahead += MINUTE
        self.org.request("POST", "/__org/clock", json={"ahead": self.ahead})
        again = self.compares and self.chance.random() < 0.3
        words = ("run", self.job, "-o", "json", *(["--reconcile"] if again else []))
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


MERGED = "mode: merge, key: Id"
TABLE = "database: {env: DB}, table: a"
TARGETS = {
    "a.csv": f"file: a.csv, {MERGED}",
    "a.csv history": "file: a.csv, mode: append",
    "a.jsonl": f"file: a.jsonl, {MERGED}",
    "a.parquet": f"file: a.parquet, {MERGED}",
    "folder": f"folder: a, format: parquet, {MERGED}",
    "sqlite": f"{TABLE}, {MERGED}",
    "sqlite history": f"{TABLE}, mode: append",
    "postgresql": f"{TABLE}, {MERGED}",
    "postgresql history": f"{TABLE}, mode: append",
    "duckdb": f"{TABLE}, {MERGED}",
    "duckdb history": f"{TABLE}, mode: append",
    "delta": f"folder: a, format: delta, {MERGED}",
    "delta history": "folder: a, format: delta, mode: append",
}
IN_SUITE = {"a.csv", "sqlite history", "postgresql", "delta history"}


class Held:
    """What a target has."""

    def __init__(self, kind, bench, killer, request):
        self._kind, self._folder = kind, bench.folder
        if kind.startswith("sqlite"):
            self._url = f"sqlite:///{bench.folder / 't.db'}"
        elif kind.startswith("duckdb"):
            self._url = f"duckdb:///{bench.folder / 't.duckdb'}"
        elif kind.startswith("postgresql"):
            self._url = request.getfixturevalue("empty_postgres")
            self._ask("DROP TABLE IF EXISTS a, _sfrunner_state")
        else:
            return
        killer.env["DB"] = self._url

    def rows(self):
        """Id, name, whether it is deleted, and stamp of each row; of a history in its order."""
        cells = 'SELECT "Id", "Name", "IsDeleted", "SystemModstamp" FROM'
        if self._kind.startswith("duckdb"):
            with duckdb.connect(self._folder / "t.duckdb", read_only=True) as reader:
                return reader.execute(f"{cells} a").fetchall()
        if self._kind.startswith(("sqlite", "postgresql")):
            # A vacuum lets rows that are appended later take places in front.
            order = "rowid" if self._kind.startswith("sqlite") else "xmin::text::bigint"
            return self._ask(f"{cells} a ORDER BY {order}")
        if self._kind.startswith("delta"):
            table = deltalake.DeltaTable(str(self._folder / "a"))
            read = deltalake.QueryBuilder().register("t", table)
            with duckdb.connect() as reader:
                reader.register("a", read.execute(f"{cells} t ORDER BY 4, 3"))
                return reader.execute("FROM a").fetchall()
        found = self._folder / self._kind.removesuffix(" history")
        place = f"'{found if found.is_file() else self._folder / 'a/**/*.parquet'}'"
        place = f"read_csv({place}, all_varchar = true)" if found.suffix == ".csv" else place
        with duckdb.connect() as reader:
            return reader.execute(f"{cells} {place}").fetchall()

    def _ask(self, sql):
        engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.pool.NullPool)
        with engine.begin() as link:
            found = link.exec_driver_sql(sql)
            return [tuple(row) for row in found] if found.returns_rows else []


@pytest.mark.parametrize(
    ("kind", "number"),
    [(each, 3) for each in TARGETS if each in IN_SUITE]
    + [pytest.param(each, ROUNDS, marks=pytest.mark.slow) for each in TARGETS],
)
def test_a_target_is_as_the_org_however_often_the_extract_is_killed(
    bench, org, killer, request, kind, number
):
    held = Held(kind, bench, killer, request)
    course = Course(bench, org, killer, f"{{{TARGETS[kind]}}}")
    course.rounds(number)
    rows, last = held.rows(), {}
    for row in rows:
        last[row[0]] = row
    if "history" in kind:
        assert len(set(rows)) == len(rows)  # no version twice
    else:
        assert len(last) == len(rows)
    there = [(row[0], row[1]) for row in last.values() if row[2] in {False, "false"}]
    assert sorted(there) == course.in_org()
