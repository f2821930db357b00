"""The client and the local org understand each other; neither was written from the other."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from time import sleep

import pytest
from msgspec.structs import replace

from runner.credentials import Secret, Token
from runner.errors import OrgError, SignInError
from runner.job.model import RetryPolicy, Verb
from runner.local_org.app import Server, open_org
from runner.local_org.oauth.approvals import Approvals
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Settings
from runner.salesforce.bulk import ingest, query_jobs
from runner.salesforce.bulk.ingest import IngestOperation, IngestSpec, ResultSet
from runner.salesforce.bulk.job import Pace, failure_of
from runner.salesforce.describe import Describes
from runner.salesforce.http.retry import Retrier
from runner.salesforce.identity import identity_of
from runner.salesforce.rest.query import pages
from runner.salesforce.rest.write import WriteRequest, write_batch
from runner.salesforce.session import Session
from runner.salesforce.versions import choose, served
from runner.tables.staging.parts import FileSlice, PartContent

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "ERP_Id__c": {"type": "text", "length": 40, "external_id": True, "unique": True}
            }
        }
    },
}
PACE = Pace()
UPSERT = WriteRequest(Verb.UPSERT, "Account", key="ERP_Id__c")
ODD_KEYS = ["A/1 +&#?%", "..", "ü ä'", "x" * 40]


class Tokens:
    def __init__(self, token):
        self.token = token

    def load(self):
        return self.token

    def save(self, token):
        self.token = token

    def locked(self):
        return nullcontext()

    def describe(self):
        return "the test"


@dataclass
class Local:
    org: object
    url: str
    tokens: Tokens
    session: Session


@pytest.fixture
def local(tmp_path, transport) -> Iterator[Local]:
    settings = Settings(
        serve_retired=True,
        rotate_refresh_tokens=True,
        query_page_size=200,
        bulk_query_page_rows=100,
    )
    org = open_org(tmp_path / "org", DECLARED, settings)
    with Server(org, port=0) as server:
        tokens = Tokens(Token(Secret(server.access_token), server.url))
        retrier = Retrier(RetryPolicy(attempts=3), sleep=lambda _: sleep(0.01))
        session = Session(transport, tokens, retrier, login_command="runner login")
        session.api_version = "66.0"
        yield Local(org, server.url, tokens, session)
    org.store.close()


def names(session):
    found = pages(session, "SELECT Name FROM Account ORDER BY Name")
    return [record["Name"] for page in found for record in page.records]


def test_the_org_says_what_it_serves_and_whose_the_token_is(local):
    assert choose("20.0", served(local.session)) == "20.0"
    found = identity_of(local.session)
    assert found.org_id.startswith("00D")
    assert "@" in found.username


def test_columns_are_found(local):
    describes = Describes(local.session)
    assert describes.of("account").field("erp_id__c").external_id
    assert describes.resolve("Contact", "account.erp_id__c").name == "Account.ERP_Id__c"
    assert describes.follow("Contact", "Account.Owner.Username").type == "string"
    with pytest.raises(OrgError) as caught:
        describes.of("Acount")
    assert "Account" in caught.value.hint


@pytest.mark.parametrize("version", ["20.0", "41.0", "42.0", "45.0", "46.0", "68.0"])
def test_every_version_writes_the_same(local, version):
    """Single records, Collections, and upserts by odd keys end the same in the org."""
    session = local.session
    session.api_version = version
    records = [{"ERP_Id__c": key, "Name": f"{at}"} for at, key in enumerate(ODD_KEYS)]
    created = write_batch(session, UPSERT, records)
    assert [result.created for result in created] == [True] * 4
    updated = write_batch(session, UPSERT, [{**record, "Phone": "1"} for record in records])
    assert [result.created for result in updated] == [False] * 4
    ids = [result.id for result in created]
    renamed = write_batch(
        session, WriteRequest(Verb.UPDATE, "Account"), [{"Id": ids[0], "Name": "zero"}]
    )
    assert renamed[0].success
    refused = write_batch(
        session, WriteRequest(Verb.CREATE, "Account"), [{"Phone": "1"}, {"Name": "nine"}]
    )
    assert [result.code for result in refused] == ["REQUIRED_FIELD_MISSING", None]
    deleted = write_batch(session, WriteRequest(Verb.DELETE, "Account"), [{"Id": ids[1]}])
    assert deleted[0].success
    again = write_batch(session, WriteRequest(Verb.DELETE, "Account"), [{"Id": ids[1]}])
    assert (again[0].success, again[0].code) == (False, "ENTITY_IS_DELETED")
    assert names(session) == ["2", "3", "nine", "zero"]


def test_queries_page_and_find_what_was_deleted(local):
    create = WriteRequest(Verb.CREATE, "Account")
    results = write_batch(local.session, create, [{"Name": f"{at:04}"} for at in range(450)])
    write_batch(local.session, WriteRequest(Verb.DELETE, "Account"), [{"Id": results[0].id}])
    found = list(pages(local.session, "SELECT Name FROM Account ORDER BY Name"))
    assert [len(page.records) for page in found] == [200, 200, 49]
    everything = pages(local.session, "SELECT Name FROM Account", deleted=True)
    assert sum(len(page.records) for page in everything) == 450


def delivered(session, spec, part):
    job = ingest.create_job(session, spec).info
    content = PartContent(b"", (FileSlice(part, 0, part.stat().st_size),))
    ingest.upload(session, job.id, content)
    return ingest.close(session, job.id)


def test_a_file_goes_in_and_a_query_comes_out(local, tmp_path):
    part = tmp_path / "part.csv"
    part.write_text('ERP_Id__c,Name\nA,"a\nb"\nB,\n', encoding="utf-8", newline="\n")
    session = local.session
    spec = IngestSpec("Account", IngestOperation.UPSERT, key="ERP_Id__c")
    job = delivered(session, spec, part)
    ended = ingest.poll(session, job.id, PACE, lambda _: None)
    assert (ended.state, ended.processed, ended.failed) == ("JobComplete", 2, 1)
    saved = {
        kind: ingest.download_results(session, job.id, kind, tmp_path / kind.name)
        for kind in ResultSet
    }
    assert '"true"' in saved[ResultSet.SUCCEEDED].read_text(encoding="utf-8")
    assert "REQUIRED_FIELD_MISSING" in saved[ResultSet.FAILED].read_text(encoding="utf-8")
    query = query_jobs.create_job(session, "SELECT Name, ERP_Id__c FROM Account")
    query_jobs.poll(session, query.id, PACE, lambda _: None)
    to = tmp_path / "accounts.csv"
    assert query_jobs.download(session, query.id, to) == 1
    assert to.read_text(encoding="utf-8") == '"Name","ERP_Id__c"\n"a\nb","A"\n'


def test_pages_of_a_bulk_query_make_one_file(local, tmp_path):
    create = WriteRequest(Verb.CREATE, "Account")
    write_batch(local.session, create, [{"Name": f"{at:04}"} for at in range(300)])
    query = query_jobs.create_job(local.session, "SELECT Name FROM Account ORDER BY Name")
    query_jobs.poll(local.session, query.id, PACE, lambda _: None)
    reported = []
    to = tmp_path / "accounts.csv"
    assert query_jobs.download(local.session, query.id, to, report=reported.append) == 300
    assert reported == [100, 200, 300]
    assert to.read_text(encoding="utf-8").splitlines() == [
        '"Name"',
        *(f'"{at:04}"' for at in range(300)),
    ]


def test_an_unknown_column_fails_the_whole_job(local, tmp_path):
    part = tmp_path / "part.csv"
    part.write_text("Name,Nope\na,b\n", encoding="utf-8")
    spec = IngestSpec("Account", IngestOperation.INSERT)
    job = delivered(local.session, spec, part)
    ended = ingest.poll(local.session, job.id, PACE, lambda _: None)
    assert ended.state == "Failed"
    assert "Nope" in failure_of(ended).message


def test_an_expired_token_is_renewed_and_the_rotated_refresh_token_kept(local, transport):
    sessions, approvals = local.org.part(Sessions), local.org.part(Approvals)
    _, first = approvals.approve(local.org.user, "3MVG9", "api refresh_token")
    local.tokens.token = Token(
        Secret("00D!dead"),
        local.url,
        refresh_token=Secret(first),
        client_id="3MVG9",
        login_url=local.url,
    )
    session = Session(transport, local.tokens, local.session.retrier, login_command="x")
    session.api_version = "66.0"
    assert names(session) == []
    kept = local.tokens.token
    assert kept.refresh_token not in (None, Secret(first))
    sessions.end_all()
    assert names(session) == []
    local.tokens.token = replace(local.tokens.token, refresh_token=Secret(first))
    sessions.end_all()
    with pytest.raises(SignInError, match="invalid_grant"):
        names(session)
