"""Jobs take data for 24 hours and are kept for seven days (Bulk API guide)."""

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import DECLARED, Bulk
from .test_bulk1 import JOB, Bulk1

NOON = datetime(2024, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def moments():
    return [NOON]


@pytest.fixture
def org(served, moments):
    return served(DECLARED, clock=lambda: moments[-1])


def test_a_job_of_bulk_2_ages(org, moments):
    bulk = Bulk(org.client)
    waiting, done = bulk.open(), bulk.ingest("Name\nA\n")
    asked = bulk.query("SELECT Id FROM Account")
    moments.append(NOON + timedelta(hours=25))
    late = bulk.put(waiting, "Name\nA\n")
    assert (late.status_code, late.json()[0]["errorCode"]) == (400, "INVALIDJOB")
    assert bulk.info(waiting)["state"] == "Open"
    moments.append(NOON + timedelta(days=6))
    assert bulk.rows(done, "successfulResults")
    moments.append(NOON + timedelta(days=8))
    for path in (f"ingest/{waiting}", f"ingest/{done['id']}", f"query/{asked['id']}"):
        assert bulk.client.get(bulk.path(path)).status_code == 404
    assert bulk.client.get(bulk.path("ingest")).json()["records"] == []


def test_a_job_of_bulk_1_ages(org, moments):
    bulk1 = Bulk1(org)
    job = bulk1.create()
    moments.append(NOON + timedelta(hours=23))
    bulk1.ended(job, bulk1.batch(job, "Name\nA\n"))
    moments.append(NOON + timedelta(hours=25))
    late = bulk1.ask("POST", f"job/{job}/batch", "Name\nA\n", "text/csv")
    assert (late.status_code, "InvalidJob<" in late.text) == (400, True)
    moments.append(NOON + timedelta(days=7, hours=22))  # seven days after its youngest batch
    assert bulk1.ask("GET", f"job/{job}").status_code == 200
    moments.append(NOON + timedelta(days=8))
    assert bulk1.ask("GET", f"job/{job}").status_code == 400


def test_only_an_upsert_of_bulk_1_has_a_key_and_only_the_state_of_a_job_changes(org):
    bulk1 = Bulk1(org)
    keyed = JOB.format(operation="insert").replace(
        "</jobInfo>", "<externalIdFieldName>ERP_Id__c</externalIdFieldName></jobInfo>"
    )
    assert bulk1.ask("POST", "job", keyed).status_code == 400
    job = bulk1.create()
    changed = JOB.format(operation="update").replace(
        "</jobInfo>", "<state>Closed</state></jobInfo>"
    )
    assert bulk1.ask("POST", f"job/{job}", changed).status_code == 400
    assert bulk1.told("GET", f"job/{job}")["state"] == "Open"
