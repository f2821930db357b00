"""Runs that are killed at a chosen point, and what must be equal afterwards."""

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.warm_process import Warm

DRIVER = "tests.e2e.crash.driver"
OBJECTS = ("Account", "Contact")
IDS = {"sf__Id", "Id", "sf__Fields"}


@dataclass
class Killer:
    """The command in forks of a warm process."""

    warm: Warm
    folder: Path
    env: dict
    driver: str = DRIVER
    """The module that kills."""
    times: int = 0

    def run(self, *words, state, kill_at=None):
        self.times += 1
        out = self.folder / "out" / str(self.times)
        out.mkdir(parents=True)
        asked = {
            "argv": [str(word) for word in words],
            "cwd": str(self.folder),
            "env": {**self.env, "SFRUNNER_STATE": str(state)},
            "within": self.driver,
            "kill_at": kill_at,
            "out": str(out),
            "streams": [os.devnull, str(out / "out"), str(out / "err")],
        }
        code = self.warm.ask(asked)
        passed = out / "points"
        points = int(passed.read_text()) if passed.exists() else None
        return Ended(code, points, (out / "out").read_text(), (out / "err").read_text())


@dataclass
class Ended:
    """How a run in a fork ended."""

    code: int
    points: int | None
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@dataclass
class Scenario:
    """A job, what the org holds before it, and what is compared after it."""

    name: str
    tasks: str
    rows: Callable
    """Makes the source's text, given the seeded records."""
    seeds: int = 0
    may_doubt: bool = False
    """A create that cannot be found again: rows may be in doubt, and then exit 3 is right."""
    tells_new: bool = False
    """Whether records made just before the run would be taken for its own."""
    marks: tuple = ()
    """Of its tests."""


@dataclass
class CrashBench:
    """One scenario on one org, run again and again."""

    scenario: Scenario
    org: object
    bench: object
    killer: Killer
    job: Path
    number: int = 0
    notes: list = field(default_factory=list)

    def prepare(self):
        """The org and the source as they are before each run; a state folder of its own."""
        self.number += 1
        assert self.org.request("POST", "/__org/reset").status_code == 204
        seeded = self._seed()
        self.bench.write("a.csv", self.scenario.rows(seeded))
        return self.bench.folder / "states" / str(self.number)

    def _seed(self):
        seeds = [
            {"attributes": {"type": "Account"}, "Name": f"old {n}", "ERP_Id__c": f"E{n:04}"}
            for n in range(self.scenario.seeds)
        ]
        ids = []
        for start in range(0, len(seeds), 200):
            body = {"allOrNone": True, "records": seeds[start : start + 200]}
            path = "/services/data/v62.0/composite/sobjects"
            answer = self.org.request("POST", path, json=body).json()
            ids += [each["id"] for each in answer]
        if self.scenario.tells_new:
            self.org.later(self.number)
        return ids

    def undisturbed(self):
        state = self.prepare()
        ended = self.killer.run("run", self.job, "-o", "json", state=state)
        assert ended.code == 0, ended.err + ended.out
        return ended.points, self.picture(ended.document)

    def killed_and_resumed(self, kill_at, *, by="resume"):
        """What is there after a kill at a point and a resume; the resume may be killed too."""
        state = self.prepare()
        ended = self.killer.run("run", self.job, "-o", "json", state=state, kill_at=kill_at)
        if ended.code == 0:
            return self.picture(ended.document), ended.code
        assert ended.code == -9, ended.err
        return self.finish(state, by=by)

    def finish(self, state, *, by="resume"):
        words = ("resume",) if by == "resume" else ("run", self.job)
        ended = self.killer.run(*words, "-o", "json", state=state)
        if ended.code == 2:
            assert "nothing to resume" in ended.out, ended.out
            shown = self.killer.run("show", "last", "-o", "json", state=state)
            if shown.code == 0 and shown.document["exit_code"] is not None:
                document = shown.document
                document["tasks"] = [task["outcome"] for task in document["tasks"]]
                return self.picture(document), 0
            ended = self.killer.run("run", self.job, "-o", "json", state=state)
        assert ended.code in ({0, 3} if self.scenario.may_doubt else {0}), ended.err + ended.out
        return self.picture(ended.document), ended.code

    def open_jobs(self):
        jobs = self.org.request("GET", "/services/data/v68.0/jobs/ingest").json()["records"]
        return [job["id"] for job in jobs if job["state"] == "Open"]

    def picture(self, document):
        """What must be the same however often the run was killed."""
        soql = "SELECT Name, ERP_Id__c, Phone FROM {}"
        records = [
            {"object": each, **row} for each in OBJECTS for row in self.org.rows(soql.format(each))
        ]
        return {
            "org": sorted(map(str, records)),
            "counts": {task["name"]: task["counts"] for task in document["tasks"]},
            "status": {task["name"]: task["status"] for task in document["tasks"]},
            "files": {
                f"{task['name']}/{file.name}": rows_without_ids(file)
                for task in document["tasks"]
                if task["results"]
                for file in sorted(Path(task["results"]).glob("*.csv"))
            },
            "jobs left open": self.open_jobs(),
            "target": rows_without_ids(self.bench.folder / "out.csv"),
        }


