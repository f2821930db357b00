"""Targets that keep their rows hold what the org has, run after run."""

import csv
import json
import re
import sqlite3
from contextlib import closing

SOBJECTS = "/services/data/v62.0/sobjects/Account"
TASK = """
- name: {form}
  query: SELECT Id, Name, Score__c, IsDeleted FROM Account
  deleted: true
  to: {{file: out/accounts.{form}, mode: merge, key: Id}}
"""
FORMS = ("csv", "jsonl", "parquet", "table")
TABLE = "{database: {env: WAREHOUSE_URL}, table: accounts, mode: merge, key: Id}"


def test_a_merged_file_follows_the_org(org, bench):
    kept, changed, gone = (org.create("Account", Name=name, Score__c=1.5) for name in "abc")
    bench.env["WAREHOUSE_URL"] = f"sqlite:///{bench.folder / 'warehouse.db'}"
    tasks = "".join(TASK.format(form=form) for form in FORMS)
    bench.job(re.sub(r"{file: out/accounts.table.*", TABLE, tasks))
    ended = bench.run("run", "job.yaml", "-o", "json")
    assert ended.code == 0, ended.err
    assert [ended.task(form)["notes"] for form in FORMS] == [["3 new, 0 updated"]] * 4
    org.request("PATCH", f"{SOBJECTS}/{changed}", json={"Name": "B"})
    org.request("DELETE", f"{SOBJECTS}/{gone}")
    new = org.create("Account", Name="d")
    ended = bench.run("run", "job.yaml", "-o", "json")
    assert ended.code == 0, ended.err
    said = ["1 new, 2 updated, 1 removed"]
    assert [ended.task(form)["notes"] for form in FORMS] == [said] * 4
    with (bench.folder / "out/accounts.csv").open(newline="", encoding="utf-8") as stream:
        rows = [(each["Id"], each["Name"], each["Score__c"]) for each in csv.DictReader(stream)]
    assert rows == [(kept, "a", "1.5"), (changed, "B", "1.5"), (new, "d", "")]
    lines = (bench.folder / "out/accounts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["Name"] for line in lines] == ["a", "B", "d"]
    with closing(sqlite3.connect(bench.folder / "warehouse.db")) as link:
        found = link.execute("SELECT Id, Name, IsDeleted FROM accounts ORDER BY Name").fetchall()
    assert found == [(changed, "B", 0), (kept, "a", 0), (new, "d", 0)]
