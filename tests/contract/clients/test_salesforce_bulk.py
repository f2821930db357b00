"""salesforce-bulk, the old library of the Bulk API 1.0 (version 40.0): what its README shows."""

import csv
import io
import json
from itertools import chain

import pytest
from salesforce_bulk import BulkApiError, CsvDictsAdapter, SalesforceBulk
from salesforce_bulk.salesforce_bulk import BulkBatchFailed

SOME = "SELECT LastName FROM Contact WHERE LastName = 'x' OR LastName LIKE '{tag}%'"


def text(page):
    return io.StringIO(b"".join(page).decode(), newline="")


@pytest.fixture
def bulk(org):
    return SalesforceBulk(sessionId=org.token, host=org.url)


@pytest.fixture
def load(bulk):
    """Load one batch of rows; gives its results, once it is through."""

    def load(job, rows):
        batch = bulk.post_batch(job, rows)
        bulk.wait_for_batch(job, batch, sleep_interval=0.01)
        bulk.close_job(job)
        assert bulk.job_state(job) == "Closed"
        return bulk.get_batch_results(batch)

    return load


def rows(tag, *names):
    return [{"ERP_Id__c": f"{tag}-{n}", "LastName": name} for n, name in enumerate(names)]


def queried(bulk, soql, kind="CSV"):
    """The pages of a query, as text."""
    batch = bulk.query(bulk.create_query_job("Contact", contentType=kind), soql, kind)
    bulk.wait_for_batch(bulk.lookup_job_id(batch), batch, sleep_interval=0.01)
    pages = bulk.get_all_results_for_query_batch(batch)
    return [b"".join(page).decode() for page in pages]


def test_csv_is_inserted_upserted_updated_and_deleted(bulk, load, org, tag):
    made = load(
        bulk.create_insert_job("Contact", contentType="CSV", concurrency="Parallel"),
        CsvDictsAdapter(iter(rows(tag, "Smith", ""))),
    )
    assert [(each.success, each.created) for each in made] == [("true", "true"), ("false", "false")]
    assert made[1].error.startswith("REQUIRED_FIELD_MISSING:Required fields are missing")
    merged = load(
        bulk.create_upsert_job("Contact", "ERP_Id__c"),
        CsvDictsAdapter(iter(rows(tag, "Smythe", "Jones"))),
    )
    assert [each.created for each in merged] == ["false", "true"]
    ids = [each.id for each in merged]
    assert ids[0] == made[0].id

    changed = [{"Id": each, "Email": "new@example.com"} for each in ids]
    results = load(bulk.create_update_job("Contact"), CsvDictsAdapter(iter(changed)))
    assert [each.success for each in results] == ["true", "true"]
    soql = f"SELECT LastName, Email FROM Contact WHERE ERP_Id__c LIKE '{tag}%' ORDER BY LastName"
    assert [each["LastName"] for each in org.rows(soql)] == ["Jones", "Smythe"]
    assert {each["Email"] for each in org.rows(soql)} == {"new@example.com"}

    load(bulk.create_delete_job("Contact"), CsvDictsAdapter({"Id": each} for each in ids))
    assert org.rows(soql) == []


def test_json_batches_are_answered_in_json(bulk, load, tag):
    sent = json.dumps([{"LastName": tag}, {"LastName": None}])
    made, failed = load(bulk.create_insert_job("Contact", contentType="JSON"), sent)
    assert (made.success, failed.success, failed.created) == (True, False, False)
    (error,) = failed.error
    assert (error["statusCode"], error["fields"]) == ("REQUIRED_FIELD_MISSING", ["LastName"])


