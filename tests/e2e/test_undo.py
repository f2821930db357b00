"""`runner undo`: what a run changed is put back, where nobody has changed it since."""

import csv
import json
import os
import pty
import sqlite3
from contextlib import closing

import pytest

from tests.e2e.apis import OVER_REST
from tests.short_form import slow

ALL_VERBS = """
- name: renamed
  update: Account
  from: renamed.csv
  undo: true
  api: {api}
- name: merged
  upsert: Account
  key: ERP_Id__c
  from: merged.csv
  undo: true
  api: {api}
- name: people
  create: Contact
  from: people.csv
  api: {api}
- name: gone
  delete: Account
  from: gone.csv
  api: {api}
"""
ALIVE = "SELECT Id, Name, Score__c, Checked__c, Active__c, ERP_Id__c FROM Account ORDER BY Name"


def write_csv(bench, name, header, *rows):
    bench.write(name, "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def undo(bench, *words):
    return bench.run("undo", *words, "--yes", "-o", "json")


def a_run_of_all_verbs(bench, org, api):
    """Four accounts, and a run that changes each of them in its own way."""
    full = {"Score__c": 12.5, "Checked__c": "2026-01-02T03:04:05Z", "Active__c": True}
    one = org.create("Account", Name="One", ERP_Id__c="E1", **full)
    two = org.create("Account", Name="Two", ERP_Id__c="E2")
    three = org.create("Account", Name="Three", ERP_Id__c="E3", Score__c=1)
    org.create("Account", Name="Four", ERP_Id__c="E4")
    head = "Id,Name,Score__c,Checked__c,Active__c"
    write_csv(
        bench,
        "renamed.csv",
        head,
        (one, '"Uno, ""1"""', "1.239", "2027-01-01T00:00:00.123+02:00", "no"),
        (two, "Due", "7", "2027-01-01T00:00:00Z", "yes"),
    )
    write_csv(
        bench, "merged.csv", "ERP_Id__c,Name,Score__c", ("E4", "Quattro", 4), ("E5", "Cinque", 5)
    )
    write_csv(
        bench, "people.csv", "LastName,Account.ERP_Id__c", ("Ada", "E5"), ("Bob", "E1"), ("Cy", "")
    )
    write_csv(bench, "gone.csv", "Id", (three,))
    before = org.rows(ALIVE)
    ended = bench.run("run", bench.job(ALL_VERBS.format(api=api)), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert [task["api"] for task in ended.document["tasks"]] == [api] * 4
    assert org.rows(ALIVE) != before
    return before, ended.document["run_id"]


def test_records_that_cannot_be_deleted_are_left_and_the_others_undone(bench, serve_org):
    org = serve_org(
        org_file="version: 1\nobjects: {Low_Ink__e: {fields: {Serial__c: {type: text}}}}\n"
    )
    bench.write("a.csv", "Name\nOne\n")
    bench.write("e.csv", "Serial__c\nS1\nS2\n")
    job = bench.job("""
- {name: events, create: Low_Ink__e, from: e.csv}
- {name: accounts, create: Account, from: a.csv}
""")
    assert bench.run("run", job).code == 0
    ended = undo(bench, "last")
    assert ended.code == 3, ended.err + ended.out
    assert not org.rows("SELECT Id FROM Account")
    left = rows_of(next(bench.state.glob("runs/*/events.delete/not_undone.csv")))
    assert [(row["sf__Row"], row["sf__Code"]) for row in left] == [
        ("1", "CANNOT_BE_DELETED"),
        ("2", "CANNOT_BE_DELETED"),
    ]
    keyed = bench.job("- {name: a, upsert: Low_Ink__e, key: Serial__c, from: e.csv}")
    assert "Mark it as External ID in Setup.\n" in bench.run("check", keyed).out


@OVER_REST
def test_everything_is_as_it_was(bench, org, api):
    """All verbs together; null comes back as null, and a second undo finds nothing to do."""
    before, run_id = a_run_of_all_verbs(bench, org, api)
    shown = bench.run("undo", run_id, "--dry-run", "-o", "json")
    assert shown.code == 0, shown.err
    assert [(each["task"], each["act"], each["to_undo"]) for each in shown.document["steps"]] == [
        ("gone", "undelete", 1),
        ("people", "delete", 3),
        ("merged", "restore", 1),
        ("merged", "delete", 1),
        ("renamed", "restore", 2),
    ]
    unasked = bench.run("undo", run_id)
    assert unasked.code == 8
    assert "--yes" in unasked.err
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 3}]

    ended = undo(bench, run_id)
    assert ended.code == 0, ended.err + ended.out
    assert org.rows(ALIVE) == before
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 0}]
    assert ended.task("gone.undelete")["counts"]["undeleted"] == 1
    assert ended.task("renamed.restore")["counts"]["updated"] == 2
    assert ended.task("people.delete")["counts"]["deleted"] == 3

    if api == "rest":
        and_then_nothing(bench, run_id, ended)


