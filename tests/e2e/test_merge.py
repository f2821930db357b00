"""Merges: duplicates become one record, no row is merged twice, and nothing is merged in doubt."""

import csv
import json
from pathlib import Path

import pytest

from tests.e2e.proxy import Proxy
from tests.short_form import slow

MERGE = """
- name: duplicates
  merge: Contact
  from: list.csv
  master: keep
  losers: {losers}
  {more}
"""
ALL = "SELECT Id, LastName, MasterRecordId, IsDeleted FROM Contact ORDER BY LastName"


def job(bench, *, losers="drop", more="", **head):
    return bench.job(MERGE.format(losers=losers, more=more), **head)


def listed(bench, *rows, header="keep,drop"):
    bench.write("list.csv", "".join(f"{','.join(row)}\n" for row in ([header], *rows)))


def contacts(org, names, **values):
    return [org.create("Contact", LastName=name, **values) for name in names]


def everything(org):
    """Each contact by its name: None while it is there, else the record it was merged into."""
    answer = org.request("GET", "/services/data/v62.0/queryAll", params={"q": ALL})
    return {
        row["LastName"]: row["MasterRecordId"] or "deleted" if row["IsDeleted"] else None
        for row in answer.json()["records"]
    }


def counts(ended, *which):
    found = ended.task("duplicates")["counts"]
    return tuple(found[name] for name in which)


def results(ended, name="failed"):
    file = Path(ended.task("duplicates")["results"]) / f"{name}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_duplicates_become_one_and_a_second_run_changes_nothing(bench, org):
    a, b, c, d, e, f = contacts(org, "abcdef")
    org.request("PATCH", f"/services/data/v62.0/sobjects/Contact/{c}", json={"Email": "c@x.de"})
    task = org.create("Task", Subject="T", WhoId=d)
    listed(bench, (a, b, "1"), (e, f[:15], "2"), (a, c, "3"), (a, d, ""), header="keep,drop,note")
    written = job(bench, more="fill: [Email]\n  fields: {Description: note}")
    planned = bench.run("plan", written)
    assert planned.code == 0, planned.err
    assert "merge 4" in planned.out
    assert "A merge cannot be undone." in planned.out
    assert everything(org) == dict.fromkeys("abcdef")
    ended = bench.run("run", written, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "read", "merged", "failed") == (4, 4, 0)
    assert [row["sf__Id"] for row in results(ended, "succeeded")] == [a, e, a, a]
    assert everything(org) == {"a": None, "b": a, "c": a, "d": a, "e": None, "f": e}
    (kept,) = org.rows(f"SELECT Email, Description FROM Contact WHERE Id = '{a}'")
    assert kept == {"Email": "c@x.de", "Description": "3"}
    assert org.rows("SELECT WhoId FROM Task") == [{"WhoId": a}], task
    again = bench.run("run", written, "-o", "json")
    assert again.code == 0, again.err
    assert counts(again, "merged", "unchanged") == (0, 4)
    undone = bench.run("undo", ended.document["run_id"], "--yes")
    assert (undone.code, "a merge cannot be undone" in undone.out) == (3, True), undone
    assert everything(org)["b"] == a


