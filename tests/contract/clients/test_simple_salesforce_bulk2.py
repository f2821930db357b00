"""simple-salesforce's Bulk API 2.0: what its README shows, against the local org.

`wait` is given everywhere, since it sleeps five seconds a job of itself.
"""

import csv
import io
from functools import partial

import pytest
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceOperationError

WAIT = 0.1


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, rows[0], lineterminator="\n", quoting=csv.QUOTE_ALL)
        sheet.writeheader()
        sheet.writerows(rows)
    return str(path)


def contacts(tag, count):
    return [{"ERP_Id__c": f"{tag}-{n:03}", "LastName": f"{tag} {n:03}"} for n in range(count)]


def test_a_file_is_inserted_in_several_jobs_side_by_side(sf, org, tag, tmp_path):
    file = write(tmp_path / "contacts.csv", contacts(tag, 25))
    jobs = sf.bulk2.Contact.insert(file, batch_size=10, concurrency=3, wait=WAIT)
    assert sorted(each["numberRecordsTotal"] for each in jobs) == [5, 10, 10]
    assert [each["numberRecordsFailed"] for each in jobs] == [0, 0, 0]
    soql = f"SELECT LastName FROM Contact WHERE LastName LIKE '{tag}%' ORDER BY LastName"
    assert org.rows(soql) == [{"LastName": f"{tag} {n:03}"} for n in range(25)]


def test_upsert_updates_what_it_finds_and_creates_the_rest(sf, org, tag, tmp_path):
    bulk = sf.bulk2.Contact
    bulk.insert(records=contacts(tag, 2), wait=WAIT)
    changed = [{**each, "LastName": f"{tag} new"} for each in contacts(tag, 3)]
    for given in ({"records": changed}, {"csv_file": write(tmp_path / "c.csv", changed)}):
        (job,) = bulk.upsert(**given, external_id_field="ERP_Id__c", wait=WAIT)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (3, 0)
        told = read(bulk.get_successful_records(job["job_id"]))
        created = {row["ERP_Id__c"]: row["sf__Created"] for row in told}
        third = "true" if "records" in given else "false"
        assert created == {f"{tag}-000": "false", f"{tag}-001": "false", f"{tag}-002": third}
    assert len(org.rows(f"SELECT Id FROM Contact WHERE LastName = '{tag} new'")) == 3


def test_update_then_delete_by_id(sf, org, tag, tmp_path):
    ids = org.create_many("Contact", contacts(tag, 3))
    file = write(tmp_path / "c.csv", [{"Id": each, "FirstName": "Ann"} for each in ids])
    (updated,) = sf.bulk2.Contact.update(file, wait=WAIT)
    assert updated["numberRecordsFailed"] == 0
    assert len(org.rows(f"SELECT Id FROM Contact WHERE Name LIKE 'Ann {tag}%'")) == 3

    file = write(tmp_path / "ids.csv", [{"Id": each} for each in ids[:2]])
    (deleted,) = sf.bulk2.Contact.delete(file, wait=WAIT)
    assert deleted["numberRecordsProcessed"] == 2
    (purged,) = sf.bulk2.Contact.hard_delete(records=[{"Id": ids[2]}], wait=WAIT)
    assert purged["numberRecordsFailed"] == 0
    assert org.rows(f"SELECT Id FROM Contact WHERE ERP_Id__c LIKE '{tag}%'") == []


def test_failed_rows_come_with_the_reason_and_their_own_columns(sf, tag, tmp_path):
    bulk = sf.bulk2.Account
    rows = [{"Name": f"{tag} 1", "Tier__c": "Gold"}, {"Name": f"{tag} 2", "Tier__c": "Bronze"}]
    (job,) = bulk.insert(records=rows, wait=WAIT)
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)

    (failed,) = read(bulk.get_failed_records(job["job_id"]))
    assert list(failed)[:2] == ["sf__Id", "sf__Error"]
    assert (failed["sf__Id"], failed["Name"], failed["Tier__c"]) == ("", f"{tag} 2", "Bronze")
    code, _, fields = failed["sf__Error"].partition(":")
    assert (code, fields.rpartition(":")[2]) == (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "Tier__c --",
    )
    assert read(bulk.get_unprocessed_records(job["job_id"])) == []

    every = bulk.get_all_ingest_records(job["job_id"])
    assert [len(every[each]) for each in every] == [1, 1, 0]
    target = tmp_path / "failed.csv"
    bulk.get_failed_records(job["job_id"], file=str(target))
    assert read(target.read_text(encoding="utf-8")) == [failed]


def test_a_parent_is_found_by_its_external_id(sf, org, tag):
    org.create("Account", Name=tag, ERP_Id__c=tag)
    row = {"LastName": tag, "Account.ERP_Id__c": tag}
    (job,) = sf.bulk2.Contact.insert(records=[row], wait=WAIT)
    assert job["numberRecordsFailed"] == 0
    found = org.rows(f"SELECT Account.Name FROM Contact WHERE LastName = '{tag}'")
    assert found == [{"Account": {"Name": tag}}]


@pytest.mark.parametrize("delimiter", ["PIPE", "SEMICOLON", "TAB"])
@pytest.mark.parametrize("ending", ["LF", "CRLF"])
def test_delimiters_and_line_endings(sf, org, tag, delimiter, ending):
    # Line endings inside a value count too, so they are the job's.
    newline = {"LF": "\n", "CRLF": "\r\n"}[ending]
    rows = [{"LastName": tag, "Description": f'a "b",\tc|d;e{newline}f'}]
    chosen = {"column_delimiter": delimiter, "line_ending": ending, "wait": WAIT}
    (job,) = sf.bulk2.Contact.insert(records=rows, **chosen)
    assert job["numberRecordsFailed"] == 0
    (found,) = org.rows(f"SELECT Description FROM Contact WHERE LastName = '{tag}'")
    assert found["Description"].splitlines() == ['a "b",\tc|d;e', "f"]


