"""Users, queues and currencies of an org file, and who can own records."""

import pytest

from runner.local_org.app import open_org
from runner.local_org.catalog.section import DeclarationError
from runner.local_org.seeding import load_seeds

ROOT = "/services/data/v62.0"
DECLARED = {
    "version": 1,
    "users": {
        "ada@acme.example": {"name": "Ada King Lovelace", "profile": "Sales", "role": "EMEA"},
        "bob@acme.example": {"active": False, "email": "bob@home.example"},
    },
    "queues": {
        "Support_1": {"objects": ["Case", "Ticket__c"], "members": ["ada@acme.example"]},
        "Leads": {"objects": ["Lead"], "label": "New leads"},
    },
    "currencies": {"EUR": 1, "USD": 1.08, "JPY": 160},
    "objects": {"Ticket__c": {"label": "Ticket", "plural_label": "Tickets"}},
}


@pytest.fixture
def org(served):
    made = served(DECLARED)
    load_seeds(made.org)
    return made


def ids(org, sobject, field):
    return dict(org.values(f"SELECT {field}, Id FROM {sobject}"))


def test_users_have_what_was_declared_and_what_is_usual(org):
    query = "SELECT Username, Name, Email, Profile.Name, UserRole.Name, IsActive FROM User"
    assert org.values(f"{query} WHERE Username LIKE '%acme%' ORDER BY Username") == [
        ["ada@acme.example", "Ada King Lovelace", "ada@acme.example", "Sales", "EMEA", True],
        ["bob@acme.example", "bob", "bob@home.example", "Standard User", None, False],
    ]
    assert "Minimum Access - Salesforce" in ids(org, "Profile", "Name")


def test_queues_have_objects_and_members(org):
    groups = org.values("SELECT DeveloperName, Name, Type FROM Group ORDER BY DeveloperName")
    assert groups == [["Leads", "New leads", "Queue"], ["Support_1", "Support 1", "Queue"]]
    owned = org.values("SELECT Queue.Name, SobjectType FROM QueueSobject ORDER BY SobjectType")
    assert owned == [
        ["Support 1", "Case"],
        ["New leads", "Lead"],
        ["Support 1", "Ticket__c"],
    ]
    assert org.values("SELECT Group.DeveloperName FROM GroupMember") == [["Support_1"]]


def test_currencies_are_records_and_a_picklist_of_the_objects(org):
    query = "SELECT IsoCode, ConversionRate, DecimalPlaces, IsCorporate FROM CurrencyType"
    assert org.values(f"{query} ORDER BY IsoCode") == [
        ["EUR", 1, 2, True],
        ["JPY", 160, 0, False],
        ["USD", 1.08, 2, False],
    ]
    for sobject in ("Opportunity", "Ticket__c", "Product2"):
        fields = org.client.get(f"{ROOT}/sobjects/{sobject}/describe").json()["fields"]
        (field,) = (each for each in fields if each["name"] == "CurrencyIsoCode")
        assert [each["value"] for each in field["picklistValues"]] == ["EUR", "USD", "JPY"]
        assert field["restrictedPicklist"]
    made = org.client.post(f"{ROOT}/sobjects/Account", json={"Name": "A"})
    assert made.status_code == 201
    assert org.values("SELECT CurrencyIsoCode FROM Account") == [["EUR"]]
    wrong = org.client.post(
        f"{ROOT}/sobjects/Account", json={"Name": "A", "CurrencyIsoCode": "GBP"}
    )
    assert wrong.json()[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


def test_they_are_there_once_and_after_a_reset_again(org):
    before = ids(org, "User", "Username") | ids(org, "Group", "DeveloperName")
    load_seeds(org.org)
    org.client.post("/__org/reset")
    assert ids(org, "User", "Username") | ids(org, "Group", "DeveloperName") == before
    assert len(org.values("SELECT Id FROM QueueSobject")) == 3


def create(org, sobject, **values):
    return org.client.post(f"{ROOT}/sobjects/{sobject}", json=values)


def test_a_queue_owns_records_of_its_objects_and_no_others(org):
    queue = ids(org, "Group", "DeveloperName")["Support_1"]
    case = create(org, "Case", Subject="s", OwnerId=queue)
    assert case.status_code == 201
    assert create(org, "Ticket__c", OwnerId=queue).status_code == 201
    refused = create(org, "Lead", LastName="a", Company="c", OwnerId=queue)
    assert refused.json() == [
        {
            "message": "Queue not associated with this SObject type",
            "errorCode": "INVALID_OPERATION",
            "fields": [],
        }
    ]
    leads = ids(org, "Group", "DeveloperName")["Leads"]
    path = f"{ROOT}/sobjects/Case/{case.json()['id']}"
    assert org.client.patch(path, json={"OwnerId": leads}).status_code == 400
    assert org.client.patch(path, json={"OwnerId": queue, "Subject": "t"}).status_code == 204


def test_an_inactive_user_owns_nothing_new(org):
    users = ids(org, "User", "Username")
    bob = users["bob@acme.example"]
    refused = create(org, "Account", Name="A", OwnerId=bob)
    assert refused.json()[0] == {
        "message": f"operation performed with inactive user [{bob[:15]}] as owner of account",
        "errorCode": "INACTIVE_OWNER_OR_USER",
        "fields": [],
    }
    made = create(org, "Account", Name="A", OwnerId=users["ada@acme.example"]).json()["id"]
    active = {"IsActive": False}
    org.client.patch(f"{ROOT}/sobjects/User/{users['ada@acme.example']}", json=active)
    kept = {"OwnerId": users["ada@acme.example"], "Name": "B"}
    assert org.client.patch(f"{ROOT}/sobjects/Account/{made}", json=kept).status_code == 204


WRONG = [
    ({"users": {"ada": {}}}, ("users", "ada")),
    ({"users": {"admin@local.example": {}}}, ("users", "admin@local.example")),
    ({"users": {"a@b.example": {"email": "x"}}}, ("users", "a@b.example", "email")),
    ({"users": {"a@b.example": {"nmae": "x"}}}, ("users", "a@b.example", "nmae")),
    ({"queues": {"Q": {}}}, ("queues", "Q")),
    ({"queues": {"Q-1": {"objects": ["Case"]}}}, ("queues", "Q-1")),
    ({"queues": {"Q": {"objects": ["Nix"]}}}, ("queues", "Q", "objects", 0)),
    ({"queues": {"Q": {"objects": ["Case", "Account"]}}}, ("queues", "Q", "objects", 1)),
    (
        {"queues": {"Q": {"objects": ["Case"], "members": ["x@y.example"]}}},
        ("queues", "Q", "members", 0),
    ),
    ({"currencies": {"eur": 1}}, ("currencies", "eur")),
    ({"currencies": {"EUR": 2}}, ("currencies", "EUR")),
    ({"currencies": {"EUR": 1, "USD": 0}}, ("currencies", "USD")),
]


@pytest.mark.parametrize(("declared", "path"), WRONG)
def test_what_cannot_be_is_reported_where_it_is(tmp_path, declared, path):
    with pytest.raises(DeclarationError) as caught:
        open_org(tmp_path, {"version": 1, **declared})
    assert [each.path for each in caught.value.problems] == [path]
