"""Bulk API 1.0 with CSV batches and XML answers."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

NAMESPACE = "{http://www.force.com/2009/06/asyncapi/dataload}"
JOB = """<?xml version="1.0" encoding="UTF-8"?>
<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload">
 <operation>{operation}</operation><object>Account</object><contentType>CSV</contentType>
</jobInfo>"""


class Bulk1:
    def __init__(self, served):
        self.client = served.client
        self.headers = {
            "X-SFDC-Session": served.server.access_token,
            "Authorization": "",
            "Content-Type": "application/xml",
        }

    def ask(self, method, path, content=None, kind=None):
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        return self.client.request(
            method, f"/services/async/60.0/{path}", content=content, headers=headers
        )

    def told(self, *args):
        answer = self.ask(*args)
        assert answer.status_code in {200, 201}, answer.text
        root = ET.fromstring(answer.text)  # noqa: S314 - our own answer
        return {child.tag.removeprefix(NAMESPACE): child.text for child in root}

    def create(self, operation="insert"):
        return self.told("POST", "job", JOB.format(operation=operation))["id"]

    def batch(self, job_id, content):
        return self.told("POST", f"job/{job_id}/batch", content, "text/csv; charset=UTF-8")["id"]

    def ended(self, job_id, batch_id):
        for _ in range(100_000):
            batch = self.told("GET", f"job/{job_id}/batch/{batch_id}")
            if batch["state"] not in {"Queued", "InProgress"}:
                return batch
        raise AssertionError("the batch did not end")


@pytest.fixture
def bulk1(served):
    return Bulk1(served())


def test_a_job_is_told_in_xml_with_its_namespace(bulk1):
    answer = bulk1.ask("POST", "job", JOB.format(operation="insert"))
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.text)  # noqa: S314 - our own answer
    assert root.tag == f"{NAMESPACE}jobInfo"
    told = {child.tag.removeprefix(NAMESPACE): child.text for child in root}
    assert told["state"] == "Open"
    assert told["createdDate"].endswith(".000Z")
    assert told["apiVersion"] == "60.0"


def test_results_stand_in_the_order_of_the_rows(bulk1):
    job = bulk1.create()
    content = "Name,BillingState\nAcme,CA\n,NY\nGlobex,WA\n"
    batch = bulk1.batch(job, content)
    told = bulk1.ended(job, batch)
    assert told["state"] == "Completed"
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == ("3", "1")
    lines = bulk1.ask("GET", f"job/{job}/batch/{batch}/result").text.splitlines()
    assert lines[0] == '"Id","Success","Created","Error"'
    assert lines[2] == (
        '"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"'
    )
    assert lines[1].endswith('","true","true",""')
    assert lines[3].endswith('","true","true",""')
    assert bulk1.ask("GET", f"job/{job}/batch/{batch}/request").text == content


def test_a_job_closes_and_counts_its_batches(bulk1):
    job = bulk1.create()
    for name in ("A", "B"):
        bulk1.ended(job, bulk1.batch(job, f"Name\n{name}\n"))
    closed = bulk1.told("POST", f"job/{job}", "<jobInfo><state>Closed</state></jobInfo>")
    assert closed["state"] == "Closed"
    assert closed["numberBatchesCompleted"] == "2"
    late = bulk1.ask("POST", f"job/{job}/batch", "Name\nC\n", "text/csv")
    assert late.status_code == 400
    assert "InvalidJobState" in late.text


def test_an_unknown_column_fails_the_batch(bulk1):
    job = bulk1.create()
    told = bulk1.ended(job, bulk1.batch(job, "Name,Foo\nA,B\n"))
    assert told["state"] == "Failed"
    assert told["stateMessage"] == "InvalidBatch : Field name not found : Foo"


def test_a_query_lists_its_result_and_hands_it_out(bulk1):
    job = bulk1.create()
    bulk1.ended(job, bulk1.batch(job, "Name\nAcme\nGlobex\n"))
    query = bulk1.create("query")
    soql = "SELECT Name FROM Account ORDER BY Name"
    batch = bulk1.batch(query, soql)
    assert bulk1.ended(query, batch)["state"] == "Completed"
    listed = bulk1.told("GET", f"job/{query}/batch/{batch}/result")
    found = bulk1.ask("GET", f"job/{query}/batch/{batch}/result/{listed['result']}")
    assert found.text == '"Name"\n"Acme"\n"Globex"\n'


def test_a_query_of_nothing_says_so(bulk1):
    query = bulk1.create("query")
    batch = bulk1.batch(query, "SELECT Id FROM Account")
    bulk1.ended(query, batch)
    listed = bulk1.told("GET", f"job/{query}/batch/{batch}/result")
    found = bulk1.ask("GET", f"job/{query}/batch/{batch}/result/{listed['result']}")
    assert found.text == "Records not found for this query\n"


def test_refusals_are_one_object_in_the_format_of_the_request(bulk1):
    assert "<exceptionCode>InvalidJob</exceptionCode>" in bulk1.ask("GET", "job/750x").text
    answer = bulk1.ask("GET", "job/750x", None, "application/json")
    assert answer.status_code == 400
    assert answer.json()["exceptionCode"] == "InvalidJob"


def test_a_dead_session_is_400_in_xml(bulk1):
    """jsforce looks for exactly this to sign in again."""
    job = bulk1.create()
    bulk1.headers["X-SFDC-Session"] = "stale"
    for path, kind in ((f"job/{job}", None), (f"job/{job}/batch", "application/json")):
        answer = bulk1.ask("GET", path, None, kind)
        assert answer.status_code == 400
        assert "<exceptionCode>InvalidSessionId</exceptionCode>" in answer.text
        assert "<exceptionMessage>Invalid session id</exceptionMessage>" in answer.text
    del bulk1.headers["X-SFDC-Session"]
    assert "Unable to find session id" in bulk1.ask("GET", f"job/{job}").text


def test_a_session_that_ends_by_a_fault_is_told_in_the_same_form(bulk1):
    bulk1.client.post("/__org/faults", json={"kind": "stale_session", "times": 1})
    answer = bulk1.ask("GET", "job/750x")
    assert answer.status_code == 400
    assert "<exceptionCode>InvalidSessionId</exceptionCode>" in answer.text


def test_a_batch_has_an_address_and_must_have_a_body(bulk1):
    job = bulk1.create()
    made = bulk1.ask("POST", f"job/{job}/batch", "Name\nA\n", "text/csv")
    assert made.headers["location"].startswith(f"/services/async/60.0/job/{job}/batch/751")
    empty = bulk1.ask("POST", f"job/{job}/batch", b"", "text/csv")
    assert empty.status_code == 400
    assert "<exceptionCode>ClientInputError</exceptionCode>" in empty.text
    assert "Unable to find any data to create batch" in empty.text


def test_a_row_with_more_cells_than_the_header_fails_alone(bulk1):
    job = bulk1.create()
    batch = bulk1.batch(job, "Name\nA\nB,C\nD\n")
    assert bulk1.ended(job, batch)["numberRecordsFailed"] == "1"
    lines = bulk1.ask("GET", f"job/{job}/batch/{batch}/result").text.splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ['"true"', '"false"', '"true"']


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_a_batch_without_its_key_column_fails(bulk1, operation):
    job = bulk1.create(operation)
    told = bulk1.ended(job, bulk1.batch(job, "Name\nA\n"))
    assert told["stateMessage"] == "InvalidBatch : Field name not found : Id"


def test_a_json_query_can_have_typeof_and_is_told_without_a_charset(bulk1):
    sent = {"operation": "query", "object": "Event", "contentType": "JSON"}
    kind = "application/json; charset=UTF-8"
    made = bulk1.ask("POST", "job", json.dumps(sent), kind)
    assert made.headers["content-type"] == "application/json"
    job = made.json()["id"]
    soql = "SELECT Id, TYPEOF Who WHEN Contact THEN LastName ELSE Id END FROM Event"
    path = f"job/{job}/batch/" + bulk1.ask("POST", f"job/{job}/batch", soql, kind).json()["id"]
    while bulk1.ask("GET", path).json()["state"] in {"Queued", "InProgress"}:
        pass
    listed = bulk1.ask("GET", f"{path}/result")
    assert listed.headers["content-type"] == "application/json"
    assert bulk1.ask("GET", f"{path}/result/{listed.json()[0]}").json() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (JOB.format(operation="merge"), "InvalidJob"),
        (JOB.format(operation="upsert"), "InvalidJob"),
        (JOB.format(operation="insert").replace("Account", "Nothing"), "InvalidEntity"),
        ("<!DOCTYPE x><jobInfo/>", "InvalidXML"),
        ("no xml", "InvalidXML"),
    ],
)
def test_a_job_that_cannot_be_is_refused(bulk1, body, code):
    answer = bulk1.ask("POST", "job", body)
    assert answer.status_code == 400
    assert code in answer.text


def test_a_transformation_spec_maps_the_columns_of_a_csv(bulk1):
    """The sample of the Bulk API guide, Map Data Fields."""
    sent = JOB.format(operation="insert").replace("Account", "Contact")
    job = bulk1.told("POST", "job", sent)["id"]
    spec = (
        "Salesforce Field,Csv Header,Value,Hint\n"
        "Name,Full Name,,\n"
        "Title,Job Title,,\n"
        "LeadSource,Lead Source,Import,\n"
        "Description,,Imported from XYZ.csv,\n"
        "Birthdate,Date of Birth,,dd MMM yyyy\n"
    )
    assert bulk1.ask("POST", f"job/{job}/spec", spec, "text/csv").status_code == 201
    content = (
        "Full Name,Job Title,Lead Source,Date of Birth,Comment\n"
        '"Cat, Tom",DSH,Interview,10 Feb 1940,likes Jerry\n'
        "Jerry Mouse,House Mouse,,10 Feb 1940,likes Tom\n"
    )
    assert bulk1.ended(job, bulk1.batch(job, content))["numberRecordsFailed"] == "0"
    query = bulk1.create("query")
    names = "LastName,FirstName,Title,LeadSource,Description,Birthdate"
    batch = bulk1.batch(query, f"SELECT {names} FROM Contact ORDER BY LastName")
    bulk1.ended(query, batch)
    result = bulk1.told("GET", f"job/{query}/batch/{batch}/result")["result"]
    lines = bulk1.ask("GET", f"job/{query}/batch/{batch}/result/{result}").text.splitlines()
    assert [line.replace('"', "") for line in lines[1:]] == [
        "Cat,Tom,DSH,Interview,Imported from XYZ.csv,1940-02-10",
        "Mouse,Jerry,House Mouse,Import,Imported from XYZ.csv,1940-02-10",
    ]


@pytest.mark.parametrize(
    "spec", ["", "Field,Header\n", "Salesforce Field,Csv Header,Value,Hint\nNope,A,,\n", "x" * 9000]
)
def test_what_is_no_transformation_spec_is_refused(bulk1, spec):
    answer = bulk1.ask("POST", f"job/{bulk1.create()}/spec", spec, "text/csv")
    assert answer.status_code == 400
    assert "InvalidBatch" in answer.text
