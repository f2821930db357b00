"""Mirrors: records in a scope become what the source says, and nothing outside of it changes."""

import csv
from itertools import product
from pathlib import Path

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import short_form, slow

MIRROR = """
- name: gold
  mirror: Account
  key: ERP_Id__c
  scope: Tier__c = 'Gold'
  from: gold.csv
  api: {api}
  {more}
"""
HEADER = "ERP_Id__c,Name,Tier__c"
SOQL = "SELECT Id, ERP_Id__c, Name, Tier__c, Active__c, SystemModstamp FROM Account ORDER BY Name"


def job(bench, *, api="rest", more="", **head):
    return bench.job(MIRROR.format(api=api, more=more), **head)


def source(bench, *rows):
    bench.write("gold.csv", "".join(f"{line}\n" for line in (HEADER, *rows)))


def seed(org):
    """One record that stays, one that changes, two that are missing, and two outside."""
    for key, name, tier in [
        ("K1", "A", "Gold"),
        ("K2", "B", "Gold"),
        ("K3", "C", "Gold"),
        (None, "D", "Gold"),
        ("S1", "E", "Silver"),
        (None, "F", None),
    ]:
        fields = {"Name": name, "Tier__c": tier, "Active__c": True}
        org.create("Account", **fields, **({"ERP_Id__c": key} if key else {}))


def names(org, tier="Gold"):
    return [row["Name"] for row in org.rows(SOQL) if row["Tier__c"] == tier]


def counts(ended, task, *which):
    found = ended.task(task)["counts"]
    return tuple(found[name] for name in which)


def failed(ended, task="gold"):
    file = Path(ended.task(task)["results"]) / "failed.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return [(row["sf__Row"], row["sf__Code"]) for row in csv.DictReader(lines)]


@OVER_BULK
def test_the_scope_becomes_what_the_source_says_and_nothing_else_changes(bench, org, api):
    seed(org)
    before = {row["Name"]: row for row in org.rows(SOQL)}
    source(bench, "K1,A,Gold", "k2,B2,Gold", "K9,New,Gold")
    ended = bench.run("run", job(bench, api=api, more="undo: true"), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "gold", "created", "updated", "unchanged") == (1, 1, 1)
    assert counts(ended, "gold.missing", "read", "deleted") == (2, 2)
    assert names(org) == ["A", "B2", "New"]
    after = {row["Name"]: row for row in org.rows(SOQL)}
    assert [after[name] == before[name] for name in "AEF"] == [True, True, True]
    again = bench.run("run", job(bench, api=api), "-o", "json")
    assert again.code == 0, again.err
    assert counts(again, "gold", "created", "updated", "unchanged") == (0, 0, 3)
    assert counts(again, "gold.missing", "read", "deleted") == (0, 0)
    undone = bench.run("undo", ended.document["run_id"], "--yes")
    assert undone.code == 0, undone.err
    assert names(org) == ["A", "B", "C", "D"]


@OVER_BULK
def test_missing_records_get_values(bench, org, api):
    seed(org)
    source(bench, "K1,A,Gold", "K2,B,Gold")
    written = job(bench, api=api, more="missing: {set: {Active__c: false, Name: It's off}}")
    ended = bench.run("run", written, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "gold.missing", "read", "updated") == (2, 2)
    found = [(row["Name"], row["Active__c"]) for row in org.rows(SOQL) if row["Tier__c"] == "Gold"]
    assert found == [("A", True), ("B", True), ("It's off", False), ("It's off", False)]
    again = bench.run("run", written, "-o", "json")
    assert counts(again, "gold.missing", "read", "updated", "unchanged") == (2, 0, 2)


