"""Any record of a query is the same in another org, by way of every target as a source."""

import json
import os
import subprocess
import sys
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.property.records import FIELDS, FULL, HARD, ORG_FILE, as_csv, rows_of_every_type

LOOKUP = "      Parent__c: {type: lookup, label: Parent, to: Thing__c, relationship: Parent__r}\n"
COLUMNS = (*FIELDS, "Parent__r.Key__c")
PARENTS = ("p1", 'p ü/"2')
TARGETS = ("csv", "csv.gz", "tsv", "json", "jsonl", "parquet", "xlsx", "xml", "db")


class Orgs:
    """Two orgs with the same objects, and the way from one to the other."""

    def __init__(self, folder):
        self._folder = folder
        self._batches = count(1)
        self._environ = os.environ | {"SFRUNNER_STATE": str(folder / "state")}
        (folder / "parents.json").write_text(json.dumps([{"Key__c": key} for key in PARENTS]))
        for org in ("first", "second"):
            (folder / f"{org}.yaml").write_text(ORG_FILE + LOOKUP, encoding="utf-8")

    def pass_on(self, rows, apis):
        """Put rows into the first org, and by every target into the second.

        Gives what a query writes from the first org, and from the second by target.
        """
        batch = f"b{next(self._batches)}"
        lines = [row | {"Key__c": f"{n:04}"} for n, row in enumerate(rows)]
        (self._folder / "in.csv").write_bytes(as_csv(lines))
        fields = {name: name for name in FIELDS} | {
            "Key__c": f"'{batch}-' || Key__c",
            "Parent__r.Key__c": f"(['{PARENTS[0]}', '{PARENTS[1]}', ''])[1 + Key__c::INT % 3]",
        }
        tasks = [upsert("load", "in.csv", fields | {"Batch__c": f"'{batch}'"})]
        tasks.append(query("plain", batch, COLUMNS[1:], f"{batch}.csv"))
        for n, kind in enumerate(TARGETS):
            to = self._target(f"{batch}-out.{kind}", kind)
            tasks.append(query(f"to_{n}", batch, COLUMNS, to, apis[n % 2]))
        self._run("first", tasks)

        tasks = []
        for n, kind in enumerate(TARGETS):
            own = {"Key__c": f"'{kind}-' || Key__c", "Batch__c": f"'{batch}-{kind}'"}
            fields = {name: f'"{name}"' for name in COLUMNS} | own
            found = self._source(f"{batch}-out.{kind}", kind)
            tasks.append(upsert(f"load_{n}", found, fields, apis[n // 2 % 2]))
            tasks.append(query(f"plain_{n}", f"{batch}-{kind}", COLUMNS[1:], f"{batch}-{kind}.csv"))
        self._run("second", tasks)
        return self._text(batch), {kind: self._text(f"{batch}-{kind}") for kind in TARGETS}

    def _target(self, name, kind):
        return {"database": self._database(name), "table": "t"} if kind == "db" else name

    def _source(self, name, kind):
        special = {
            "db": {"database": self._database(name), "sql": "SELECT * FROM t"},
            "xml": {"file": name, "record": "/records/record"},
        }
        return special.get(kind, name)

    def _database(self, name):
        self._environ["BETWEEN_URL"] = f"sqlite:///{self._folder / name}"
        return {"env": "BETWEEN_URL"}

    def _run(self, org, tasks):
        parents = upsert("parents", "parents.json", {"Key__c": "Key__c"})
        connection = {"environment": "local", "org_file": f"{org}.yaml"}
        job = {"version": 1, "connection": connection, "tasks": [parents, *tasks]}
        (self._folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", "runner", "run", self._folder / "job.yaml"],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def _text(self, batch):
        return (self._folder / f"{batch}.csv").read_text(encoding="utf-8")


def upsert(name, found, fields, api="rest"):
    return {
        "name": name,
        "upsert": "Thing__c",
        "key": "Key__c",
        "api": api,
        "from": found,
        "fields": fields,
    }


def query(name, batch, columns, to, api="rest"):
    where = f"FROM Thing__c WHERE Batch__c = '{batch}' ORDER BY Key__c"
    return {"name": name, "query": f"SELECT {', '.join(columns)} {where}", "api": api, "to": to}


@pytest.fixture(scope="module")
def orgs(tmp_path_factory):
    return Orgs(tmp_path_factory.mktemp("orgs"))


def check(orgs, rows, apis):
    rows = [FULL, *rows]  # an XML file has no element for what no record has
    wanted, found = orgs.pass_on(rows, apis)
    assert wanted.count("\n") > len(rows)
    for kind, text in found.items():
        assert text == wanted, kind


def test_every_hard_record_is_the_same_in_another_org(orgs):
    check(orgs, HARD, ("rest", "bulk"))


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes seconds
)
@given(rows=rows_of_every_type, apis=st.permutations(("rest", "bulk")))
def test_every_record_is_the_same_in_another_org(orgs, rows, apis):
    check(orgs, rows, apis)