def rows_without_ids(file):
    if not file.exists():
        return None
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            sorted((k, v) for k, v in row.items() if k not in IDS) for row in csv.DictReader(lines)
        ]


def names(count, **columns):
    """A source of accounts; other columns as texts made of the number."""
    head = ",".join(["Name", *columns])
    lines = [
        ",".join([f"n {n}", *(text.format(n=n) for text in columns.values())]) for n in range(count)
    ]
    return "\n".join([head, *lines]) + "\n"


def by_ids(ids, column=""):
    return (
        "\n".join(
            [
                f"Id{column and ',' + column}",
                *(f"{i}{column and f',p {n}'}" for n, i in enumerate(ids)),
            ]
        )
        + "\n"
    )


WRITE = "- name: load\n  {verb}: Account\n  from: a.csv\n  api: {api}\n"
RETRY = "  retry: {attempts: 4, longest_wait: 1s}\n"
COUNT = 450


def _scenarios():
    for api in ("rest", "bulk"):
        yield Scenario(
            f"create-{api}",
            WRITE.format(verb="create", api=api) + RETRY,
            lambda _ids: names(COUNT, Phone="0{n}"),
            may_doubt=api == "rest",
        )
        yield Scenario(
            f"create-findable-{api}",
            WRITE.format(verb="create", api=api) + RETRY,
            lambda _ids: names(COUNT, ERP_Id__c="N{n:04}"),
        )
        yield Scenario(
            f"upsert-{api}",
            WRITE.format(verb="upsert", api=api) + "  key: ERP_Id__c\n" + RETRY,
            lambda _ids: names(COUNT, ERP_Id__c="E{n:04}"),
            seeds=220,
            tells_new=api == "rest",
        )
        yield Scenario(
            f"update-{api}",
            WRITE.format(verb="update", api=api) + RETRY,
            lambda ids: by_ids(ids, "Phone"),
            seeds=COUNT,
        )
        yield Scenario(
            f"delete-{api}",
            WRITE.format(verb="delete", api=api) + RETRY,
            by_ids,
            seeds=COUNT,
        )
        query = "- name: list\n  query: SELECT Name, ERP_Id__c FROM Account ORDER BY Name\n"
        yield Scenario(
            f"query-{api}",
            query + f"  to: out.csv\n  api: {api}\n" + WRITE.format(verb="create", api="bulk"),
            lambda _ids: names(30),
            seeds=300,
        )


