"""`/query`: pages, cursors and their envelopes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.cursors import Cursors
from runner.local_org.http.messages import Request
from runner.local_org.ids import make_id
from runner.local_org.oauth.sessions import SERVER_CLIENT, Sessions
from runner.local_org.org import Org, User
from runner.local_org.router import dispatch
from runner.local_org.store import Store
from tests.contract.soql.corpus import INVALID, LOOSER, STRICTER, VALID

USER = User(make_id("005", 1), "admin@local.example", "Local Admin", "admin@local.example")
ROOT = "/services/data/v66.0"
NOW = datetime(2024, 5, 15, tzinfo=UTC)


class Caller:
    """Asks the router, as a signed-in client would."""

    def __init__(self, org):
        self.org = org
        self.now = NOW
        org.clock = lambda: self.now
        self.token = org.part(Sessions).begin(USER, SERVER_CLIENT).token

    def get(self, path, *, batch=None, **query):
        headers = {"authorization": f"Bearer {self.token}"}
        if batch is not None:
            headers["sforce-query-options"] = f"batchSize={batch}"
        arguments = {name: [value] for name, value in query.items()}
        response = dispatch(self.org, Request("GET", path, arguments, headers, b""))
        return response.status, json.loads(response.body)

    def query(self, soql, *, batch=None, resource="query", **more):
        status, body = self.get(f"{ROOT}/{resource}", batch=batch, q=soql, **more)
        assert status == 200, body
        return body

    def pages(self, soql, *, batch=None, resource="query"):
        """Every page of a result."""
        pages = [self.query(soql, batch=batch, resource=resource)]
        while not pages[-1]["done"]:
            status, body = self.get(pages[-1]["nextRecordsUrl"])
            assert status == 200, body
            pages.append(body)
        return pages

    def add(self, sobject, rows):
        rows = [{"IsDeleted": 0, **row} for row in rows]
        names = list(rows[0])
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" for _ in names)
        with self.org.store.writing() as conn:
            conn.executemany(
                f'INSERT INTO "{sobject}" ({columns}) VALUES ({marks})',
                [[row[name] for name in names] for row in rows],
            )


@pytest.fixture
def caller(tmp_path):
    store = Store(tmp_path / "org.sqlite", standard_catalog())
    yield Caller(Org(make_id("00D", 1), store.catalog, store, USER))
    store.close()


@pytest.fixture
def accounts(caller):
    caller.add(
        "Account",
        [{"Id": make_id("001", number), "Name": f"{number:05}"} for number in range(450)],
    )
    return caller


def test_a_short_result_is_one_page(accounts):
    body = accounts.query("SELECT Id FROM Account LIMIT 2")
    assert list(body) == ["totalSize", "done", "records"]
    assert (body["totalSize"], body["done"], len(body["records"])) == (2, True, 2)


def test_a_long_result_goes_on_at_next_records_url(accounts):
    pages = accounts.pages("SELECT Name FROM Account ORDER BY Name DESC", batch=200)
    assert [len(page["records"]) for page in pages] == [200, 200, 50]
    assert {page["totalSize"] for page in pages} == {450}
    assert list(pages[0]) == ["totalSize", "done", "nextRecordsUrl", "records"]
    url = pages[0]["nextRecordsUrl"]
    assert url.startswith(f"{ROOT}/query/0r8")
    assert url.endswith("-200")
    names = [record["Name"] for page in pages for record in page["records"]]
    assert names == [f"{number:05}" for number in range(449, -1, -1)]


def test_batch_size_is_kept_within_200_and_2000(accounts):
    soql = "SELECT Id FROM Account"
    assert len(accounts.query(soql, batch=1)["records"]) == 200
    assert len(accounts.query(soql, batch=300)["records"]) == 300
    assert len(accounts.query(soql, batch=9999)["records"]) == 450
    assert len(accounts.query(soql)["records"]) == 450


def test_a_result_does_not_change_between_its_pages(accounts):
    first = accounts.query("SELECT Name FROM Account ORDER BY Name", batch=200)
    accounts.add("Account", [{"Id": make_id("001", 900), "Name": "00000a"}])
    with accounts.org.store.writing() as conn:
        conn.execute("DELETE FROM Account WHERE \"Name\" = '00250'")
    status, second = accounts.get(first["nextRecordsUrl"])
    assert status == 200
    assert second["totalSize"] == 450
    names = [record["Name"] for record in second["records"]]
    assert names == [f"{number:05}" for number in range(200, 400) if number != 250]
    assert second["nextRecordsUrl"].endswith("-400")


def test_a_locator_works_under_query_all_and_with_the_query_repeated(accounts):
    soql = "SELECT Id FROM Account"
    url = accounts.query(soql, batch=200)["nextRecordsUrl"]
    expected = accounts.get(url)
    assert accounts.get(url.replace("/query/", "/queryAll/")) == expected
    assert accounts.get(url, q=soql) == expected


def test_cursors_outlive_the_server(accounts):
    url = accounts.query("SELECT Id FROM Account", batch=200)["nextRecordsUrl"]
    restarted = Caller(Org(accounts.org.id, accounts.org.catalog, accounts.org.store, USER))
    assert restarted.get(url)[0] == 200


def test_a_cursor_dies_after_two_days(accounts):
    url = accounts.query("SELECT Id FROM Account", batch=200)["nextRecordsUrl"]
    accounts.org.part(Cursors)
    accounts.now = NOW + timedelta(days=2, seconds=1)
    accounts.token = accounts.org.part(Sessions).begin(USER, SERVER_CLIENT).token
    status, body = accounts.get(url)
    assert status == 400
    assert body[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    accounts.query("SELECT Id FROM Account", batch=200)
    assert len(list((accounts.org.store.folder / "cursors").glob("*.ids"))) == 1


@pytest.mark.parametrize(
    "locator", ["nonsense", "0r8abcdefghijklmno-200", "0r8abcdefghijklmno", "0r8../../org-1"]
)
def test_an_unknown_locator_is_invalid(caller, locator):
    status, body = caller.get(f"{ROOT}/query/{locator.replace('/', '%2F')}")
    assert status == 400
    assert (body[0]["errorCode"], body[0]["message"]) == (
        "INVALID_QUERY_LOCATOR",
        "invalid query locator",
    )


def test_another_users_cursor_is_invalid(accounts):
    url = accounts.query("SELECT Id FROM Account", batch=200)["nextRecordsUrl"]
    other = User(make_id("005", 2), "other@local.example", "Other", "other@local.example")
    accounts.token = accounts.org.part(Sessions).begin(other, SERVER_CLIENT).token
    assert accounts.get(url)[1][0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_query_all_shows_deleted_records(caller):
    caller.add("Account", [{"Id": make_id("001", 1), "Name": "gone", "IsDeleted": 1}])
    soql = "SELECT Name, IsDeleted FROM Account"
    assert caller.query(soql)["totalSize"] == 0
    (record,) = caller.query(soql, resource="queryAll")["records"]
    assert (record["Name"], record["IsDeleted"]) == ("gone", True)


def test_count_is_a_total_without_records(accounts):
    assert accounts.query("SELECT COUNT() FROM Account") == {
        "totalSize": 450,
        "done": True,
        "records": [],
    }


def test_aggregates_come_in_one_page(accounts):
    body = accounts.query("SELECT Name, COUNT(Id) n FROM Account GROUP BY Name", batch=200)
    assert (body["totalSize"], body["done"], len(body["records"])) == (450, True, 450)


def test_children_count_against_the_page(caller):
    parents = [{"Id": make_id("001", number), "Name": f"{number:03}"} for number in range(60)]
    caller.add("Account", parents)
    caller.add(
        "Contact",
        [
            {"Id": make_id("003", number), "LastName": str(number), "AccountId": parent["Id"]}
            for number, parent in enumerate(parents * 9)
        ],
    )
    soql = "SELECT Name, (SELECT LastName FROM Contacts) FROM Account ORDER BY Name"
    pages = caller.pages(soql, batch=200)
    assert [len(page["records"]) for page in pages] == [20, 20, 20]
    assert all(each["Contacts"]["totalSize"] == 9 for page in pages for each in page["records"])


def test_a_long_list_of_children_goes_on_at_a_url_of_its_own(caller):
    account = make_id("001", 1)
    caller.add("Account", [{"Id": account, "Name": "A"}])
    caller.add(
        "Contact",
        [
            {"Id": make_id("003", number), "LastName": f"{number:03}", "AccountId": account}
            for number in range(450)
        ],
    )
    soql = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account"
    body = caller.query(soql, batch=200)
    assert body["done"]
    part = body["records"][0]["Contacts"]
    assert list(part) == ["totalSize", "done", "nextRecordsUrl", "records"]
    names = [child["LastName"] for child in part["records"]]
    while not part["done"]:
        status, part = caller.get(part["nextRecordsUrl"])
        assert status == 200, part
        assert part["totalSize"] == 450
        names += [child["LastName"] for child in part["records"]]
    assert names == [f"{number:03}" for number in range(450)]


def test_a_refused_query_is_a_400_with_salesforces_code(caller):
    status, body = caller.get(f"{ROOT}/query", q="SELECT Nope FROM Account")
    assert status == 400
    assert body[0]["errorCode"] == "INVALID_FIELD"
    assert "ERROR at Row:1:Column:8" in body[0]["message"]


def test_a_query_without_text_is_malformed(caller):
    status, body = caller.get(f"{ROOT}/query")
    assert (status, body[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_urls_bear_the_version_asked(caller):
    caller.add("Account", [{"Id": make_id("001", 1), "Name": "A"}])
    _, body = caller.get("/services/data/v40.0/query", q="SELECT Id FROM Account")
    assert body["records"][0]["attributes"]["url"].startswith("/services/data/v40.0/sobjects/")


def test_columns_are_told_instead_of_records(caller):
    soql = "SELECT Id, Account.Name, Account.Owner.Email, (SELECT Subject FROM Cases) FROM Contact"
    body = caller.query(soql, columns="true")
    assert (body["entityName"], body["idSelected"], body["keyPrefix"]) == ("Contact", True, "003")
    first, parent, children = body["columnMetadata"]
    assert first == {
        "aggregate": False,
        "apexType": "Id",
        "booleanType": False,
        "columnName": "Id",
        "custom": False,
        "displayName": "Id",
        "foreignKeyName": None,
        "insertable": False,
        "joinColumns": [],
        "numberType": False,
        "textType": False,
        "updatable": False,
    }
    assert (parent["columnName"], parent["foreignKeyName"]) == ("Account", "AccountId")
    assert [each["columnName"] for each in parent["joinColumns"]] == ["Name", "Owner"]
    assert parent["joinColumns"][1]["joinColumns"][0]["columnName"] == "Email"
    assert (children["aggregate"], children["columnName"]) == (True, "Cases")
    assert children["joinColumns"][0]["columnName"] == "Subject"


def test_columns_of_aggregates_tell_alias_and_function(caller):
    soql = "SELECT Name, COUNT(Id), MAX(CreatedDate) latest FROM Account GROUP BY Name"
    body = caller.query(soql, columns="true")
    assert body["groupBy"] is True
    told = [
        (each["columnName"], each["displayName"], each["aggregate"])
        for each in body["columnMetadata"]
    ]
    assert told == [
        ("Name", "Name", False),
        ("expr0", "count(Id)", True),
        ("latest", "max(CreatedDate)", True),
    ]


def test_explain_has_a_plan(accounts):
    status, body = accounts.get(f"{ROOT}/query", explain="SELECT Id FROM Account")
    assert status == 200
    assert body["plans"][0]["sobjectType"] == "Account"
    assert body["plans"][0]["cardinality"] == 450


def test_what_is_no_soql_is_malformed_and_the_rest_is_read(caller):
    """soql-common judges the same statements in tests/contract."""

    def answers(statements):
        for statement in statements:
            status, body = caller.get(f"{ROOT}/query", q=statement)
            yield statement, "" if status == 200 else body[0]["errorCode"], str(body)

    unread = [each for each, code, _ in answers([*INVALID, *LOOSER]) if code != "MALFORMED_QUERY"]
    assert unread == []
    read = answers([*VALID, *STRICTER])
    assert [each for each, _, body in read if "unexpected token" in body] == []
