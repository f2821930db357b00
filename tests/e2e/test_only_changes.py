"""Writes that send only what the records do not hold already, with either API."""

import csv
from pathlib import Path

import pytest

APIS = pytest.mark.parametrize("api", ["rest", "bulk"])
FIELDS = "SELECT Id, ERP_Id__c, Name, Phone, Score__c, SystemModstamp FROM Account ORDER BY Name"


def counts(ended, *names, task="load"):
    found = ended.task(task)["counts"]
    return tuple(found[name] for name in names)


def result_rows(ended, kind, task="load"):
    file = Path(ended.task(task)["results"]) / f"{kind}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@APIS
@pytest.mark.parametrize("verb", ["upsert", "update"])
@pytest.mark.parametrize("key", ["ERP_Id__c", "Id"])
def test_only_what_differs_is_sent(bench, org, api, verb, key):
    same = org.create("Account", Name="A", ERP_Id__c="K1", Phone="1", Score__c=1.5)
    other = org.create("Account", Name="B", ERP_Id__c="K2", Phone="2", Score__c=2)
    before = org.rows(FIELDS)
    ids = (same, other) if key == "Id" else ("k1", "K2")
    bench.write("a.csv", f"{key},Name,Phone,Score__c\n{ids[0]}, A ,,1.50\n{ids[1]},B,20,2.0\n")
    job = bench.job(
        f"- {{name: load, {verb}: Account, key: {key}, from: a.csv, "
        f"only_changes: true, api: {api}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "read", "created", "updated", "unchanged") == (2, 0, 1, 1)
    assert [row["sf__Row"] for row in result_rows(ended, "succeeded")] == ["2"]
    after = org.rows(FIELDS)
    assert after[0] == before[0]
    assert (after[1]["Phone"], after[1]["Score__c"]) == ("20", 2)
