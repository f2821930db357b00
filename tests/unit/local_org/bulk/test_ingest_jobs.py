"""Ingest jobs from the outside: shapes, states, refusals."""

from __future__ import annotations

import pytest

from runner.local_org.org import Settings

ROWS = "Name\nAcme\nGlobex\n"


def refusal(answer, status=400):
    assert answer.status_code == status, answer.text
    return answer.json()[0]["errorCode"], answer.json()[0]["message"]


def test_a_new_job_is_open_and_says_where_its_content_goes(bulk):
    answer = bulk.create("upsert", "account", externalIdFieldName="ERP_Id__c")
    job = answer.json()
    assert answer.status_code == 200
    assert list(job) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state",
        "externalIdFieldName", "concurrencyMode", "contentType", "apiVersion", "contentUrl",
        "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert job["id"].startswith("750")
    assert len(job["id"]) == 18
    assert job["state"] == "Open"
    assert job["object"] == "Account"
    assert job["createdDate"].endswith(".000+0000")
    assert job["contentUrl"] == f"services/data/v60.0/jobs/ingest/{job['id']}/batches"
    assert answer.text.count('"apiVersion":60.0') == 1
    assert (job["lineEnding"], job["columnDelimiter"]) == ("LF", "COMMA")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"operation": "merge"}, "INVALIDOPERATION"),
        ({"sobject": "Nothing__c"}, "INVALIDENTITY"),
        ({"operation": "upsert"}, "INVALIDJOB"),
        ({"operation": "upsert", "externalIdFieldName": "Industry"}, "INVALIDJOB"),
        ({"lineEnding": "CR"}, "INVALIDJOB"),
        ({"columnDelimiter": "HASH"}, "INVALIDJOB"),
        ({"contentType": "JSON"}, "INVALIDJOB"),
        ({"colour": "blue"}, "JSON_PARSER_ERROR"),
    ],
)
def test_a_job_that_cannot_be_is_refused(bulk, body, code):
    assert refusal(bulk.create(**body))[0] == code


def test_an_unsupported_object_is_named(bulk):
    words = refusal(bulk.create(sobject="Nothing__c"))[1]
    assert words == "Nothing__c is not supported by the Bulk API"


def test_hard_delete_needs_its_permission(served, tmp_path, bulk):
    org = served(settings=Settings(hard_delete_allowed=False), folder=tmp_path / "soft")
    bulk.client = org.client
    assert refusal(bulk.create("hardDelete"))[0] == "FEATURENOTENABLED"


def test_content_is_taken_with_201_and_nothing_else(bulk):
    answer = bulk.put(bulk.open(), ROWS)
    assert (answer.status_code, answer.content) == (201, b"")


def test_content_of_another_type_is_refused(bulk):
    answer = bulk.client.put(
        bulk.path(f"ingest/{bulk.open()}/batches"),
        content=ROWS,
        headers={"Content-Type": "application/json"},
    )
    assert refusal(answer, 415)[0] == "UNSUPPORTED_MEDIA_TYPE"


def test_closing_answers_the_short_form(bulk):
    job_id = bulk.open()
    bulk.put(job_id, ROWS)
    job = bulk.patch(job_id, "UploadComplete").json()
    assert job["state"] == "UploadComplete"
    assert not {"contentUrl", "lineEnding", "columnDelimiter"} & set(job)


def test_a_finished_job_tells_its_counts(bulk):
    job = bulk.ingest(ROWS)
    assert job["state"] == "JobComplete"
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 0)
    assert job["jobType"] == "V2Ingest"
    assert job["retries"] == 0
    assert {"totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime"} <= set(job)
    assert "contentUrl" not in job
    assert "errorMessage" not in job


def test_a_second_upload_spoils_the_job(bulk):
    job_id = bulk.open()
    assert bulk.put(job_id, ROWS).status_code == 201
    assert bulk.put(job_id, ROWS).status_code == 201
    code, words = refusal(bulk.patch(job_id, "UploadComplete"))
    assert code == "INVALIDJOB"
    assert words.startswith(f"Found multipe contents for job: <{job_id[:15]}>, please 'Close'")
    assert bulk.patch(job_id, "Aborted").json()["state"] == "Aborted"


@pytest.mark.parametrize("content", [None, "", "Name\n", "Name"])
def test_a_job_without_rows_completes_with_none(bulk, content):
    job_id = bulk.open()
    if content is not None:
        bulk.put(job_id, content)
    bulk.patch(job_id, "UploadComplete")
    job = bulk.ended(job_id)
    assert job["state"] == "JobComplete"
    assert job["numberRecordsProcessed"] == 0
    assert bulk.rows(job, "successfulResults") == []


