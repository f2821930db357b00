"""The same file gives the same org, the same failures and the same result files, whichever API."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tests.short_form import slow

HARD = (
    "no,name,active,since,checked,score,staff,site,notes,parent\n"
    "E1,Plain,true,2020-02-29,2024-05-01T10:00:00+02:00,1.50,10,https://a.example,one,\n"
    'E2,  spaces ,FALSE,1999-12-31,2024-05-01T10:00:00Z,-0.01,0,,"two\nlines",R1\n'
    'E3,"a ""b"", c",1,2000-01-01,2024-05-01 10:00:00,12345678901234.56,7,,"CRLF\r\nin",R1\n'
    "E4,Ünïcode 漢字 🙂,no,,,,,,\u2028,\n"
    "E5,0123,yes,2024-01-31,,1e3,,,N/A,\n"
    "E6,null word,true,,,7,,,null,R404\n"
    "E7,bad number,true,,,seven,,,x,\n"
    "E8,bad date,true,31.12.2020,,,,,x,\n"
    "E9,bad flag,perhaps,,,,,,x,\n"
    ",no key,true,,,,,,x,\n"
    "E11,,true,,,,,,x,\n"
    "E12,clear me,true,,,,,#N/A,#N/A,\n"
    "E13,bad tier,true,,,,,,x,\n"
    "E14,too wide,true,,,99999999999999999999,,,x,\n"
)
TASK = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: hard.csv
  blank: {blank}
  api: {api}
  fields:
    ERP_Id__c: no
    Name: name
    Active__c: active
    Since__c: since
    Checked__c: checked
    Score__c: score
    NumberOfEmployees: staff
    Website: site
    Description: notes
    Parent.ERP_Id__c: parent
    Tier__c: "CASE no WHEN 'E13' THEN 'Platinum' ELSE 'Gold' END"
"""
FIELDS = (
    "ERP_Id__c, Name, Active__c, Since__c, Checked__c, Score__c, NumberOfEmployees, Website, "
    "Description, Parent.ERP_Id__c, Tier__c"
)


def load(bench, serve_org, api, blank):
    """Load the file into an org of its own; give its records, the counts and the result rows."""
    place = replace(bench, folder=bench.folder / api)  # ended with the bench
    place.folder.mkdir()
    (place.folder / "hard.csv").write_bytes(HARD.encode())
    org = serve_org(place=place)
    org.create("Account", Name="Root", ERP_Id__c="R1")
    for key in ("E1", "E12"):
        org.create("Account", Name="Before", ERP_Id__c=key, Website="https://b.example", Phone="1")
    ended = place.run("run", place.job(TASK.format(api=api, blank=blank)), "-o", "json")
    assert ended.code == 3, ended.err
    assert ended.task("load")["api"] == api
    records = org.rows(f"SELECT {FIELDS}, Phone FROM Account ORDER BY ERP_Id__c")
    return records, ended.task("load")["counts"], result_files(ended)


def result_files(ended):
    folder = Path(ended.task("load")["results"])
    found = {}
    for kind in ("succeeded", "failed", "unprocessed"):
        with (folder / f"{kind}.csv").open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        for row in rows:
            row.pop("sf__Id", None)  # two orgs, two Ids
        found[kind] = sorted(rows, key=lambda row: int(row["sf__Row"]))
    return found


@pytest.mark.parametrize("blank", ["clear", *slow("keep")])
def test_rest_and_bulk_leave_the_same_org_and_the_same_files(bench, serve_org, blank):
    rest_records, rest_counts, rest_files = load(bench, serve_org, "rest", blank)
    bulk_records, bulk_counts, bulk_files = load(bench, serve_org, "bulk", blank)
    assert rest_records == bulk_records
    assert rest_counts == bulk_counts
    assert rest_files == bulk_files
    assert sum(map(len, rest_files.values())) == rest_counts["read"] == 14


def test_values_arrive_as_they_were_meant(bench, serve_org):
    records, counts, files = load(bench, serve_org, "bulk", "keep")
    by_key = {record["ERP_Id__c"]: record for record in records}
    assert by_key["E1"]["Since__c"] == "2020-02-29", "a date does not shift"
    assert by_key["E1"]["Checked__c"] == "2024-05-01T08:00:00.000+0000"
    assert by_key["E3"]["Checked__c"] == "2024-05-01T10:00:00.000+0000", "no zone means UTC"
    assert by_key["E3"]["Score__c"] == 12345678901234.56
    assert by_key["E3"]["Description"] == "CRLF\nin"
    assert by_key["E4"]["Name"] == "Ünïcode 漢字 🙂"
    assert by_key["E5"]["Name"] == "0123"
    assert (by_key["E5"]["Active__c"], by_key["E5"]["Description"]) == (True, "N/A")
    assert by_key["E12"]["Website"] is None, "#N/A empties a field"
    assert by_key["E12"]["Phone"] == "1", "what is not mapped stays"
    codes = {row["no"] or row["name"]: row["sf__Code"] for row in files["failed"]}
    assert set(codes) == {"E6", "E7", "E8", "E9", "no key", "E11", "E13", "E14"}
    assert counts["failed"] == 8
    assert codes["E6"] == "INVALID_FIELD"
    assert codes["E7"] == codes["E8"] == codes["E9"] == "VALUE_DOES_NOT_FIT"
    assert codes["E13"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
