"""Query jobs: shapes, pages, refusals."""

from __future__ import annotations

import csv
import io

import pytest

ORDERED = "SELECT Name, AnnualRevenue, BillingCity FROM Account ORDER BY Name"


@pytest.fixture
def filled(bulk):
    rows = "".join(f'Acme {number:03},{number},"Rome, ""IT"""\n' for number in range(25))
    bulk.ingest("Name,AnnualRevenue,BillingCity\n" + rows)
    return bulk


def rows_of(answer):
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_a_new_query_job_waits_for_its_turn(filled):
    job = filled.ask(ORDERED).json()
    assert list(job) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state",
        "concurrencyMode", "contentType", "apiVersion", "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert job["object"] == "Account"
    assert job["state"] == "UploadComplete"


def test_a_finished_query_job_tells_how_many(filled):
    job = filled.query(ORDERED)
    assert job["state"] == "JobComplete"
    assert job["numberRecordsProcessed"] == 25
    assert job["jobType"] == "V2Query"
    assert {"retries", "totalProcessingTime", "isPkChunkingSupported"} <= set(job)


def test_everything_is_quoted_under_the_names_selected(filled):
    answer = filled.page(filled.query(ORDERED))
    lines = answer.text.splitlines()
    assert lines[0] == '"Name","AnnualRevenue","BillingCity"'
    assert lines[1] == '"Acme 000","0.0","Rome, ""IT"""'
    assert answer.headers["sforce-numberofrecords"] == "25"
    assert answer.headers["sforce-locator"] == "null"
    assert answer.headers["content-type"] == "text/csv"


def test_pages_follow_each_other_by_locator_each_with_the_header(filled):
    job = filled.query(ORDERED)
    found, locator, sizes = [], None, []
    while locator != "null":
        params = {"maxRecords": 10} | ({"locator": locator} if locator else {})
        answer = filled.page(job, **params)
        header, *rows = rows_of(answer)
        assert header == ["Name", "AnnualRevenue", "BillingCity"]
        assert answer.headers["sforce-numberofrecords"] == str(len(rows))
        found += rows
        sizes.append(len(rows))
        locator = answer.headers["sforce-locator"]
    assert sizes == [10, 10, 5]
    assert [row[0] for row in found] == [f"Acme {number:03}" for number in range(25)]


def test_an_empty_result_is_a_header(filled):
    answer = filled.page(filled.query("SELECT Id FROM Contact"))
    assert answer.text == '"Id"\n'
    assert answer.headers["sforce-numberofrecords"] == "0"
    assert answer.headers["sforce-locator"] == "null"


@pytest.mark.parametrize(
    "params", [{"locator": "bogus!"}, {"locator": "OTk5"}, {"maxRecords": "0"}, {"maxRecords": "x"}]
)
def test_a_page_that_cannot_be_is_refused(filled, params):
    assert filled.page(filled.query(ORDERED), **params).status_code == 400


def test_result_pages_can_be_fetched_in_any_order(filled):
    job = filled.query(ORDERED)
    path = filled.path(f"query/{job['id']}/resultPages")
    told = filled.client.get(path, params={"maxRecords": 4}).json()
    assert len(told["resultPages"]) == 5
    assert told["done"] is False
    assert told["nextRecordsUrl"].startswith(
        f"/services/data/v60.0/jobs/query/{job['id']}/resultpages?locator="
    )
    rest = filled.client.get(told["nextRecordsUrl"]).json()
    assert rest["done"] is True
    urls = [each["resultUrl"] for each in told["resultPages"] + rest["resultPages"]]
    names = {row[0] for url in reversed(urls) for row in rows_of(filled.client.get(url))[1:]}
    assert len(names) == 25


def test_result_pages_came_with_58(filled):
    filled.version = "57.0"
    job = filled.query(ORDERED)
    assert filled.client.get(filled.path(f"query/{job['id']}/resultPages")).status_code == 404


def test_below_50_columns_come_by_alphabet(filled):
    filled.version = "49.0"
    header = rows_of(filled.page(filled.query(ORDERED)))[0]
    assert header == ["AnnualRevenue", "BillingCity", "Name"]


def test_there_are_no_query_jobs_below_47(filled):
    filled.version = "46.0"
    assert filled.ask(ORDERED).status_code == 404


def test_another_version_than_the_jobs_own_is_a_conflict(filled):
    job = filled.query(ORDERED)
    filled.version = "61.0"
    assert filled.page(job).status_code == 409


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT() FROM Account",
        "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT BillingAddress FROM Account",
        "SELECT Id FROM Account OFFSET 5",
        "SELECT Nonsense FROM Account",
        "SELECT Id FROM Nonsense",
        "SELECT Id",
        "",
    ],
)
def test_soql_that_bulk_does_not_run_is_refused(filled, soql):
    answer = filled.ask(soql)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"]


def test_deleted_records_show_in_query_all(filled):
    ids = [row[0] for row in rows_of(filled.page(filled.query("SELECT Id FROM Account")))[1:]]
    filled.ingest("Id\n" + "\n".join(ids[:5]) + "\n", "delete")
    assert filled.query("SELECT Id FROM Account")["numberRecordsProcessed"] == 20
    everything = filled.query("SELECT Id FROM Account", operation="queryAll")
    assert everything["numberRecordsProcessed"] == 25


def test_states_end_and_then_stay(filled):
    job = filled.query(ORDERED)
    answer = filled.patch(job["id"], "Aborted", "query")
    assert answer.json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert filled.client.delete(filled.path(f"query/{job['id']}")).status_code == 204
    assert filled.page(job).status_code == 404


def test_delimiter_and_line_ending_are_the_jobs_own(filled):
    job = filled.query(ORDERED, columnDelimiter="PIPE", lineEnding="CRLF")
    lines = filled.page(job).text.split("\r\n")
    assert lines[0] == '"Name"|"AnnualRevenue"|"BillingCity"'


def test_results_are_gzipped_on_request(filled):
    job = filled.query(ORDERED)
    path = filled.path(f"query/{job['id']}/results")
    answer = filled.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(rows_of(answer)) == 26