def test_only_an_open_job_takes_content_or_closes(bulk):
    job = bulk.ingest(ROWS)
    assert refusal(bulk.put(job["id"], ROWS))[0] == "INVALIDJOBSTATE"
    assert refusal(bulk.patch(job["id"], "UploadComplete"))[0] == "INVALIDJOBSTATE"
    assert refusal(bulk.patch(job["id"], "Aborted")) == (
        "INVALIDJOBSTATE",
        "Aborting already Completed Job not allowed",
    )
    assert refusal(bulk.patch(job["id"], "JobComplete"))[0] == "INVALIDJOBSTATE"


def test_an_aborted_job_gives_its_rows_back_unprocessed(bulk):
    job_id = bulk.open()
    bulk.put(job_id, ROWS)
    bulk.patch(job_id, "Aborted")
    job = bulk.info(job_id)
    assert job["state"] == "Aborted"
    assert bulk.text(job, "unprocessedrecords") == ROWS
    assert bulk.rows(job, "successfulResults") == []


def test_a_deleted_job_is_gone(bulk):
    job = bulk.ingest(ROWS)
    answer = bulk.client.delete(bulk.path(f"ingest/{job['id']}"))
    assert (answer.status_code, answer.content) == (204, b"")
    for rest in ("", "/successfulResults"):
        gone = bulk.client.get(bulk.path(f"ingest/{job['id']}{rest}"))
        assert refusal(gone, 404)[0] == "NOT_FOUND"


def test_an_open_job_is_not_deleted(bulk):
    answer = bulk.client.delete(bulk.path(f"ingest/{bulk.open()}"))
    assert refusal(answer) == (
        "API_ERROR",
        "Error encountered when deleting the job because the job is not terminated",
    )


def test_results_are_not_there_before_the_end(bulk):
    answer = bulk.client.get(bulk.path(f"ingest/{bulk.open()}/failedResults"))
    assert refusal(answer)[0] == "INVALIDJOBSTATE"


def test_a_job_is_asked_for_by_either_form_of_its_id_and_its_own_version(bulk):
    job_id = bulk.open()
    assert bulk.info(job_id[:15])["id"] == job_id
    bulk.version = "59.0"
    answer = bulk.client.get(bulk.path(f"ingest/{job_id}"))
    assert answer.status_code == 409


def test_jobs_are_listed(bulk):
    ids = [bulk.open() for _ in range(3)]
    listed = bulk.client.get(bulk.path("ingest")).json()
    assert [job["id"] for job in listed["records"]] == ids
    assert listed["done"] is True
    assert listed["nextRecordsUrl"] is None
    assert {job["jobType"] for job in listed["records"]} == {"V2Ingest"}


def test_one_multipart_request_makes_fills_and_closes_a_job(bulk):
    answer = bulk.client.post(
        bulk.path("ingest"),
        files={
            "job": (None, '{"object":"Account","operation":"insert"}', "application/json"),
            "content": ("content", 'Name\n"A\nB"\n', "text/csv"),
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "UploadComplete"
    job = bulk.ended(answer.json()["id"])
    assert job["numberRecordsProcessed"] == 1
    assert bulk.rows(job, "successfulResults")[0]["Name"] == "A\nB"


def test_multipart_content_has_a_limit(bulk):
    answer = bulk.client.post(
        bulk.path("ingest"),
        files={
            "job": (None, '{"object":"Account","operation":"insert"}', "application/json"),
            "content": ("content", "Name\n" + "x" * 100_000, "text/csv"),
        },
    )
    assert refusal(answer)[0] == "CLIENTINPUTERROR"


def test_there_are_no_ingest_jobs_below_41(bulk):
    bulk.version = "40.0"
    assert refusal(bulk.create(), 404)[0] == "NOT_FOUND"


def test_a_job_that_waits_for_its_turn_can_be_aborted_and_deleted(served, tmp_path, bulk):
    org = served(settings=Settings(bulk_pace_seconds=3600), folder=tmp_path / "slow")
    bulk.client = org.client
    job_id = bulk.open()
    bulk.put(job_id, ROWS)
    bulk.patch(job_id, "UploadComplete")
    assert bulk.info(job_id)["state"] == "UploadComplete"
    assert "numberRecordsProcessed" not in bulk.info(job_id)
    assert bulk.patch(job_id, "Aborted").json()["state"] == "Aborted"
    assert bulk.client.delete(bulk.path(f"ingest/{job_id}")).status_code == 204


def test_a_job_that_was_waiting_goes_on_with_the_next_server(served, tmp_path, bulk):
    folder = tmp_path / "kept"
    first = served(settings=Settings(bulk_pace_seconds=3600), folder=folder)
    bulk.client = first.client
    job_id = bulk.open()
    bulk.put(job_id, ROWS)
    bulk.patch(job_id, "UploadComplete")
    first.stop()
    bulk.client = served(folder=folder).client
    job = bulk.ended(job_id)
    assert job["state"] == "JobComplete"
    assert len(bulk.rows(job, "successfulResults")) == 2
