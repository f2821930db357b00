"""Mirrors that delete only what they have created: `managed: true`."""

import csv
import shutil
from pathlib import Path

import pytest

from tests.e2e.apis import OVER_BULK

BY = pytest.mark.parametrize("by", ["ledger", "field"])
MIRROR = """
- name: gold
  mirror: Account
  key: ERP_Id__c
  scope: Tier__c = 'Gold'
  managed: true
  from: gold.csv
  api: {api}
  {more}
"""
FIELD = "owner_field: AccountNumber"
SOQL = "SELECT Id, ERP_Id__c, Name, Tier__c, AccountNumber FROM Account ORDER BY Name"
PATH = "/services/data/v60.0/sobjects/Account/{}"


def job(bench, *, api="rest", by="ledger", more="", **head):
    field = FIELD if by == "field" else ""
    return bench.job(MIRROR.format(api=api, more=f"{field}\n  {more}"), **head)


def source(bench, *keys):
    rows = (f"{key},name {key},Gold\n" for key in keys)
    bench.write("gold.csv", "ERP_Id__c,Name,Tier__c\n" + "".join(rows))


def by_hand(org, name, **fields):
    return org.create("Account", Name=name, Tier__c="Gold", **fields)


def names(org):
    return [row["Name"] for row in org.rows(SOQL)]


def run(bench, written, *words, code=0):
    ended = bench.run(*(words or ("run", written)), "-o", "json")
    assert ended.code == code, ended.err + ended.out
    return ended


def forget(bench):
    """Be another machine."""
    for file in bench.state.glob("ledger.sqlite*"):
        file.unlink()
    shutil.rmtree(bench.state / "runs")


def counts(ended, task="gold.missing"):
    found = ended.task(task)["counts"]
    return found["read"], found["skipped"], found["deleted"]


def skipped(ended):
    file = Path(ended.task("gold.missing")["results"]) / "skipped.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return [(row["Id"], row["sf__Code"]) for row in csv.DictReader(lines)]


@OVER_BULK
@BY
def test_only_records_that_the_mirror_has_created_are_deleted(bench, org, api, by):
    """A hand-made record stays, also one whose key the source had for a while."""
    mine = by_hand(org, "mine")
    adopted = by_hand(org, "a", ERP_Id__c="K1")
    written = job(bench, api=api, by=by)
    source(bench, "K1", "K2", "K3")
    first = run(bench, written)
    assert counts(first) == (1, 1, 0)
    assert names(org) == ["mine", "name K1", "name K2", "name K3"]
    source(bench, "K3")
    planned = run(bench, written, "plan", written)
    planned = {task["name"]: task["counts"] for task in planned.document["tasks"]}
    assert (planned["gold.missing"]["delete"], planned["gold.missing"]["skipped"]) == (1, 2)
    second = run(bench, written)
    assert counts(second) == (3, 2, 1)
    assert sorted(skipped(second)) == sorted((each, "NOT_MANAGED") for each in (mine, adopted))
    assert names(org) == ["mine", "name K1", "name K3"]
    marked = [row["Name"] for row in org.rows(SOQL) if row["AccountNumber"]]
    assert marked == (["name K3"] if by == "field" else [])


def test_missing_records_that_others_created_get_no_values(bench, org):
    by_hand(org, "mine", Active__c=True)
    written = job(bench, more="missing: {set: {Active__c: false, Name: off}}")
    source(bench, "K1", "K2")
    run(bench, written)
    source(bench, "K2")
    run(bench, written)
    assert names(org) == ["mine", "name K2", "off"]
    again = run(bench, written).task("gold.missing")["counts"]
    assert (again["unchanged"], again["skipped"]) == (1, 1)
    source(bench, "K1", "K2")
    run(bench, written)
    assert names(org) == ["mine", "name K1", "name K2"]


def test_without_its_ledger_a_mirror_deletes_nothing_and_says_so(bench, org):
    written = job(bench)
    source(bench, "K1", "K2")
    run(bench, written)
    forget(bench)
    source(bench, "K2")
    ended = bench.run("run", written)
    assert ended.code == 0, ended.err
    assert "no record is known that this mirror created" in ended.err
    assert "1 x NOT_MANAGED: Id: this mirror is not known to have created" in ended.out
    assert names(org) == ["name K1", "name K2"]


def test_an_owner_field_is_known_on_every_machine(bench, org):
    written = job(bench, by="field")
    source(bench, "K1", "K2", "K3")
    run(bench, written)
    taken = next(row["Id"] for row in org.rows(SOQL) if row["ERP_Id__c"] == "K1")
    assert org.request("PATCH", PATH.format(taken), json={"AccountNumber": None}).is_success
    forget(bench)
    source(bench, "K3")
    ended = bench.run("run", written)
    assert ended.code == 0, ended.err
    assert "AccountNumber is not 'test/gold'" in ended.out
    assert names(org) == ["name K1", "name K3"]


def test_a_record_that_is_taken_away_during_the_run_stays(bench, org):
    source(bench, "K1", "K2", "K3")
    run(bench, job(bench, by="field"))
    taken = next(row["Id"] for row in org.rows(SOQL) if row["ERP_Id__c"] == "K1")
    bench.write("people.csv", f"Id,AccountNumber\n{taken},mine\n")
    source(bench, "K3")
    people = "- {name: people, update: Account, from: people.csv, needs: [gold]}\n"
    ended = run(bench, bench.job(MIRROR.format(api="rest", more=FIELD) + people))
    assert counts(ended) == (2, 1, 1)
    assert skipped(ended) == [(taken, "LEFT_SCOPE")]
    assert names(org) == ["name K1", "name K3"]


def test_the_list_outlasts_the_runs(bench, org):
    written = job(bench)
    source(bench, "K1", "K2")
    run(bench, written)
    pruned = bench.run("history", "--prune", "--keep", "0")
    assert pruned.code == 0, pruned.err
    source(bench, "K2")
    assert counts(run(bench, written)) == (1, 0, 1)


@BY
def test_an_undo_gives_back_and_takes_away(bench, org, by):
    written = job(bench, by=by)
    source(bench, "K1", "K2")
    run(bench, written)
    source(bench, "K2")
    deleted = run(bench, written).document["run_id"]
    run(bench, written, "undo", deleted, "--yes")
    assert names(org) == ["name K1", "name K2"]
    assert counts(run(bench, written)) == (1, 0, 1)
    source(bench, "K2", "K5")
    created = run(bench, written).document["run_id"]
    run(bench, written, "undo", created, "--yes")
    assert names(org) == ["name K2"]


def test_a_plain_mirror_keeps_the_list_for_later(bench, org):
    source(bench, "K1", "K2")
    plain = bench.job(MIRROR.format(api="rest", more="").replace("managed: true", ""))
    run(bench, plain)
    mine = by_hand(org, "mine")
    first = run(bench, plain)
    assert counts(first) == (1, 0, 1)
    run(bench, plain, "undo", first.document["run_id"], "--yes")
    source(bench, "K2")
    assert counts(run(bench, job(bench))) == (2, 1, 1)
    assert mine in {row["Id"] for row in org.rows(SOQL)}


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("Description", "Description is not a text field that the org can search"),
        ("ERP_Owner__c", "Account has no field ERP_Owner__c"),
    ],
)
def test_a_field_that_cannot_mark_records(bench, org, field, why):
    source(bench, "K1")
    ended = bench.run("run", job(bench, more=f"owner_field: {field}"))
    assert ended.code == 2, ended.err
    assert why in ended.err
    assert f"owner_field: {field}" in ended.err
    assert names(org) == []
