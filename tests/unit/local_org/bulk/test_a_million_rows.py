"""A million rows through Bulk API 2.0 and back, in memory that does not grow with them."""

from __future__ import annotations

import resource

import pytest

from runner.local_org.org import Settings

ROWS = 1_000_000
MOST_KIB = 1024 * 1024
KEY = {"type": "text", "length": 20, "external_id": True, "unique": True}


def content():
    yield b"Name,ERP_Id__c,AnnualRevenue,BillingCity\n"
    for start in range(0, ROWS, 5_000):
        lines = (f'Acme {n},E{n},{n}.25,"Rome ""IT"""\n' for n in range(start, start + 5_000))
        yield "".join(lines).encode()


def lines(bulk, path):
    with bulk.client.stream("GET", bulk.path(path)) as answer:
        count = sum(block.count(b"\n") for block in answer.iter_bytes())
        return count, answer.headers


@pytest.mark.slow
def test_a_million_rows_come_and_go(bulk, served, tmp_path):
    settings = Settings(daily_api_requests=1_000_000)
    declared = {"version": 1, "objects": {"Account": {"fields": {"ERP_Id__c": KEY}}}}
    bulk.client = served(declared, settings, folder=tmp_path / "big").client
    job_id = bulk.open("upsert", externalIdFieldName="ERP_Id__c")
    assert bulk.put(job_id, content()).status_code == 201
    bulk.patch(job_id, "UploadComplete")
    job = bulk.ended(job_id)
    assert (job["state"], job["numberRecordsProcessed"]) == ("JobComplete", ROWS)
    assert lines(bulk, f"ingest/{job_id}/successfulResults")[0] == ROWS + 1

    query = bulk.query("SELECT Id, Name, ERP_Id__c, AnnualRevenue FROM Account")
    found, locator = 0, ""
    while locator != "null":
        rest = f"?locator={locator}" if locator else ""
        count, headers = lines(bulk, f"query/{query['id']}/results{rest}")
        found += count - 1
        locator = headers["sforce-locator"]
    assert found == ROWS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MOST_KIB
