import pytest

from runner.local_org.catalog.model import SYSTEM_COLUMNS
from runner.local_org.catalog.standard import standard_catalog

CATALOG = standard_catalog()


@pytest.mark.parametrize(
    ("sobject", "required"),
    [
        ("Account", ["Name"]),
        ("Contact", ["LastName"]),
        ("Lead", ["LastName", "Company"]),
        ("Opportunity", ["Name", "StageName", "CloseDate"]),
        ("Case", []),
        ("OpportunityContactRole", ["OpportunityId", "ContactId"]),
        ("PricebookEntry", ["Pricebook2Id", "Product2Id", "UnitPrice"]),
        ("Product2", ["Name"]),
    ],
)
def test_what_a_create_must_bring(sobject, required):
    fields = CATALOG.sobject(sobject).fields
    assert [field.name for field in fields if field.required_on_create] == required


@pytest.mark.parametrize(
    ("sobject", "field"),
    [("Contact", "Email"), ("Lead", "Email"), ("Opportunity", "Name"), ("Case", "CaseNumber")],
)
def test_what_can_key_an_upsert_besides_id(sobject, field):
    assert CATALOG.sobject(sobject).field(field).id_lookup


def test_every_table_has_the_system_columns():
    for sobject in CATALOG.sobjects:
        assert {"Id", *SYSTEM_COLUMNS} <= set(sobject.columns), sobject.name
        assert len(sobject.columns) == len(set(sobject.columns)), sobject.name


def test_key_prefixes_tell_sobjects_apart():
    prefixes = [sobject.key_prefix for sobject in CATALOG.sobjects]
    assert len(set(prefixes)) == len(prefixes)
    assert CATALOG.of_id("0015500001QdQWaAAN").name == "Account"


def test_no_custom_field_comes_with_a_new_org():
    assert not [f.name for s in CATALOG.sobjects for f in s.fields if f.name.endswith("__c")]


def test_names_are_found_without_case():
    assert CATALOG.sobject("aCCount").field("NAME").name == "Name"
    assert CATALOG.sobject("Contact").parent("account").name == "AccountId"
    assert CATALOG.sobject("Account").child("contacts").child_sobject == "Contact"


def test_parents_know_what_goes_with_them():
    children = {each.relationship_name: each for each in CATALOG.sobject("Account").children}
    assert children["Contacts"].cascade_delete
    assert children["Cases"].restricted_delete
    assert not children["ChildAccounts"].cascade_delete


def test_parts_of_compounds_name_their_compound():
    contact = CATALOG.sobject("Contact")
    assert contact.field("MailingCity").compound_field_name == "MailingAddress"
    assert contact.field("FirstName").compound_field_name == "Name"
    assert not contact.field("MailingAddress").stored
