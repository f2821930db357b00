"""A delete or undelete whose answer was lost is sent again; only its own work is its success."""

import httpx
import pytest

from tests.e2e.conftest import ORG_FILE
from tests.short_form import slow

OTHER = "second@local.example"
DELETE = "- name: gone\n  delete: Account\n  from: ids.csv\n  api: rest\n"
UNDELETE = (
    "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'"
    " xmlns:u='urn:partner.soap.sforce.com'><e:Header><u:SessionHeader>"
    "<u:sessionId>{token}</u:sessionId></u:SessionHeader></e:Header>"
    "<e:Body><u:undelete><u:ids>{id}</u:ids></u:undelete></e:Body></e:Envelope>"
)


@pytest.fixture
def org(bench, serve_org):
    """An org of two users."""
    bench.write("users.csv", f"Username,LastName\n{OTHER},Second\n")
    return serve_org(org_file=f"{ORG_FILE}seed: {{User: users.csv}}\n")


def accounts(bench, org):
    ids = [org.create("Account", Name=f"n {n}") for n in range(3)]
    bench.write("ids.csv", "Id\n" + "\n".join(ids) + "\n")
    return ids


def second_user(org):
    """Headers of another user's requests."""
    return {"Authorization": f"Bearer {org.grant(user=OTHER)['access_token']}"}


def restore_and_rename(org, record_id, headers):
    """What another user does with a record in the recycle bin."""
    token = headers["Authorization"].removeprefix("Bearer ")
    answer = httpx.post(
        f"{org.url}/services/Soap/u/62.0",
        content=UNDELETE.format(token=token, id=record_id),
        headers={"SOAPAction": '""', "Content-Type": "text/xml"},
    )
    assert "<success>true</success>" in answer.text, answer.text
    path = f"/services/data/v62.0/sobjects/Account/{record_id}"
    assert org.request("PATCH", path, json={"Name": "b"}, headers=headers).status_code == 204


@pytest.mark.parametrize("version", ["41.0", *slow("62.0")])
def test_a_record_that_was_gone_before_stays_failed(bench, org, version):
    ids = accounts(bench, org)
    path = f"/services/data/v62.0/sobjects/Account/{ids[1]}"
    assert org.request("DELETE", path).status_code == 204
    org.fault(kind="answer_lost", method="DELETE", path="sobjects", times=1)
    connection = f"{{environment: local, api_version: '{version}'}}"
    org.later()
    ended = bench.run("run", bench.job(DELETE, connection=connection), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    counts = ended.task("gone")["counts"]
    assert (counts["deleted"], counts["failed"]) == (2, 1)
    assert ended.task("gone")["top_errors"][0]["code"] == "ENTITY_IS_DELETED"


def test_what_another_user_deletes_between_two_tries_stays_failed(bench, org, proxy):
    ids = accounts(bench, org)
    other = second_user(org)
    tries = []

    def drops(method, _path):
        if method == "DELETE":
            tries.append(method)
        if len(tries) != 1:
            return False
        path = f"/services/data/v62.0/sobjects/Account/{ids[1]}"
        return org.request("DELETE", path, headers=other).status_code == 204

    proxy.drops = drops
    ended = bench.run("run", bench.job(DELETE, connection=proxy.connection), "-o", "json")
    assert len(tries) == 2
    assert ended.code == 3, ended.err + ended.out
    counts = ended.task("gone")["counts"]
    assert (counts["deleted"], counts["failed"]) == (2, 1)
    assert ended.task("gone")["top_errors"][0]["code"] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize("by_another", [False, True])
def test_an_undelete_whose_answer_was_lost_counts_what_it_restored_itself(
    bench, org, proxy, by_another
):
    ids = accounts(bench, org)
    ended = bench.run("run", bench.job(DELETE, connection=proxy.connection), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    other = second_user(org)
    tries = []

    def drops(_method, path):
        if "/Soap/" in path:
            tries.append(path)
            if by_another and len(tries) == 1:
                restore_and_rename(org, ids[1], other)
        return False

    org.fault(kind="answer_lost", method="POST", path="/Soap/", after=int(by_another), times=1)
    proxy.drops = drops
    undone = bench.run("undo", ended.document["run_id"], "--yes", "-o", "json")
    assert len(tries) == 2
    counts = undone.task("gone.undelete")["counts"]
    assert (counts["undeleted"], counts["failed"]) == (3 - by_another, int(by_another))
    assert undone.code == 3 * by_another, undone.err + undone.out
