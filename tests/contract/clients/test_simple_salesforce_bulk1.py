"""simple-salesforce's Bulk API 1.0, in JSON: what its README shows, against the local org."""

import pytest
import simple_salesforce.bulk
from simple_salesforce.exceptions import SalesforceMalformedRequest


@pytest.fixture(autouse=True)
def looks_again_at_once(monkeypatch):
    """It sleeps five seconds between two looks at a batch, and writes take no other number."""
    monkeypatch.setattr(simple_salesforce.bulk, "sleep", lambda _: None)


def contacts(tag, count):
    return [{"ERP_Id__c": f"{tag}-{n:03}", "LastName": f"{tag} {n:03}"} for n in range(count)]


def test_rows_are_inserted_in_batches_and_answered_in_order(sf, org, tag):
    rows = contacts(tag, 25)
    rows[7].pop("LastName")
    results = sf.bulk.Contact.insert(rows, batch_size=10, use_serial=True)
    assert [each["success"] for each in results] == [n != 7 for n in range(25)]
    assert {each["created"] for each in results if each["success"]} == {True}
    (error,) = results[7]["errors"]
    assert (error["statusCode"], error["fields"]) == ("REQUIRED_FIELD_MISSING", ["LastName"])
    soql = f"SELECT Id FROM Contact WHERE LastName LIKE '{tag}%' ORDER BY LastName"
    assert org.rows(soql) == [{"Id": each["id"]} for each in results if each["success"]]


def test_update_by_id_sets_a_lookup_by_external_id(sf, org, tag):
    org.create("Account", Name=tag, ERP_Id__c=tag)
    (contact,) = org.create_many("Contact", contacts(tag, 1))
    row = {"Id": contact, "Account": {"ERP_Id__c": tag}, "Email": "new@example.com"}
    (result,) = sf.bulk.Contact.update([row], use_serial=True)
    assert (result["success"], result["created"], result["id"]) == (True, False, contact)
    soql = f"SELECT Email, Account.Name FROM Contact WHERE Id = '{contact}'"
    assert org.rows(soql) == [{"Email": "new@example.com", "Account": {"Name": tag}}]


def test_upsert_by_external_id_and_by_id(sf, org, tag):
    org.create_many("Contact", contacts(tag, 1))
    results = sf.bulk.Contact.upsert(contacts(tag, 2), "ERP_Id__c", batch_size="auto")
    assert [each["created"] for each in results] == [False, True]
    by_id = [{"Id": results[0]["id"], "LastName": f"{tag} x"}, {"LastName": f"{tag} x"}]
    assert [each["created"] for each in sf.bulk.Contact.upsert(by_id, "Id")] == [False, True]
    assert len(org.rows(f"SELECT Id FROM Contact WHERE LastName = '{tag} x'")) == 2


def test_deleted_softly_then_for_good(sf, org, tag):
    ids = org.create_many("Contact", contacts(tag, 2))
    assert [each["success"] for each in sf.bulk.Contact.delete([{"Id": ids[0]}])] == [True]
    assert [each["success"] for each in sf.bulk.Contact.hard_delete([{"Id": ids[1]}])] == [True]
    soql = f"SELECT Id FROM Contact WHERE ERP_Id__c LIKE '{tag}%'"
    assert sf.bulk.Contact.query(soql) == []
    assert [each["Id"] for each in sf.bulk.Contact.query_all(soql)] == [ids[0]]


def test_query_gives_records_at_once_or_page_by_page(sf, org, tag):
    org.create_many("Contact", contacts(tag, 3))
    soql = f"SELECT Id, Name, CreatedDate FROM Contact WHERE LastName LIKE '{tag}%' ORDER BY Name"
    found = sf.bulk.Contact.query(soql)
    assert [each["Name"] for each in found] == [f"{tag} {n:03}" for n in range(3)]
    assert found[0]["attributes"]["type"] == "Contact"
    assert all(isinstance(each["CreatedDate"], int) for each in found)
    pages = sf.bulk.Contact.query(soql, lazy_operation=True)
    assert [each for page in pages for each in page] == found


def test_dml_by_its_name_with_the_request_in_the_results(sf, tag):
    told = sf.bulk.submit_dml("Contact", "insert", contacts(tag, 2), include_detailed_results=True)
    assert [(each["success"], each["LastName"]) for each in told] == [
        (True, f"{tag} 000"),
        (True, f"{tag} 001"),
    ]
    again = sf.bulk.submit_dml("Contact", "upsert", contacts(tag, 2), "ERP_Id__c")
    assert [each["id"] for each in again] == [each["id"] for each in told]


def test_results_are_not_waited_for_when_bypassed(sf, tag):
    told = sf.bulk.Contact.insert(contacts(tag, 1), bypass_results=True)
    assert told[0] == {"bypass_results": True}
    assert told[1]["job_id"].startswith("750")


def test_an_unknown_object_is_refused_in_its_own_words(sf):
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.bulk.Cntact.insert([{"LastName": "x"}])
    assert refused.value.content["exceptionCode"] in {"InvalidEntity", "InvalidJob"}
