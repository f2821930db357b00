from datetime import UTC, datetime

import pytest

from runner.errors import OrgError, TransportError
from runner.job.model import Verb
from runner.salesforce.bulk import ingest
from runner.salesforce.bulk.ingest import IngestOperation, IngestSpec, ResultSet
from runner.salesforce.bulk.job import Pace
from runner.tables.staging.parts import FileSlice, PartContent

SPEC = IngestSpec("Account", IngestOperation.UPSERT, key="ERP_Id__c")


def job(state="Open", job_id="750x", **more):
    return {"id": job_id, "state": state, "object": "Account", "apiVersion": 66.0, **more}


@pytest.fixture
def part(tmp_path):
    file = tmp_path / "part-1.csv"
    file.write_bytes(b"ERP_Id__c,Name\nA1,Acme\n")
    return PartContent(b"ERP_Id__c,Name\n", (FileSlice(file, 15, 23),))


def test_a_job_is_made_for_lf_and_commas(world):
    world.org.say(200, job())
    assert ingest.create_job(world.session, SPEC).info.id == "750x"
    assert world.org.paths() == ["POST /services/data/v66.0/jobs/ingest"]
    assert world.org.asked[0].json == {
        "object": "Account",
        "operation": "upsert",
        "externalIdFieldName": "ERP_Id__c",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }


def test_an_assignment_rule_travels_with_the_job(world):
    world.org.say(201, job())
    spec = IngestSpec("Lead", IngestOperation.INSERT, assignment_rule_id="01Q1")
    ingest.create_job(world.session, spec)
    assert world.org.asked[0].json["assignmentRuleId"] == "01Q1"


@pytest.mark.parametrize(
    ("verb", "hard", "operation"),
    [
        (Verb.CREATE, False, "insert"),
        (Verb.UPDATE, False, "update"),
        (Verb.UPSERT, False, "upsert"),
        (Verb.DELETE, False, "delete"),
        (Verb.DELETE, True, "hardDelete"),
    ],
)
def test_each_verb_has_its_operation(verb, hard, operation):
    assert ingest.operation_of(verb, hard=hard) == operation


def test_a_hard_delete_without_the_permission_says_which(world):
    world.org.refuse(400, "FEATURENOTENABLED", "hardDelete")
    with pytest.raises(OrgError) as caught:
        ingest.create_job(world.session, IngestSpec("Account", IngestOperation.HARD_DELETE))
    assert "Bulk API Hard Delete" in caught.value.hint


def test_a_file_is_handed_over_in_one_piece(world, part):
    world.org.say(200, job())
    world.org.say(201)
    world.org.say(200, job("UploadComplete"))
    created = ingest.create_job(world.session, SPEC)
    assert (created.info.id, created.may_have_twin) == ("750x", False)
    ingest.upload(world.session, created.info.id, part)
    assert ingest.close(world.session, created.info.id).state == "UploadComplete"
    _, put, patch = world.org.asked
    assert (put.method, put.path) == ("PUT", "/services/data/v66.0/jobs/ingest/750x/batches")
    assert (put.headers["content-type"], put.body) == ("text/csv", b"ERP_Id__c,Name\nA1,Acme\n")
    assert (patch.method, patch.json) == ("PATCH", {"state": "UploadComplete"})


def test_a_job_whose_first_answer_was_lost_may_have_a_twin(world):
    world.org.lose()
    world.org.say(200, job())
    assert ingest.create_job(world.session, SPEC).may_have_twin


def test_an_upload_of_unknown_fate_is_given_up(world, part):
    """Two uploads spoil a job, and whether the first arrived cannot be asked."""
    world.org.lose()
    world.org.say(200, job("Aborted"))
    with pytest.raises(TransportError) as caught:
        ingest.upload(world.session, "750x", part)
    assert caught.value.may_have_arrived is False
    assert [path.split("/jobs/ingest")[1] for path in world.org.paths()] == [
        "/750x/batches",
        "/750x",
    ]
    assert world.org.asked[1].json == {"state": "Aborted"}


def listed(job_id, **more):
    told = {
        "id": job_id,
        "object": "Account",
        "operation": "upsert",
        "externalIdFieldName": "ERP_Id__c",
        "createdById": "005000000000001AAA",
        "createdDate": "2026-11-23T13:05:30.000+0000",
        "state": "Open",
    }
    return {**told, **more}