def _keyed():
    """Records that are looked up first, and rows without an Id."""
    key = "  key: ERP_Id__c\n" + RETRY
    rows = {"ERP_Id__c": "E{n:04}"}
    yield Scenario(
        "update-by-key-bulk",
        WRITE.format(verb="update", api="bulk") + key,
        lambda _ids: names(COUNT, **rows, Phone="p {n}"),
        seeds=COUNT,
    )
    yield Scenario(
        "delete-by-key-rest",
        WRITE.format(verb="delete", api="rest") + key,
        lambda _ids: names(COUNT, **rows),
        seeds=COUNT,
    )
    yield Scenario(
        "upsert-on-create-rest",
        WRITE.format(verb="upsert", api="rest") + key + "  on_create: [Phone]\n",
        lambda _ids: names(COUNT, **rows, Phone="p {n}"),
        seeds=220,
        tells_new=True,
    )
    yield Scenario(
        "upsert-by-id-rest",
        WRITE.format(verb="upsert", api="rest") + "  key: Id\n" + RETRY,
        lambda ids: by_ids([*ids, *[""] * (COUNT - len(ids))], "Name"),
        seeds=220,
        may_doubt=True,
        tells_new=True,
    )


def _compared():
    """Rows that are compared with their records first: every other one changes nothing."""
    for api, more in (("bulk", ""), ("rest", "  match: update_only\n")):
        yield Scenario(
            f"only-changes-{api}",
            WRITE.format(verb="upsert", api=api)
            + "  key: ERP_Id__c\n  only_changes: true\n"
            + more
            + RETRY.replace("4", "8"),  # so few are sent that locks may not end before attempts do
            lambda _ids: (
                "Name,ERP_Id__c,Phone\n"
                + "".join(f"old {n},E{n:04},{'p' * (n % 2)}\n" for n in range(COUNT))
            ),
            seeds=400,
        )


def _mirrored():
    """Rows that are new, that change something, and records that are missing."""
    for api in ("rest", "bulk"):
        yield Scenario(
            f"mirror-{api}",
            WRITE.format(verb="mirror", api=api)
            + "  key: ERP_Id__c\n  scope: ERP_Id__c != null\n"
            + RETRY.replace("4", "8"),  # one row that stays locked stops the deletes
            lambda _ids: (
                "Name,ERP_Id__c\n" + "".join(f"n {n},E{n:04}\n" for n in range(120, COUNT))
            ),
            seeds=220,
            tells_new=api == "rest",
        )


def _merged():
    """Masters with three losers each: two merges, in one call or in two."""
    yield Scenario(
        "merge",
        WRITE.format(verb="merge", api="rest").replace("  api: rest\n", "")
        + "  master: keep\n  losers: drop\n  fill: [ERP_Id__c]\n  batch_size: 20\n"
        + RETRY.replace("4", "12"),  # three records that are locked or not
        lambda ids: (
            "keep,drop\n"
            + "".join(
                f"{ids[n]},{ids[n + each]}\n" for each in (1, 2, 3) for n in range(0, len(ids), 4)
            )
        ),
        seeds=60,
        marks=(pytest.mark.slow,),
    )


def _side_by_side():
    """Two writes that do not wait for each other, and a query that waits for both."""
    contacts = (
        "- name: people\n  create: Contact\n  from: a.csv\n  api: bulk\n  needs: []\n"
        "  fields: {LastName: Name, ERP_Id__c: ERP_Id__c}\n" + RETRY
    )
    query = "- name: list\n  query: SELECT Name FROM Contact ORDER BY ERP_Id__c\n  to: out.csv\n"
    for api in ("rest", "bulk"):
        yield Scenario(
            f"side-by-side-{api}",
            WRITE.format(verb="create", api=api) + "  needs: []\n" + RETRY + contacts + query,
            lambda _ids: names(COUNT, ERP_Id__c="N{n:04}"),
        )


_ALL = (*_scenarios(), *_keyed(), *_compared(), *_mirrored(), *_merged(), *_side_by_side())
SCENARIOS = {each.name: each for each in _ALL}


@pytest.fixture
def killer(bench, warm):
    return Killer(warm, bench.folder, bench.environ())


@pytest.fixture
def crash_bench(bench, org, killer):
    """Makes the bench of a scenario."""
    killer.env["T"] = org.token

    def make(name):
        scenario = SCENARIOS[name]
        connection = f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"
        job = bench.job(scenario.tasks, connection=connection)
        return CrashBench(scenario, org, bench, killer, job)

    return make


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        every = [pytest.param(name, marks=each.marks) for name, each in SCENARIOS.items()]
        metafunc.parametrize("scenario", every)