def test_two_losers_of_a_row_and_what_cannot_be_merged(bench, org):
    a, b, c, d, e, f, g, h = contacts(org, "abcdefgh")
    assert org.request("DELETE", f"/services/data/v62.0/sobjects/Contact/{e}").status_code == 204
    missing = "003LO0000000zzzYAA"
    listed(bench, (a, b, c), (d, e, f), (d, g, missing), (d, h, ""), header="keep,one,two")
    written = job(bench, losers="[one, two]", more="limits: {max_deletes: 2}")
    stopped = bench.run("run", written)
    assert (stopped.code, "would delete 3 records" in stopped.err + stopped.out) == (6, True)
    planned = bench.run("plan", written, "--save", "saved.plan", "-o", "json")
    (trip,) = planned.document["trips"]
    assert "would delete 3 records" in trip["message"]
    assert bench.run("apply", "saved.plan").code == 6
    assert everything(org)["b"] is None
    ended = bench.run("run", job(bench, losers="[one, two]"), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert counts(ended, "merged", "failed") == (2, 2)
    found = [(row["sf__Row"], row["sf__Code"], row["sf__Message"]) for row in results(ended)]
    assert found == [
        ("2", "ENTITY_IS_DELETED", f"loser: {e} has been deleted"),
        ("3", "KEY_NOT_FOUND", f"loser: no Contact has the Id {missing}"),
    ]
    failed = Path(ended.task("duplicates")["results"]) / "failed.csv"
    text = failed.read_text(encoding="utf-8")
    failed.write_text(text.replace(f"{d},{e},{f}", f"{d},{f},").replace(missing, "", 1))
    retried = bench.run("retry", ended.document["run_id"], "-o", "json")
    assert retried.code == 0, retried.err + retried.out
    assert everything(org) == {
        "a": None, "b": a, "c": a, "d": None, "e": "deleted", "f": d, "g": d, "h": d,
    }  # fmt: skip


def test_a_list_that_contradicts_itself_is_refused_as_a_whole(bench, org):
    a, b, c, d, e = contacts(org, "abcde")
    account = org.create("Account", Name="A")
    listed(bench, (a, a), (a, b), (c, b), (b, d), (c, account), (c, ""), ("", e), (c, e))
    for verb in ("plan", "run"):
        ended = bench.run(verb, job(bench))
        assert ended.code == 2, ended.err + ended.out
        said = ended.err + ended.out
        for why in (
            f"row 1 of `duplicates`: the loser {a} is its own master",
            f"row 2 of `duplicates`: the loser {b} is the master of row 4",
            f"row 3 of `duplicates`: the loser {b} is the master of row 4",
            "row 5 of `duplicates`: loser (`drop`): ",
            "row 6 of `duplicates`: loser: blank",
            "row 7 of `duplicates`: master: blank",
        ):
            assert why in said, said
        assert "row 8" not in said
    listed(bench, (a, b), (c, b))
    ended = bench.run("run", job(bench))
    assert f"row 2 of `duplicates`: the loser {b} is already the loser of row 1" in ended.out
    assert everything(org) == dict.fromkeys("abcde")


def test_what_does_not_fit_the_org_is_told_before_anything_is_sent(bench, org):
    listed(bench)
    more = "fill: [Emial, Name]\n  fields: {Id: keep, LastName: keep}"
    ended = bench.run("check", job(bench, more=more))
    assert ended.code == 2
    said = ended.err + ended.out
    assert "Contact has no field Emial" in said
    assert "Name of Contact cannot be written by merge" in said
    assert "Id of Contact cannot be written by merge" in said


def test_an_empty_list_is_nothing_to_do(bench, org):
    listed(bench)
    ended = bench.run("run", job(bench), "-o", "json")
    assert (ended.code, counts(ended, "read", "merged")) == (0, (0, 0)), ended.err


@pytest.mark.parametrize("batch_size", ["2", *slow("200")])
def test_merges_whose_answer_was_lost_are_recognised(bench, org, batch_size):
    a, *others = contacts(org, "abcde")
    listed(bench, *((a, each) for each in others))
    org.fault(kind="answer_lost", method="POST", path="Soap", times=1)
    ended = bench.run("run", job(bench, more=f"batch_size: {batch_size}"), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert counts(ended, "merged", "failed", "in_doubt") == (4, 0, 0)
    assert everything(org) == {"a": None, **dict.fromkeys("bcde", a)}


def test_a_run_that_was_killed_merges_the_rest_and_counts_all(bench, org):
    a, *others = contacts(org, "abcde")
    listed(bench, *((a, each) for each in others))
    proxy = Proxy(org)
    bench.env["T"] = org.token
    connection = json.dumps({"environment": "local", "url": proxy.url, "token": {"env": "T"}})
    written = job(bench, more="batch_size: 1", connection=connection)
    calls = []

    def kill(passing):
        if "Soap" in passing.path:
            calls.append(passing.path)
            if len(calls) == 3:  # merged, and nobody is told
                process.kill()

    proxy.change = kill
    process = bench.begin("run", written, "-o", "json")
    assert process.wait(60) < 0
    proxy.change = lambda _: None
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err + resumed.out
    assert counts(resumed, "read", "merged", "failed", "in_doubt") == (4, 4, 0, 0)
    assert everything(org) == {"a": None, **dict.fromkeys("bcde", a)}
    proxy.close()
