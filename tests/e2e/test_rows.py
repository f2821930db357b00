"""Rows that arrive as the org would keep them, or fail alone, with either API."""

import csv
from pathlib import Path

import pytest

APIS = pytest.mark.parametrize("api", ["rest", "bulk"])


def result_rows(ended, kind, task="load"):
    file = Path(ended.task(task)["results"]) / f"{kind}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def counts(ended, *names, task="load"):
    found = ended.task(task)["counts"]
    return tuple(found[name] for name in names)


@APIS
def test_outer_white_space_makes_no_other_key_and_no_value(bench, org, api):
    org.create("Account", Name="Alpha", ERP_Id__c="A1", Phone="1")
    parent = org.create("Account", Name="Beta", ERP_Id__c="\u00a0B1", Phone="2")
    bench.write(
        "a.csv", 'ERP_Id__c,Name,Phone\n" A1\t", Alpha ,"\t "\n\u00a0B1,Beta,3\n" ",Gamma,\n'
    )
    bench.write("c.csv", 'ERP_Id__c,LastName,Account.ERP_Id__c\nC1,One,"\u00a0B1 "\n')
    job = bench.job(f"""
- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}}}
- {{name: contacts, upsert: Contact, key: ERP_Id__c, from: c.csv, api: {api}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert counts(ended, "created", "updated", "failed") == (0, 2, 1)
    assert [row["sf__Code"] for row in result_rows(ended, "failed")] == ["KEY_IS_BLANK"]
    found = org.rows("SELECT Name, ERP_Id__c, Phone FROM Account ORDER BY Name")
    assert [(r["Name"], r["ERP_Id__c"], r["Phone"]) for r in found] == [
        ("Alpha", "A1", "1"),
        ("Beta", "\u00a0B1", "3"),
    ]
    assert org.rows("SELECT AccountId FROM Contact")[0]["AccountId"] == parent