def and_then_nothing(bench, run_id, ended):
    """What is undone stays so, whatever is asked next."""
    again = undo(bench, run_id)
    assert again.code == 0, again.err
    assert again.document["to_undo"] == 0
    refused = bench.run("retry", ended.document["run_id"])
    assert refused.code == 2
    assert f"runner undo {run_id}" in refused.err
    of_undo = bench.run("undo", ended.document["run_id"])
    assert of_undo.code == 2
    assert "an undo cannot be undone" in of_undo.err
    history = bench.run("history").out
    assert f"undo of {run_id}" in history
    assert f"undone by {ended.document['run_id']}" in bench.run("show", run_id).out


def test_what_somebody_has_changed_since_is_left_and_listed(bench, org):
    _, run_id = a_run_of_all_verbs(bench, org, "rest")
    by_name = {each["Name"]: each["Id"] for each in org.rows("SELECT Id, Name FROM Account")}
    ada = org.rows("SELECT Id FROM Contact WHERE LastName = 'Ada'")[0]["Id"]
    path = "/services/data/v62.0/sobjects"
    org.request("PATCH", f"{path}/Account/{by_name['Due']}", json={"Name": "Somebody's"})
    org.request("PATCH", f"{path}/Contact/{ada}", json={"AccountId": by_name["Due"]})
    org.request("PATCH", f"{path}/Account/{by_name['Cinque']}", json={"Phone": "not the run's"})
    org.request("DELETE", f"{path}/Account/{by_name['Quattro']}")
    ended = undo(bench, run_id)
    assert ended.code == 3, ended.err + ended.out
    counts = {task["name"]: task["counts"] for task in ended.document["tasks"]}
    assert {name: (each["read"], each["skipped"]) for name, each in counts.items()} == {
        "gone.undelete": (1, 0),
        "people.delete": (3, 1),
        "merged.restore": (1, 1),
        "merged.delete": (1, 0),
        "renamed.restore": (2, 1),
    }
    folder = bench.state / "runs" / ended.document["run_id"]
    left = rows_of(folder / "renamed.restore" / "not_undone.csv")
    assert [(each["sf__Row"], each["sf__Code"], each["sf__Fields"]) for each in left] == [
        ("2", "CHANGED_SINCE", "Name")
    ]
    assert rows_of(folder / "people.delete" / "not_undone.csv")[0]["sf__Fields"] == "AccountId"
    gone = rows_of(folder / "merged.restore" / "not_undone.csv")
    assert [each["sf__Code"] for each in gone] == ["DELETED_SINCE"]
    names = [each["Name"] for each in org.rows("SELECT Name FROM Account ORDER BY Name")]
    assert names == ["One", "Somebody's", "Three"]


def test_without_undo_true_updates_are_listed_and_creates_still_go(bench, org):
    org.create("Account", Name="Old", ERP_Id__c="E1")
    write_csv(bench, "a.csv", "ERP_Id__c,Name", ("E1", "New"), ("E2", "Fresh"))
    job = bench.job("- {name: a, upsert: Account, key: ERP_Id__c, from: a.csv}")
    assert bench.run("run", job).code == 0
    ended = undo(bench)
    assert ended.code == 3, ended.err
    assert ended.task("a.restore")["top_errors"][0]["code"] == "NOT_KEPT"
    assert [each["Name"] for each in org.rows("SELECT Name FROM Account")] == ["New"]