def test_another_line_ending_fails_the_job(sf, tag):
    rows = [{"LastName": tag, "Description": "a\r\nb"}]
    with pytest.raises(SalesforceOperationError, match="Current LineEnding setting is LF"):
        sf.bulk2.Contact.insert(records=rows, wait=WAIT)


def test_a_column_that_the_object_has_not_fails_the_job(sf, tag):
    with pytest.raises(SalesforceOperationError, match=r"InvalidBatch.*Nmae"):
        sf.bulk2.Account.insert(records=[{"Nmae": tag}], wait=WAIT)


def test_query_results_come_in_pages(sf, org, tag):
    org.create_many("Contact", contacts(tag, 25))
    org.create_many("Contact", [{"LastName": tag}])
    soql = f"SELECT Id, LastName, ERP_Id__c FROM Contact WHERE LastName LIKE '{tag}%'"
    pages = list(sf.bulk2.Contact.query(soql, max_records=10, wait=WAIT))
    assert [len(read(page)) for page in pages] == [10, 10, 6]
    assert {page.splitlines()[0] for page in pages} == {'"Id","LastName","ERP_Id__c"'}
    keys = {row["ERP_Id__c"] for page in pages for row in read(page)}
    assert keys == {f"{tag}-{n:03}" for n in range(25)} | {""}


def test_values_are_written_as_bulk_writes_them(sf, org, tag):
    values = {
        "Score__c": 23,
        "Active__c": True,
        "Since__c": "2024-02-29",
        "Checked__c": "2024-04-16T19:00:00.000+0000",
    }
    parent = org.create("Account", Name=tag, **values)
    org.create("Account", Name="child", ParentId=parent)
    fields = ", ".join(values)
    soql = f"SELECT {fields} FROM Account WHERE Name = '{tag}'"
    (page,) = sf.bulk2.Account.query(soql, wait=WAIT)
    assert page.splitlines()[1] == '"23.0","true","2024-02-29","2024-04-16T19:00:00.000Z"'
    soql = f"SELECT Name, Parent.Name, Tier__c FROM Account WHERE ParentId = '{parent}'"
    (page,) = sf.bulk2.Account.query(soql, wait=WAIT)
    assert read(page) == [{"Name": "child", "Parent.Name": tag, "Tier__c": ""}]


def test_query_all_returns_deleted_rows_too(sf, org, tag):
    ids = org.create_many("Contact", contacts(tag, 2))
    sf.bulk2.Contact.delete(records=[{"Id": ids[0]}], wait=WAIT)
    soql = f"SELECT IsDeleted FROM Contact WHERE ERP_Id__c LIKE '{tag}%' ORDER BY ERP_Id__c"
    (page,) = sf.bulk2.Contact.query_all(soql, wait=WAIT)
    assert [row["IsDeleted"] for row in read(page)] == ["true", "false"]
    (page,) = sf.bulk2.Contact.query(soql, wait=WAIT)
    assert [row["IsDeleted"] for row in read(page)] == ["false"]


def test_a_query_without_rows_gives_a_header(sf, tag):
    soql = f"SELECT Id, Name FROM Account WHERE Name = '{tag}'"
    assert [read(page) for page in sf.bulk2.Account.query(soql, wait=WAIT)] == [[]]


def test_results_are_downloaded_to_files(sf, org, tag, tmp_path):
    org.create_many("Contact", contacts(tag, 25))
    soql = f"SELECT ERP_Id__c FROM Contact WHERE LastName LIKE '{tag}%'"
    parts = sf.bulk2.Contact.download(soql, path=str(tmp_path), max_records=10, wait=WAIT)
    assert [each["number_of_records"] for each in parts] == [10, 10, 5]
    texts = [(tmp_path / each["file"]).read_text(encoding="utf-8") for each in parts]
    assert len({row["ERP_Id__c"] for text in texts for row in read(text)}) == 25


def test_a_query_that_bulk_cannot_carry_out_is_refused(sf):
    ask = partial(sf.bulk2.Account.query, wait=WAIT)
    refusals = (SalesforceMalformedRequest, SalesforceOperationError)
    for soql in (
        "SELECT COUNT(Id) FROM Account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
    ):
        with pytest.raises(refusals):
            list(ask(soql))
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        list(ask("SELECT Nmae FROM Account"))
    assert malformed.value.content[0]["errorCode"] == "INVALID_FIELD"


@pytest.mark.slow
def test_many_rows_go_in_and_come_back_once(sf, tag, tmp_path):
    bulk, count = sf.bulk2.Lead, 120_000
    rows = [{"LastName": f"{n:06}", "Company": tag} for n in range(count)]
    jobs = bulk.insert(records=rows, batch_size=50_000, concurrency=3, wait=WAIT)
    assert sum(each["numberRecordsProcessed"] for each in jobs) == count
    soql = f"SELECT LastName FROM Lead WHERE Company = '{tag}'"
    found = [row["LastName"] for page in bulk.query(soql, wait=WAIT) for row in read(page)]
    assert sorted(found) == [f"{n:06}" for n in range(count)]
    parts = bulk.download(soql, path=str(tmp_path), max_records=35_000, wait=WAIT)
    assert [each["number_of_records"] for each in parts] == [35_000, 35_000, 35_000, 15_000]
