"""simple-salesforce's two Bulk clients as judges.

It builds https addresses only; a session that rewrites them brings it to loopback.
"""

from __future__ import annotations

import csv
import io

import pytest
import requests
from simple_salesforce import Salesforce

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "ERP_Id__c": {"type": "text", "length": 20, "external_id": True, "unique": True}
            }
        }
    },
}


class Loopback(requests.Session):
    def request(self, method, url, **more):
        return super().request(method, url.replace("https://127.0.0.1", "http://127.0.0.1"), **more)


@pytest.fixture
def salesforce(served, monkeypatch):
    # Its Bulk API 1.0 client waits five seconds between two looks, and takes no other number.
    monkeypatch.setattr("simple_salesforce.bulk.sleep", lambda _seconds: None)
    server = served(DECLARED).server
    with Loopback() as session:
        yield Salesforce(
            instance_url=server.url, session_id=server.access_token, session=session, version="60.0"
        )


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_bulk2_inserts_and_hands_out_all_three_results(salesforce):
    records = [{"Name": "Acme", "ERP_Id__c": "E1"}, {"Name": "", "ERP_Id__c": "E2"}]
    (job,) = salesforce.bulk2.Account.insert(records=records, wait=0.01)
    assert (job["numberRecordsTotal"], job["numberRecordsFailed"]) == (2, 1)
    results = salesforce.bulk2.Account.get_all_ingest_records(job["job_id"])
    assert [row["Name"] for row in results["successfulRecords"]] == ["Acme"]
    assert results["failedRecords"][0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert results["unprocessedRecords"] == []


def test_bulk2_upserts_queries_and_downloads(salesforce, tmp_path):
    records = [{"Name": f"Acme {n}", "ERP_Id__c": f"E{n}"} for n in range(30)]
    for _ in range(2):
        (job,) = salesforce.bulk2.Account.upsert(
            records=records, external_id_field="ERP_Id__c", wait=0.01
        )
        assert job["numberRecordsFailed"] == 0
    soql = "SELECT Id, Name, ERP_Id__c FROM Account"
    pages = list(salesforce.bulk2.Account.query(soql, max_records=8, wait=0.01))
    found = [row for page in pages for row in rows(page)]
    assert len(pages) == 4
    assert {row["ERP_Id__c"] for row in found} == {f"E{n}" for n in range(30)}
    written = salesforce.bulk2.Account.download(soql, path=str(tmp_path), wait=0.01)
    assert sum(page["number_of_records"] for page in written) == 30


def test_bulk2_deletes(salesforce):
    salesforce.bulk2.Account.insert(records=[{"Name": "Acme"}], wait=0.01)
    found = salesforce.query("SELECT Id FROM Account")["records"]
    (job,) = salesforce.bulk2.Account.delete(records=[{"Id": found[0]["Id"]}], wait=0.01)
    assert job["numberRecordsFailed"] == 0
    assert salesforce.query("SELECT COUNT() FROM Account")["totalSize"] == 0


def test_bulk1_rows_come_back_in_the_order_they_were_sent(salesforce):
    records = [{"Name": "Acme", "ERP_Id__c": "E1"}, {"ERP_Id__c": "E2"}, {"Name": "Globex"}]
    results = salesforce.bulk.Account.insert(records)
    assert [row["success"] for row in results] == [True, False, True]
    assert results[0]["created"] is True
    assert results[1]["id"] is None
    assert results[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


def test_bulk1_upsert_query_and_delete(salesforce):
    records = [{"Name": f"Acme {n}", "ERP_Id__c": f"E{n}"} for n in range(5)]
    for created in (True, False):
        results = salesforce.bulk.Account.upsert(records, "ERP_Id__c")
        assert [row["created"] for row in results] == [created] * 5
    found = salesforce.bulk.Account.query("SELECT Id, Name, CreatedDate FROM Account")
    assert {row["Name"] for row in found} == {f"Acme {n}" for n in range(5)}
    assert all(isinstance(row["CreatedDate"], int) for row in found)
    results = salesforce.bulk.Account.delete([{"Id": row["Id"]} for row in found])
    assert all(row["success"] for row in results)
    assert salesforce.bulk.Account.query("SELECT Id FROM Account") == []
