"""aiosalesforce, an asynchronous client: what its documentation shows, against the local org.

It takes no address but `https://….my.salesforce.com`: its HTTP client takes that to the org.
"""

import asyncio
import textwrap
from contextlib import asynccontextmanager

import httpx
import pytest
from aiosalesforce import ClientCredentialsFlow, JwtBearerFlow, Salesforce
from aiosalesforce.auth.base import Auth
from aiosalesforce.exceptions import (
    AuthenticationError,
    MoreThanOneRecordError,
    NotFoundError,
    SalesforceError,
)
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

ADDRESS = "https://acme.my.salesforce.com"
APPS = """
apps:
  - client_id: machine
    client_secret: pretend
    client_credentials_user: admin@local.example
  - client_id: signer
    users_preauthorized: true
    certificate: |
"""


class ToLoopback(httpx.AsyncHTTPTransport):
    def __init__(self, org_url):
        super().__init__()
        self._org_url = org_url

    async def handle_async_request(self, request):
        request.url = httpx.URL(str(request.url).replace(ADDRESS, self._org_url, 1))
        return await super().handle_async_request(request)


class Token(Auth):
    """A token that is there already; the second time it has ended."""

    def __init__(self, *tokens):
        super().__init__()
        self._tokens = iter(tokens)

    async def _acquire_new_access_token(self, _client):
        return next(self._tokens)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def org_file(org_file, key):
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return org_file + APPS + textwrap.indent(pem, " " * 6)


@pytest.fixture
def run(org):
    """Run a coroutine with a client that is signed in."""

    @asynccontextmanager
    async def client(auth):
        async with httpx.AsyncClient(transport=ToLoopback(org.url)) as http:
            yield Salesforce(http, ADDRESS, auth=auth, version="62.0", retry_policy=None)

    def run(scenario, auth=None):
        async def signed_in():
            async with client(auth or Token(org.token)) as sf:
                return await scenario(sf)

        return asyncio.run(signed_in())

    return run


async def queried(sf, soql, **options):
    return [record async for record in sf.query(soql, **options)]


def test_a_record_is_created_read_updated_upserted_and_deleted(run, tag):
    async def scenario(sf):
        made = await sf.sobject.create("Contact", {"LastName": "Smith", "ERP_Id__c": tag})
        await sf.sobject.update("Contact", made, {"FirstName": "John"})
        found = await sf.sobject.get("Contact", made, fields=["Name"])
        assert found["Name"] == "John Smith"
        key = (tag, "ERP_Id__c")
        same = await sf.sobject.upsert("Contact", *key, {"LastName": "Jones"})
        assert (same.id, same.created) == (made, False)
        other = await sf.sobject.upsert("Contact", f"{tag}-2", "ERP_Id__c", {"LastName": "New"})
        assert other.created
        found = await sf.sobject.get("Contact", tag, external_id_field="ERP_Id__c")
        assert (found["Id"], found["LastName"]) == (made, "Jones")
        await sf.sobject.delete("Contact", tag, external_id_field="ERP_Id__c")
        with pytest.raises(NotFoundError) as gone:
            await sf.sobject.get("Contact", made)
        assert gone.value.error_code == "NOT_FOUND"

    run(scenario)


def test_queries_follow_their_pages_and_give_deleted_records_when_asked(run, org, tag):
    ids = org.create_many("Lead", [{"LastName": f"{n:04}", "Company": tag} for n in range(2001)])
    org.request("DELETE", f"sobjects/Lead/{ids[7]}")
    soql = f"SELECT LastName FROM Lead WHERE Company = '{tag}' ORDER BY LastName"

    async def scenario(sf):
        names = [f"{n:04}" for n in range(2001)]
        everything = await queried(sf, soql, include_all_records=True)
        assert [each["LastName"] for each in everything] == names
        assert [each["LastName"] for each in await queried(sf, soql)] == names[:7] + names[8:]

    run(scenario)