def test_later_tasks_on_the_same_records_are_taken_back_first(bench, org):
    """A record that one task creates, a second changes and a third deletes: the plan knows."""
    old = org.create("Account", Name="Old", ERP_Id__c="E0")
    write_csv(bench, "a.csv", "ERP_Id__c,Name", ("E1", "First"), ("E2", "Other"))
    job = bench.job("""
- {name: made, create: Account, from: a.csv}
- name: found
  query: SELECT Id FROM Account WHERE ERP_Id__c = 'E1'
- name: changed
  update: Account
  from: {task: found}
  fields: {Id: Id, Name: "'Second'", Score__c: "'3'"}
  undo: true
- name: again
  update: Account
  from: {task: found}
  fields: {Id: Id, Name: "'Third'"}
  undo: true
- {name: dropped, delete: Account, from: {task: found}}
- {name: old, delete: Account, from: old.csv}
""")
    write_csv(bench, "old.csv", "Id", (old,))
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    shown = bench.run("undo", "--dry-run", "-o", "json").document
    assert [each["to_undo"] for each in shown["steps"]] == [1, 1, 1, 1, 2]
    assert not any(each["left"] for each in shown["steps"])
    ended = undo(bench)
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT Name FROM Account") == [{"Name": "Old"}]


def test_a_run_that_is_not_at_its_end_or_wrote_to_another_org_is_refused(bench, org):
    write_csv(bench, "a.csv", "Id,Name", (org.create("Account", Name="Old"), "New"))
    job = bench.job("- {name: a, update: Account, from: a.csv, undo: true, retry: {attempts: 1}}")
    org.fault(kind="status", status=503, method="PATCH", path="/composite/sobjects", times=1)
    assert bench.run("run", job).code == 5
    refused = bench.run("undo", "--yes")
    assert refused.code == 2
    assert "runner resume" in refused.err
    assert bench.run("resume").code == 0
    with closing(sqlite3.connect(bench.state / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE runs SET org_id = '00D000000000001AAA'")
    refused = bench.run("undo", "--yes")
    assert refused.code == 2
    assert "used org 00D000000000001AAA" in refused.err
    assert org.rows("SELECT Name FROM Account") == [{"Name": "New"}]


def test_a_run_that_was_given_up_is_undone_as_far_as_it_is_known(bench, serve_org):
    """A task whose rows nobody accounted for is named; the one before it is taken back."""
    org = serve_org("--bulk-pace-seconds", "1")
    write_csv(bench, "a.csv", "LastName", ("Ada",))
    write_csv(bench, "b.csv", "Name", *((f"n {n}",) for n in range(3)))
    job = bench.job("""
- {name: people, create: Contact, from: a.csv, api: rest}
- {name: load, create: Account, from: b.csv, api: bulk}
""")
    process = bench.begin("run", job, "-v")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    assert bench.run("resume", "--abandon").code == 0
    ended = undo(bench)
    assert ended.code == 3, ended.err + ended.out
    assert [task["name"] for task in ended.document["tasks"]] == ["people.delete"]
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 0}]
    shown = bench.run("undo", last_run_but_one(bench), "--dry-run")
    assert "load: what it wrote is unknown" in shown.out


def last_run_but_one(bench):
    return json.loads(bench.run("history", "-o", "json").out)["runs"][1]["run_id"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), *slow(("n", 8, 1))])
def test_a_person_is_asked_on_a_terminal(bench, org, answer, code, left):
    write_csv(bench, "a.csv", "LastName", ("Ada",))
    job = bench.job("- {name: a, create: Contact, from: a.csv}")
    assert bench.run("run", job).code == 0
    terminal, end = pty.openpty()
    process = bench.start("undo", stdin=end)
    os.write(terminal, f"{answer}\n".encode())
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Put back 1 record? [y/N]" in err
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": left}]
    for each in (terminal, end):
        os.close(each)


