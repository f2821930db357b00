import pytest

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.records import CHUNK_ROWS


def test_a_new_key_creates_and_a_known_key_updates(book):
    rows = [{"Ext__c": "a", "Name": "A"}, {"Ext__c": "b", "Name": "B"}]
    first = book.write("upsert", "Account", rows, external_id="Ext__c")
    second = book.write("upsert", "Account", [{"Ext__c": "A", "Name": "C"}], external_id="Ext__c")
    assert [outcome.created for outcome in first] == [True, True]
    assert (second[0].created, second[0].id) == (False, first[0].id)
    assert book.get("Account", first[0].id)["Name"] == "C"


def test_a_row_needs_its_key(book):
    assert book.refusal("upsert", "Account", {"Name": "A"}, external_id="Ext__c") == (
        "MISSING_ARGUMENT",
        "Ext__c not specified",
        (),
    )


def test_a_key_given_twice_in_one_chunk_fails_for_all_who_share_it(book):
    rows = [
        {"Ext__c": "a", "Name": "A"},
        {"Ext__c": "A", "Name": "B"},
        {"Ext__c": "b", "Name": "C"},
    ]
    outcomes = book.write("upsert", "Account", rows, external_id="Ext__c")
    assert [outcome.success for outcome in outcomes] == [False, False, True]
    assert outcomes[0].errors[0].message == "Duplicate external id specified: a"


def test_the_same_key_in_a_later_chunk_finds_what_the_earlier_made(book):
    rows = [{"Ext__c": f"k{n}", "Name": "A"} for n in range(CHUNK_ROWS)]
    outcomes = book.write(
        "upsert", "Account", [*rows, {"Ext__c": "K0", "Name": "B"}], external_id="Ext__c"
    )
    assert all(outcome.success for outcome in outcomes)
    assert (outcomes[-1].created, outcomes[-1].id) == (False, outcomes[0].id)


def test_a_key_that_several_records_bear_is_ambiguous(book):
    ids = [book.insert("Account", Name="A", Loose__c="same") for _ in range(2)]
    refusal = book.refusal(
        "upsert", "Account", {"Loose__c": "same", "Name": "B"}, external_id="Loose__c"
    )
    assert refusal[0] == "DUPLICATE_EXTERNAL_ID"
    assert all(each in refusal[1] for each in ids)


def test_by_id_an_empty_id_creates(book):
    account = book.insert("Account", Name="A")
    rows = [{"Id": account, "Name": "B"}, {"Id": "", "Name": "C"}, {"Name": "D"}]
    outcomes = book.write("upsert", "Account", rows, external_id="Id")
    assert [outcome.created for outcome in outcomes] == [False, True, True]


def test_records_in_the_recycle_bin_are_not_matched(book):
    book.one("delete", "Account", {"Id": book.insert("Account", Name="A", Ext__c="e")})
    outcome = book.one("upsert", "Account", {"Ext__c": "e", "Name": "B"}, external_id="Ext__c")
    assert outcome.created


def test_an_auto_number_can_key_an_upsert_that_updates(book):
    case = book.insert("Case", Subject="x")
    outcome = book.one(
        "upsert", "Case", {"CaseNumber": "00001000", "Subject": "y"}, external_id="CaseNumber"
    )
    assert (outcome.success, outcome.id) == (True, case)


def test_a_field_that_is_no_key_refuses_the_call(book):
    with pytest.raises(ApiRefusal):
        book.write("upsert", "Account", [{"Name": "A"}], external_id="Name")
