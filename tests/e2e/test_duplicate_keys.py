"""Rows of one source with the same key: one is sent, whatever the API answers first."""

import csv

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import slow

LOAD = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: %s
  api: %s
"""
ROWS = "ERP_Id__c,Name\nA1,first\nB2,only\na1,second\n A1,third\n,blank\n,blank too\n"


def rows_of(bench, status, task="load"):
    (file,) = bench.state.glob(f"runs/*/{task}/{status}.csv")
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


@OVER_REST
def test_later_rows_of_a_key_fail_and_name_the_first(bench, org, api):
    bench.write("a.csv", ROWS)
    ended = bench.run("run", bench.job(LOAD % ("a.csv", api)), "-o", "json")
    assert ended.code == 3, ended.out + ended.err
    counts = ended.task("load")["counts"]
    assert (counts["created"], counts["failed"], counts["skipped"]) == (2, 4, 0)
    failed = {int(row["sf__Row"]): row for row in rows_of(bench, "failed")}
    assert failed[3]["sf__Code"] == failed[4]["sf__Code"] == "DUPLICATE_KEY"
    assert failed[4]["sf__Message"] == "ERP_Id__c: row 1 has the same key 'A1'"
    assert failed[5]["sf__Code"] == failed[6]["sf__Code"] == "KEY_IS_BLANK"
    found = org.rows("SELECT ERP_Id__c, Name FROM Account ORDER BY Name")
    assert [(row["ERP_Id__c"], row["Name"]) for row in found] == [("A1", "first"), ("B2", "only")]


@OVER_BULK
def test_a_retry_does_not_replace_the_row_that_was_kept(bench, org, api):
    bench.write("a.csv", ROWS)
    again = (LOAD % ("{task: load, rows: failed}", api)).replace("name: load", "name: again")
    job = bench.job(LOAD % ("a.csv", api) + again)
    assert bench.run("run", job).code == 1  # every row of `again` failed
    ended = bench.run("retry", "-o", "json")
    assert ended.code == 1, ended.out + ended.err
    assert ended.task("load")["counts"]["failed"] == 4
    assert org.rows("SELECT Name FROM Account WHERE ERP_Id__c = 'A1'") == [{"Name": "first"}]

    failed = max(bench.state.glob("runs/*/load/failed.csv"), key=lambda file: file.stat().st_mtime)
    failed.write_text(failed.read_text().replace('" A1"', '"A2"').replace(" A1,", "A2,"))
    ended = bench.run("retry", "-o", "json")
    assert (ended.code, ended.task("load")["counts"]["created"]) == (3, 1), ended.out + ended.err
    bench.job(LOAD % ("a.csv", api) + "  duplicates: last\n" + again)
    assert bench.run("retry", "-o", "json").task("load")["counts"]["updated"] == 1
    assert org.rows("SELECT Name FROM Account WHERE ERP_Id__c = 'A1'") == [{"Name": "second"}]


@OVER_REST
def test_a_recap_tells_rows_that_failed_from_rows_that_were_left_out(bench, org, api):
    bench.write("a.csv", ROWS)
    ended = bench.run("run", bench.job(LOAD % ("a.csv", api) + "  duplicates: last\n"))
    assert "load: why rows failed or were left alone" in ended.out
    assert "2 x SUPERSEDED: ERP_Id__c: row 4 has the same key 'A1' (first: row 1)" in ended.out
    assert "other reasons" not in ended.out


@OVER_BULK
@pytest.mark.parametrize(("wanted", "name"), [("last", "third"), *slow(("first", "first"))])
def test_the_job_says_which_row_of_a_key_counts(bench, org, api, wanted, name):
    given = ROWS.replace(",blank\n,blank too\n", "")
    job = LOAD % ("'-'", api) + f"  duplicates: {wanted}\n  max_failures: 0\n  results: out\n"
    ended = bench.run("run", bench.job(job), "-o", "json", given=given)

    assert ended.code == 0, ended.out + ended.err
    counts = ended.task("load")["counts"]
    assert (counts["read"], counts["created"], counts["failed"], counts["skipped"]) == (4, 2, 0, 2)
    skipped = rows_of(bench, "skipped")
    kept = {"first": "1", "last": "4"}[wanted]
    assert {row["sf__Row"] for row in skipped} == {"1", "3", "4"} - {kept}
    assert all(f"row {kept} has the same key" in row["sf__Message"] for row in skipped)
    assert (bench.folder / "out/skipped.csv").exists()
    assert name in [row["Name"] for row in org.rows("SELECT Name FROM Account")]


@OVER_REST
def test_an_id_of_15_characters_is_the_same_record(bench, org, api):
    first, second = (org.create("Account", Name=name) for name in "AB")
    bench.write("a.csv", f"Id,Name\n{first},X\n{second},Y\n{first[:15]},Z\n")
    bench.write("b.csv", f"Id\n{first[:15]}\n{first}\n")
    ended = bench.run("run", bench.job(f"""
- name: change
  update: Account
  from: a.csv
  duplicates: last
  api: {api}
- name: remove
  delete: Account
  from: b.csv
  api: {api}
"""), "-o", "json")  # fmt: skip
    assert ended.code == 3, ended.out + ended.err
    assert ended.task("change")["counts"]["skipped"] == 1
    (failed,) = rows_of(bench, "failed", "remove")
    assert (failed["sf__Row"], failed["sf__Code"]) == ("2", "DUPLICATE_KEY")
    assert [row["Name"] for row in org.rows("SELECT Name FROM Account")] == ["Y"]