@pytest.mark.parametrize("api", ["rest", "bulk"])
def test_an_id_that_was_changed_is_neither_deleted_nor_taken_for_gone(bench, org, api):
    """A digit that became another leaves the check characters right: the org does not know it."""
    write_csv(bench, "a.csv", "LastName", ("Ada",), ("Bob",), ("Cy",), ("Dee",))
    job = bench.job(f"- {{name: a, create: Contact, from: a.csv, api: {api}}}")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    file = bench.state / "runs" / ended.document["run_id"] / "a" / "succeeded.csv"
    ada, bob, cy, _ = (row["sf__Id"] for row in rows_of(file))
    text = file.read_text()
    text = text.replace(ada, ada[:6] + "9" + ada[7:]).replace(bob, bob[:4] + "o" + bob[5:])
    file.write_text(text)
    org.request("DELETE", f"/services/data/v62.0/sobjects/Contact/{cy}")
    undone = undo(bench)
    assert undone.code == 3, undone.err + undone.out
    counts = undone.task("a.delete")["counts"]
    assert (counts["deleted"], counts["skipped"], counts["unchanged"]) == (1, 2, 1)
    folder = bench.state / "runs" / undone.document["run_id"] / "a.delete"
    left = rows_of(folder / "not_undone.csv")
    assert [(each["sf__Row"], each["sf__Code"]) for each in left] == [
        ("1", "UNKNOWN_ID"),
        ("2", "DAMAGED_ID"),
    ]
    assert {each["Id"] for each in org.rows("SELECT Id FROM Contact")} == {ada, bob}
    file.write_text(
        file.read_text().replace(left[1]["sf__Id"], bob).replace(left[0]["sf__Id"], ada)
    )
    assert undo(bench, ended.document["run_id"]).code == 0
    assert org.rows("SELECT Id FROM Contact") == []


EXCHANGED = """
- {name: by_id, update: Account, from: by_id.csv, undo: true}
- {name: by_key, update: Account, key: ERP_Id__c, from: by_key.csv, undo: true}
- {name: merged, upsert: Account, key: ERP_Id__c, from: merged.csv, undo: true}
"""


def test_an_id_that_became_another_record_s_of_the_run_is_found(bench, org):
    """What was sent says which record each row was for, by Id or by key, also of created ones."""
    ids = [org.create("Account", Name=f"Old {at}", ERP_Id__c=f"E{at}") for at in range(6)]
    before = org.rows(ALIVE)
    write_csv(bench, "by_id.csv", "Id,Name", (ids[0], "New 0"), (ids[1][:15], "New 1"))
    write_csv(bench, "by_key.csv", "ERP_Id__c,Name", ("E2", "New 2"), ("e3", "New 3"))
    rows = (("e4", "New 4"), ("E5", "New 5"), ("E6", "New 6"), ("E7", "New 7"))
    write_csv(bench, "merged.csv", "ERP_Id__c,Name", *rows)
    ended = bench.run("run", bench.job(EXCHANGED), "-o", "json")
    assert ended.code == 0, ended.err
    folder = bench.state / "runs" / ended.document["run_id"]
    files = [folder / each / "succeeded.csv" for each in ("by_id", "by_key", "merged")]
    whole = [each.read_text() for each in files]
    for file in files:
        listed = [each["sf__Id"] for each in rows_of(file)]
        for one, other in zip(listed[::2], listed[1::2], strict=True):
            file.write_text(file.read_text().replace(f",{other},", f",{one},"))
    undone = undo(bench)
    assert undone.code == 3, undone.err + undone.out
    left = [
        (task["name"], row["sf__Row"], row["sf__Code"])
        for task in undone.document["tasks"]
        if (bench.state / task["results"] / "not_undone.csv").exists()
        for row in rows_of(bench.state / task["results"] / "not_undone.csv")
    ]
    assert left == [
        ("merged.restore", "2", "DAMAGED_ID"),
        ("merged.delete", "4", "DAMAGED_ID"),
        ("by_key.restore", "2", "DAMAGED_ID"),
        ("by_id.restore", "2", "DAMAGED_ID"),
    ]
    names = [each["Name"] for each in org.rows(ALIVE)]
    assert names == ["New 1", "New 3", "New 5", "New 7", "Old 0", "Old 2", "Old 4"]
    for file, text in zip(files, whole, strict=True):
        file.write_text(text)
    assert undo(bench, ended.document["run_id"]).code == 0
    assert org.rows(ALIVE) == before