def test_open_jobs_that_nobody_noted_are_found_among_all_pages(world):
    spec = IngestSpec("Account", IngestOperation.UPSERT, key="ERP_Id__c")
    unlike = [
        listed("750b", state="InProgress"),
        listed("750c", object="Contact"),
        listed("750d", operation="insert"),
        listed("750e", externalIdFieldName="Other__c"),
        listed("750f", createdById="005000000000002AAA"),
        listed("750g", createdDate="2026-11-23T13:04:59.000+0000"),
        listed("750h", createdDate="2026-11-23T13:20:00.000+0000"),
    ]
    following = "/services/data/v66.0/jobs/ingest?queryLocator=MTAwMA=="
    world.org.say(
        200, {"done": False, "nextRecordsUrl": following, "records": [listed("750a"), *unlike]}
    )
    world.org.say(200, {"done": True, "nextRecordsUrl": None, "records": [listed("750z")]})
    since, until = (datetime(2026, 11, 23, 13, minute, tzinfo=UTC) for minute in (5, 6))
    found = list(ingest.open_jobs(world.session, spec, "005000000000001", since, until))
    assert found == ["750a", "750z"]


def test_a_refused_upload_is_an_error(world, part):
    world.org.refuse(400, "INVALIDJOB", "no")
    with pytest.raises(OrgError, match="INVALIDJOB"):
        ingest.upload(world.session, "750x", part)


@pytest.mark.parametrize("state", ["UploadComplete", "InProgress", "JobComplete"])
def test_a_close_whose_answer_was_lost_is_settled_by_the_jobs_state(world, state):
    world.org.lose()
    world.org.say(200, job(state))
    assert ingest.close(world.session, "750x").state == state
    assert [asked.method for asked in world.org.asked] == ["PATCH", "GET"]


def test_a_close_that_did_not_arrive_is_sent_again(world):
    world.org.lose()
    world.org.say(200, job("Open"))
    world.org.say(200, job("UploadComplete"))
    assert ingest.close(world.session, "750x").state == "UploadComplete"
    assert [asked.method for asked in world.org.asked] == ["PATCH", "GET", "PATCH"]


def test_a_second_close_that_is_refused_is_settled_by_the_jobs_state(world):
    world.org.refuse(400, "INVALIDJOBSTATE", "already closed")
    world.org.say(200, job("InProgress"))
    assert ingest.close(world.session, "750x").state == "InProgress"


def test_a_close_that_stays_refused_is_an_error(world):
    world.org.refuse(400, "INVALIDJOB", "Found multiple contents for job")
    world.org.say(200, job("Open"))
    with pytest.raises(OrgError, match="multiple contents"):
        ingest.close(world.session, "750x")


def test_a_job_is_watched_to_its_end(world):
    world.org.say(200, job("InProgress", numberRecordsProcessed=1))
    world.org.lose()
    world.org.say(200, job("JobComplete", numberRecordsProcessed=2, numberRecordsFailed=1))
    told = []
    pace = Pace(first_seconds=0)
    info = ingest.poll(world.session, "750x", pace, told.append)
    assert (info.state, info.processed, info.failed) == ("JobComplete", 2, 1)
    assert [one.processed for one in told] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ResultSet.SUCCEEDED, "successfulResults/"),
        (ResultSet.FAILED, "failedResults/"),
        (ResultSet.UNPROCESSED, "unprocessedrecords/"),
    ],
)
def test_each_result_set_is_saved_as_it_came(world, tmp_path, kind, path):
    text = b'"sf__Id","sf__Created",Name\n"001","true","a\r\nb"\n'
    world.org.say(200, text)
    to = tmp_path / "results.csv"
    assert ingest.download_results(world.session, "750x", kind, to) == to
    assert to.read_bytes() == text
    assert world.org.asked[0].path == f"/services/data/v66.0/jobs/ingest/750x/{path}"
    assert world.org.asked[0].headers["accept"] == "text/csv"


@pytest.mark.parametrize("status", [200, 204])
def test_nothing_at_all_means_no_rows(world, tmp_path, status):
    world.org.say(status)
    to = tmp_path / "failed.csv"
    assert ingest.download_results(world.session, "750x", ResultSet.FAILED, to) is None
    assert list(tmp_path.iterdir()) == []


def test_results_that_come_in_pages_after_all_are_joined(world, tmp_path):
    world.org.say(200, b"a,b\n1,2\n", Sforce_Locator="MTA")
    world.org.say(200, b"a,b\n3,4\n", Sforce_Locator="null")
    to = tmp_path / "r.csv"
    ingest.download_results(world.session, "750x", ResultSet.SUCCEEDED, to)
    assert to.read_bytes() == b"a,b\n1,2\n3,4\n"


def test_saved_results_are_on_the_disk_when_they_have_their_name(world, tmp_path, disk_log):
    world.org.say(200, b"sf__Id\n001A\n", Sforce_NumberOfRecords="1")
    to = tmp_path / "results.csv"
    ingest.download_results(world.session, "750x", ResultSet.SUCCEEDED, to)
    disk_log.assert_durable(to)