def test_composite_requests_refer_to_each_other_and_batches_do_not(run, org, tag):
    async def scenario(sf):
        async with sf.composite(all_or_none=True) as composite:
            account = composite.sobject.create("Account", {"Name": tag})
            values = {"LastName": tag, "AccountId": str(account.reference.id)}
            contact = composite.sobject.create("Contact", values)
            query = composite.query(f"SELECT Account.Name FROM Contact WHERE LastName = '{tag}'")
        assert [each["Account"]["Name"] for each in query.records] == [tag]
        async with sf.composite.batch() as batch:
            found = batch.sobject.get("Contact", contact.id, fields=["LastName"])
            refused = batch.sobject.create("Contact", {"FirstName": tag})
            batch.sobject.delete("Contact", contact.id)
        assert found.record["LastName"] == tag
        assert not refused.is_success
        assert refused.result[0]["errorCode"] == "REQUIRED_FIELD_MISSING"

    run(scenario)
    assert org.rows(f"SELECT Id FROM Contact WHERE LastName = '{tag}'") == []


def test_bulk_jobs_insert_upsert_update_and_delete(run, org, tag, monkeypatch):
    wait = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: wait(0.01))  # five seconds, otherwise

    def of(result):
        return sorted(each["sf__Created"] for each in result.successful_results)

    async def scenario(sf):
        rows = [{"ERP_Id__c": f"{tag}-{n}", "LastName": name} for n, name in enumerate("ab")]
        made = await sf.bulk_v2.insert("Contact", [*rows, {"ERP_Id__c": f"{tag}-x"}])
        assert (of(made), len(made.unprocessed_records)) == (["true", "true"], 0)
        (failed,) = made.failed_results
        assert failed["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
        assert failed["ERP_Id__c"] == f"{tag}-x"
        (job,) = made.jobs
        assert (job.state, job.operation, job.line_ending) == ("JobComplete", "insert", "LF")

        new = {"ERP_Id__c": f"{tag}-2", "LastName": 'c, \n"d"'}
        merged = await sf.bulk_v2.upsert("Contact", [*rows, new], "ERP_Id__c")
        assert of(merged) == ["false", "false", "true"]
        ids = [{"Id": each["sf__Id"]} for each in made.successful_results]
        updated = await sf.bulk_v2.update("Contact", [{**ids[0], "LastName": "z"}])
        assert of(updated) == ["false"]
        assert len((await sf.bulk_v2.delete("Contact", ids)).successful_results) == 2
        assert job.id in [each.id async for each in sf.bulk_v2.ingest.list_jobs()]
        await sf.bulk_v2.ingest.delete_job(job.id)
        with pytest.raises(NotFoundError):
            await sf.bulk_v2.ingest.get_job(job.id)
        open_job = await sf.bulk_v2.ingest.create_job("insert", "Contact")
        assert (await sf.bulk_v2.ingest.abort_job(open_job.id)).state == "Aborted"

    run(scenario)
    soql = f"SELECT LastName FROM Contact WHERE ERP_Id__c LIKE '{tag}%'"
    assert org.rows(soql) == [{"LastName": 'c, \n"d"'}]


def test_refusals_are_raised_with_their_code(run, org, tag):
    ids = org.create_many("Contact", [{"LastName": tag, "Batch__c": tag} for _ in range(2)])

    async def scenario(sf):
        with pytest.raises(SalesforceError) as missing:
            await sf.sobject.create("Account", {"Industry": "Retail"})
        assert missing.value.error_code == "REQUIRED_FIELD_MISSING"
        with pytest.raises(SalesforceError) as malformed:
            await queried(sf, "SELECT Id FRM Account")
        assert malformed.value.error_code == "MALFORMED_QUERY"
        with pytest.raises(MoreThanOneRecordError) as ambiguous:
            await sf.sobject.get("Contact", tag, external_id_field="Batch__c")
        assert all(each in str(ambiguous.value) for each in ids)
        assert (await sf.get_limits())["DailyApiRequests"]["Remaining"] > 0

    run(scenario)


def test_it_signs_in_by_client_credentials_and_by_a_signed_assertion(run, key, tmp_path):
    async def scenario(sf):
        return await queried(sf, "SELECT Username FROM User")

    file = tmp_path / "app.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for auth in (
        ClientCredentialsFlow("machine", "pretend"),
        JwtBearerFlow("signer", "admin@local.example", file),
    ):
        assert run(scenario, auth)[0]["Username"] == "admin@local.example"
    with pytest.raises(AuthenticationError) as refused:
        run(scenario, ClientCredentialsFlow("machine", "guessed"))
    assert refused.value.error_code == "invalid_client"


def test_a_session_that_has_ended_is_begun_again(run, org):
    async def scenario(sf):
        return await queried(sf, "SELECT Id FROM User")

    assert run(scenario, Token("00DLO0000000001!spent", org.token))