def test_queries_give_their_pages_in_csv_and_json(bulk, org, tag):
    org.create_many("Contact", [{"LastName": f"{tag} {n}", "Email": None} for n in range(3)])
    soql = f"SELECT LastName, Email FROM Contact WHERE LastName LIKE '{tag}%' ORDER BY LastName"
    names = [f"{tag} {n}" for n in range(3)]
    (in_csv,) = queried(bulk, soql)
    assert [each["LastName"] for each in csv.DictReader(io.StringIO(in_csv))] == names
    in_json = chain.from_iterable(map(json.loads, queried(bulk, soql, "JSON")))
    assert [each["LastName"] for each in in_json] == names


@pytest.mark.parametrize("soql", ["SELECT LastName FROM Contact", SOME])
def test_a_query_is_cut_into_chunks_by_primary_key(bulk, org, tag, soql):
    names = [f"{tag} {n:03}" for n in range(250)]
    org.create_many("Contact", [{"LastName": each} for each in names])
    job = bulk.create_query_job("Contact", contentType="CSV", pk_chunking=100)
    asked = bulk.query(job, soql.format(tag=tag))
    with pytest.raises(BulkBatchFailed) as cut:
        bulk.wait_for_batch(job, asked, sleep_interval=0.01)
    assert cut.value.state == "NotProcessed"

    chunks = [each["id"] for each in bulk.get_batch_list(job) if each["id"] != asked]
    assert len(chunks) >= 3
    found = []
    for chunk in chunks:
        bulk.wait_for_batch(job, chunk, sleep_interval=0.01)
        for page in bulk.get_all_results_for_query_batch(chunk, job):
            rows = [each["LastName"] for each in csv.DictReader(text(page))]
            assert len(rows) <= 100
            found += [each for each in rows if each.startswith(tag)]
    assert found == names


def test_deleted_records_are_queried_by_their_own_operation(bulk, org, tag):
    (gone,) = org.create_many("Contact", [{"LastName": tag}])
    org.request("DELETE", f"sobjects/Contact/{gone}")
    job = bulk.create_queryall_job("Contact", contentType="CSV")
    batch = bulk.query(job, f"SELECT Id FROM Contact WHERE LastName = '{tag}'")
    bulk.wait_for_batch(job, batch, sleep_interval=0.01)
    (page,) = bulk.get_all_results_for_query_batch(batch)
    assert b"".join(page).split() == [b'"Id"', f'"{gone}"'.encode()]


def test_columns_are_renamed_by_a_mapping_file(bulk, load, org, tag):
    job = bulk.create_insert_job("Contact")
    bulk.post_mapping_file(job, "Salesforce Field,Csv Header,Value,Hint\nLastName,Surname,,\n")
    (made,) = load(job, f"Surname\n{tag}\n".encode())
    assert org.rows(f"SELECT LastName FROM Contact WHERE Id = '{made.id}'") == [{"LastName": tag}]


def test_jobs_are_aborted(bulk):
    job = bulk.create_insert_job("Contact")
    bulk.abort_job(job)
    assert bulk.job_status(job)["state"] == "Aborted"
    with pytest.raises(BulkApiError, match="InvalidJobState") as refused:
        bulk.post_batch(job, b"LastName\nx\n")
    assert refused.value.status_code == 400


def test_refusals_have_their_code_in_xml(bulk, org):
    with pytest.raises(BulkApiError, match="<exceptionCode>InvalidEntity<") as refused:
        bulk.create_insert_job("Cntact")
    assert refused.value.status_code == 400
    with pytest.raises(BulkApiError, match="<exceptionCode>InvalidSessionId<") as ended:
        SalesforceBulk(sessionId="00D!spent", host=org.url).create_insert_job("Contact")
    assert ended.value.status_code == 400

    job = bulk.create_query_job("Contact")
    batch = bulk.query(job, "SELECT Nmae FROM Contact")
    with pytest.raises(BulkBatchFailed, match="No such column 'Nmae'") as failed:
        bulk.wait_for_batch(job, batch, sleep_interval=0.01)
    assert failed.value.state == "Failed"
    assert failed.value.state_message.startswith("InvalidBatch")
