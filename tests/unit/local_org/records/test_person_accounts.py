"""Person accounts: an account and the contact behind it."""

import pytest


@pytest.fixture
def people(open_book):
    return open_book(
        Account={"record_types": {"Business": {"default": True}, "Person": {"person": True}}},
        Contact={"fields": {"Score__c": {"type": "number", "scale": 1}}},
    )


def _type(book, name):
    found = next(
        each
        for each in book.org.catalog.sobject("Account").record_types
        if each.developer_name == name
    )
    return found.id


def test_a_person_account_has_a_contact_that_follows_it(people):
    person = people.insert(
        "Account",
        RecordTypeId=_type(people, "Person"),
        FirstName="Jo",
        LastName="Doe",
        PersonEmail="jo@example.com",
        PersonMailingCity="Rome",
        Score__pc=1.5,
    )
    account = people.get("Account", person)
    assert (account["Name"], account["IsPersonAccount"]) == ("Jo Doe", True)
    assert account["PersonMailingAddress"]["city"] == "Rome"
    contact = people.get("Contact", account["PersonContactId"])
    assert (
        contact.items()
        >= {
            "Name": "Jo Doe",
            "Email": "jo@example.com",
            "MailingCity": "Rome",
            "Score__c": 1.5,
            "AccountId": person,
            "IsPersonAccount": True,
        }.items()
    )
    change = {"Id": person, "LastName": "Day", "PersonEmail": None}
    assert people.one("update", "Account", change).success
    contact = people.get("Contact", account["PersonContactId"])
    assert (contact["Name"], contact["Email"]) == ("Jo Day", None)
    assert people.one("delete", "Account", {"Id": person}).success
    assert people.get("Contact", account["PersonContactId"]) is None


def test_other_accounts_are_as_before(people):
    account = people.get("Account", people.insert("Account", Name="Acme"))
    assert (account["Name"], account["IsPersonAccount"]) == ("Acme", False)
    assert account["PersonContactId"] is None
    assert people.count("Contact") == 0


@pytest.mark.parametrize(
    ("kind", "row", "code"),
    [
        ("Person", {"FirstName": "Jo"}, "REQUIRED_FIELD_MISSING"),
        ("Person", {"LastName": "Doe", "Name": "Acme"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Business", {"Name": "Acme", "LastName": "Doe"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_each_kind_has_its_own_fields(people, kind, row, code):
    row = {"RecordTypeId": _type(people, kind), **row}
    assert people.refusal("insert", "Account", row)[0] == code