@OVER_REST
def test_a_row_of_a_record_outside_the_scope_fails(bench, org, api):
    seed(org)
    source(bench, "K1,A,Gold", "s1,Mine,Gold", "K2,B,Gold", "K3,C,Gold")
    ended = bench.run("run", job(bench, api=api), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert failed(ended) == [("2", "OUTSIDE_SCOPE")]
    assert names(org, "Silver") == ["E"]
    assert names(org) == ["A", "B", "C"]


def test_a_source_without_rows_deletes_nothing(bench, org):
    seed(org)
    source(bench)
    ended = bench.run("run", job(bench))
    assert ended.code != 0
    assert "has no rows, and a mirror never empties its scope" in ended.err + ended.out
    assert names(org) == ["A", "B", "C", "D"]


def test_a_row_that_cannot_be_read_may_stand_for_any_record(bench, org):
    seed(org)
    source(bench, "K1,A2,Gold", ",No key,Gold")
    ended = bench.run("run", job(bench), "-o", "json")
    assert ended.code != 0
    assert ended.task("gold")["status"] == "partial"
    assert ended.task("gold.missing")["status"] == "failed"
    assert "not certain which records are missing" in ended.err + ended.out
    assert names(org) == ["A2", "B", "C", "D"]


LIMITS = {
    "max_deletes: 1": True,
    "max_deletes: 2": False,
    "max_deletes: 40%": True,
    "max_deletes: 50%": False,
    "min_rows: 3": True,
}


@pytest.mark.parametrize(
    ("of_job", "limits"),
    short_form(
        [*product([True, False], LIMITS)],
        [
            (True, "max_deletes: 1"),
            (False, "max_deletes: 2"),
            (False, "max_deletes: 40%"),
            (True, "max_deletes: 50%"),
            (False, "min_rows: 3"),
        ],
    ),
)
def test_limits_of_a_mirror_stop_it_before_it_writes(bench, org, limits, of_job):
    stops = LIMITS[limits]
    seed(org)
    source(bench, "K1,A2,Gold", "K2,B,Gold")
    where = {"head": f"limits: {{{limits}}}\n"} if of_job else {"more": f"limits: {{{limits}}}"}
    written = job(bench, **where)
    planned = bench.run("plan", written)
    assert ("would delete" in planned.out or "requires 3" in planned.out) == stops, planned.out
    ended = bench.run("run", written)
    assert ended.code == (6 if stops else 0), ended.err + ended.out
    assert names(org) == (["A", "B", "C", "D"] if stops else ["A2", "B"])


def test_a_plan_shows_all_of_a_mirror_and_is_applied(bench, org):
    seed(org)
    source(bench, "K1,A2,Gold", "K2,B,Gold", "K9,New,Gold")
    planned = bench.run("plan", job(bench), "-o", "json", "--save", "kept.plan")
    assert planned.code == 0, planned.err
    found = {task["name"]: task["counts"] for task in planned.document["tasks"]}
    assert found["gold"]["create"] == 1
    assert found["gold"]["update"] == 1
    assert found["gold.missing"]["delete"] == 2
    record = next(row["Id"] for row in org.rows(SOQL) if row["Name"] == "D")
    path = f"/services/data/v60.0/sobjects/Account/{record}"
    clock = org.request("POST", "/__org/clock", json={"ahead": 60})  # stamps are whole seconds
    assert clock.status_code == 200, clock.text
    org.request("PATCH", path, json={"Name": "D2"})
    applied = bench.run("apply", "kept.plan", "--yes")
    assert applied.code == 3, applied.err
    assert names(org) == ["A2", "B", "D2", "New"]


def test_children_are_deleted_before_their_parents_and_last(bench, org):
    old = org.create("Account", Name="Old", ERP_Id__c="A1", Tier__c="Gold")
    org.create("Contact", LastName="Moves", ERP_Id__c="C1", AccountId=old)
    org.create("Contact", LastName="Goes", ERP_Id__c="C2", AccountId=old)
    source(bench, "A2,New,Gold")
    bench.write("people.csv", "ERP_Id__c,LastName,Account.ERP_Id__c\nC1,Moves,A2\n")
    people = """
- name: people
  mirror: Contact
  key: ERP_Id__c
  scope: ERP_Id__c != null
  from: people.csv
"""
    ended = bench.run("run", bench.job(MIRROR.format(api="rest", more="") + people), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    order = [task["name"] for task in ended.document["tasks"]]
    assert order == ["gold", "people", "people.missing", "gold.missing"]
    assert names(org) == ["New"]
    found = org.rows("SELECT LastName, Account.Name FROM Contact")
    assert [row["LastName"] for row in found] == ["Moves"]


def test_a_named_mirror_runs_whole(bench, org):
    seed(org)
    source(bench, "K1,A,Gold")
    ended = bench.run("run", job(bench), "--task", "gold", "-o", "json")
    assert ended.code == 0, ended.err
    assert names(org) == ["A"]


def test_a_retry_deletes_nothing_new(bench, org):
    seed(org)
    source(bench, "K1,A,Gold", "K2,B,Gold", "S1,Mine,Gold")
    first = bench.run("run", job(bench), "-o", "json")
    assert first.code == 3, first.err
    again = bench.run("retry", first.document["run_id"])
    assert again.code in {1, 3}, again.err
    assert names(org) == ["A", "B"]
    assert names(org, "Silver") == ["E"]


@pytest.mark.parametrize(
    ("scope", "column", "good", "bad"),
    [
        ("Tier__c IN ('Gold', 'Silver') AND Name != null", "Tier__c", ["Silver"], "Bronze"),
        ("Score__c = :score", "Score__c", ["7.50"], "8"),
        *slow(
            ("Tier__c = 'gold'", "Tier__c", ["Gold", ""], "Silver"),
            ("Name != null AND Tier__c != 'Bronze'", "Tier__c", ["Gold"], "Bronze"),
            ("Active__c = true", "Active__c", ["yes", "1", "true"], "false"),
        ),
    ],
)
def test_rows_that_would_be_outside_the_scope_stop_all(bench, org, scope, column, good, bad):
    head = "params: {score: {type: number, default: 7.5}}\n" if ":score" in scope else ""
    written = bench.job(
        MIRROR.format(api="rest", more="").replace("Tier__c = 'Gold'", scope), head=head
    )
    rows = [f"K{n},N{n},{value}" for n, value in enumerate(good)]
    bench.write("gold.csv", "\n".join([f"ERP_Id__c,Name,{column}", *rows, f"K9,N9,{bad}", ""]))
    for verb in ("plan", "run"):
        ended = bench.run(verb, written)
        said = ended.out + ended.err
        assert ended.code != 0, said
        assert "job/row-outside-scope" in said
        assert f"row {len(good) + 1} of `gold` sets {column} to '{bad}'" in said
    assert org.rows("SELECT Id FROM Account") == []
    bench.write("gold.csv", "\n".join([f"ERP_Id__c,Name,{column}", *rows, ""]))
    ended = bench.run("run", written)
    assert ended.code == 0, ended.err


def test_records_that_people_took_out_of_the_scope_stay(bench, org):
    """Between the comparison and the deletes, one record leaves the scope, another gets a key."""
    seed(org)
    source(bench, "K1,A2,Gold", "K9,New,Gold")
    later = """
- {name: people, update: Account, from: people.csv, needs: [gold]}
"""
    left, keyed = (row["Id"] for row in org.rows(SOQL) if row["Name"] in "CD")
    bench.write("people.csv", f"Id,Tier__c\n{left},Silver\n")
    ended = bench.run("run", bench.job(MIRROR.format(api="rest", more="") + later), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "gold.missing", "read", "skipped", "deleted") == (3, 1, 2)
    assert names(org, "Silver") == ["C", "E"]
    assert keyed not in {row["Id"] for row in org.rows(SOQL)}


def test_nothing_is_deleted_unless_the_mirror_succeeds(bench, org):
    seed(org)
    source(bench, "K1,A2,Gold", "S1,Mine,Gold", "K9,New,Gold")
    written = job(bench, more="max_failures: 0\n  on_error: continue")
    ended = bench.run("run", written, "-o", "json")
    assert ended.code == 1, ended.err
    assert ended.task("gold.missing")["status"] == "skipped"
    assert {"B", "C", "D"} <= {*names(org)}
    disabled = bench.run("run", job(bench, more="enabled: false"), "-o", "json")
    assert [task["status"] for task in disabled.document["tasks"]] == ["skipped", "skipped"]


@OVER_BULK
def test_deletes_that_the_org_refused_are_retried(bench, org, api):
    seed(org)
    source(bench, "K1,A,Gold", "K2,B,Gold")
    org.fault(kind="lock_rows")
    written = job(bench, api=api, more="retry: {attempts: 1}")
    first = bench.run("run", written, "-o", "json")
    assert counts(first, "gold.missing", "failed", "deleted") == (2, 0), first.err
    org.go_on()
    again = bench.run("retry", first.document["run_id"], "-o", "json")
    assert again.code == 0, again.err
    assert names(org) == ["A", "B"]


@pytest.mark.slow
def test_a_large_scope_is_read_by_a_bulk_query(bench, org):
    count = 24_100
    lines = [f"K{n},N{n},Gold" for n in range(count)]
    source(bench, *lines)
    loaded = bench.run("run", job(bench, api="bulk"))
    assert loaded.code == 0, loaded.err
    source(bench, *lines[:-2])
    ended = bench.run("run", job(bench, api="bulk"), "-o", "json")
    assert ended.code == 0, ended.err
    assert counts(ended, "gold", "unchanged", "created", "updated") == (count - 2, 0, 0)
    assert counts(ended, "gold.missing", "deleted") == (2,)
