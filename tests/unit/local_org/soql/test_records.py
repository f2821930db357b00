"""Records as REST shows them."""

from __future__ import annotations

import pytest

from runner.local_org.ids import make_id

ROOT = "/services/data/v66.0/sobjects"


def attributes(kind, record_id, *, path=None):
    return {"type": kind, "url": f"{ROOT}/{path or kind}/{record_id}"}


def test_a_record_has_attributes_first_and_keys_in_the_order_selected(world):
    record_id = world.add("Account", Name="Acme", NumberOfEmployees=5, AnnualRevenue=100.0)
    (record,) = world.query("select annualrevenue, ID, name, numberofemployees from account")
    assert list(record.items()) == [
        ("attributes", attributes("Account", record_id)),
        ("AnnualRevenue", 100.0),
        ("Id", record_id),
        ("Name", "Acme"),
        ("NumberOfEmployees", 5),
    ]
    assert isinstance(record["AnnualRevenue"], float)


def test_each_type_has_its_json_form(world):
    world.add(
        "Widget__c",
        Name="w",
        Colours__c="A;B",
        Weight__c=2.0,
        Due__c="2024-01-31",
        At__c="11:59:59.000Z",
        Done__c=1,
        CreatedDate="2011-07-07T00:37:00.000Z",
        File__c="blob",
    )
    (record,) = world.query(
        "SELECT Colours__c, Weight__c, Due__c, At__c, Done__c, IsDeleted, CreatedDate, File__c, "
        "Notes__c FROM Widget__c"
    )
    assert list(record.values())[1:] == [
        "A;B",
        2.0,
        "2024-01-31",
        "11:59:59.000Z",
        True,
        False,
        "2011-07-07T00:37:00.000+0000",
        f"{ROOT}/Widget__c/{make_id('a00', 1)}/File__c",
        None,
    ]


def test_parents_are_records_inside_and_missing_ones_are_null(world):
    account = world.add("Account", Name="Acme")
    world.add("Contact", LastName="A", Name="A", AccountId=account)
    world.add("Contact", LastName="B", Name="B")
    first, second = world.query(
        "SELECT c.Account.Name, LastName, Account.Owner.Username, Contact.Account.Id "
        "FROM Contact c ORDER BY LastName"
    )
    assert list(first) == ["attributes", "Account", "LastName"]
    owner = make_id("005", 1)
    assert first["Account"] == {
        "attributes": attributes("Account", account),
        "Name": "Acme",
        "Owner": {"attributes": attributes("User", owner), "Username": "admin@local.example"},
        "Id": account,
    }
    assert second["Account"] is None


def test_an_alias_may_stand_for_a_parent(world):
    account = world.add("Account", Name="Acme")
    world.add("Contact", LastName="A", Name="A", AccountId=account)
    (record,) = world.query("SELECT a.Name FROM Contact c, c.Account a WHERE a.Name = 'acme'")
    assert record["Account"]["Name"] == "Acme"


def test_a_polymorphic_parent_is_a_name(world):
    queue = world.add("Group", Name="Queue", Type="Queue")
    world.add("Case", Subject="owned by a queue", OwnerId=queue)
    world.add("Case", Subject="owned by a user")
    first, second = world.query("SELECT Owner.Name, Owner.Type FROM Case ORDER BY Subject")
    assert first["Owner"] == {
        "attributes": attributes("Name", queue, path="Group"),
        "Name": "Queue",
        "Type": "Queue",
    }
    assert second["Owner"]["Type"] == "User"
    (found,) = world.query("SELECT Subject FROM Case WHERE Owner.Type = 'Queue'")
    assert found["Subject"] == "owned by a queue"


def test_typeof_takes_the_fields_of_what_it_finds(world):
    account = world.add("Account", Name="Acme", Phone="1")
    opportunity = world.add("Opportunity", Name="Deal", Amount=5.0)
    campaign = world.add("Campaign", Name="Push")
    for number, what in enumerate((account, opportunity, campaign, None)):
        world.add("Task", Subject=str(number), WhatId=what)
    soql = (
        "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount {} END "
        "FROM Task ORDER BY Subject"
    )
    found = [record["What"] for record in world.query(soql.format("ELSE Name"))]
    assert found == [
        {"attributes": attributes("Account", account), "Phone": "1", "Name": "Acme"},
        {"attributes": attributes("Opportunity", opportunity), "Amount": 5.0},
        {"attributes": attributes("Name", campaign, path="Campaign"), "Name": "Push"},
        None,
    ]
    assert world.query(soql.format(""))[2]["What"] is None
    assert world.refusal(soql.format(""), version=45.0)[0] == "MALFORMED_QUERY"


def test_children_come_as_a_list_or_null(world):
    with_two = world.add("Account", Name="Two")
    world.add("Account", Name="None")
    for name in ("B", "A", "C"):
        deleted = int(name == "C")
        world.add("Contact", LastName=name, Name=name, AccountId=with_two, IsDeleted=deleted)
    soql = "SELECT Name, (SELECT LastName FROM contacts ORDER BY LastName) FROM Account"
    none, two = world.query(f"{soql} ORDER BY Name")
    assert none["Contacts"] is None
    assert (two["Contacts"]["totalSize"], two["Contacts"]["done"]) == (2, True)
    assert list(two["Contacts"]) == ["totalSize", "done", "records"]
    assert [child["LastName"] for child in two["Contacts"]["records"]] == ["A", "B"]
    assert two["Contacts"]["records"][0]["attributes"]["type"] == "Contact"


def test_children_keep_their_own_filter_limit_and_parents(world):
    for parent in ("X", "Y"):
        account = world.add("Account", Name=parent)
        for number in range(4):
            world.add("Widget__c", Name=f"{parent}{number}", Account__c=account, Count__c=number)
    lists = [
        [child["Name"] for child in record["Widgets__r"]["records"]]
        for record in world.query(
            "SELECT (SELECT Name, Account__r.Name FROM Widgets__r WHERE Count__c > 0 "
            "ORDER BY Count__c DESC LIMIT 2) FROM Account ORDER BY Name"
        )
    ]
    assert lists == [["X3", "X2"], ["Y3", "Y2"]]
    offset = world.query("SELECT (SELECT Name FROM Widgets__r LIMIT 9 OFFSET 3) FROM Account")
    assert offset[0]["Widgets__r"]["totalSize"] == 1


def test_children_nest_from_58_on(world):
    account = world.add("Account", Name="Acme")
    contact = world.add("Contact", LastName="A", Name="A", AccountId=account)
    world.add("Case", Subject="S", ContactId=contact)
    soql = "SELECT (SELECT LastName, (SELECT Subject FROM Cases) FROM Contacts) FROM Account"
    (record,) = world.query(soql)
    (child,) = record["Contacts"]["records"]
    assert child["Cases"]["records"][0]["Subject"] == "S"
    code, message = world.refusal(soql, version=57.0)
    assert code == "MALFORMED_QUERY"
    assert "more than 1 level away from the root entity object" in message


def test_an_address_is_an_object_of_its_parts(world):
    world.add("Account", Name="A", BillingCity="Bonn", BillingPostalCode="53111")
    world.add("Account", Name="B")
    first, second = world.query("SELECT BillingAddress FROM Account ORDER BY Name")
    assert first["BillingAddress"] == {
        "city": "Bonn",
        "country": None,
        "geocodeAccuracy": None,
        "latitude": None,
        "longitude": None,
        "postalCode": "53111",
        "state": None,
        "street": None,
    }
    assert list(first["BillingAddress"]) == sorted(first["BillingAddress"])
    assert second["BillingAddress"] is None


def test_a_location_is_an_object_of_its_parts(world):
    world.add("Widget__c", Name="w", Place__Latitude__s=1.5, Place__Longitude__s=2.5)
    (record,) = world.query("SELECT Place__c, Place__Latitude__s FROM Widget__c")
    assert record["Place__c"] == {"latitude": 1.5, "longitude": 2.5}
    assert record["Place__Latitude__s"] == 1.5


def test_fields_stands_for_all_standard_or_custom_fields(world):
    world.add("Widget__c", Name="w")
    (record,) = world.query("SELECT FIELDS(ALL) FROM Widget__c LIMIT 200")
    names = [field.name for field in world.org.catalog.sobject("Widget__c").fields]
    assert list(record)[1:] == names
    (record,) = world.query("SELECT FIELDS(STANDARD) FROM Widget__c")
    assert "Name" in record
    assert "Price__c" not in record
    (record,) = world.query("SELECT Id, fields(custom) FROM Widget__c LIMIT 1")
    assert "Price__c" in record
    assert "Name" not in record


def test_order_by_puts_nulls_first_unless_told_and_ignores_case(world):
    for name, stage in (("b", "x"), ("A", "y"), ("C", None)):
        world.add("Widget__c", Name=name, Stage__c=stage)
    values = world.values
    assert values("SELECT Name FROM Widget__c ORDER BY Name") == ["A", "b", "C"]
    assert values("SELECT Name FROM Widget__c ORDER BY Name DESC") == ["C", "b", "A"]
    assert values("SELECT Name FROM Widget__c ORDER BY Stage__c") == ["C", "b", "A"]
    assert values("SELECT Name FROM Widget__c ORDER BY Stage__c DESC") == ["C", "A", "b"]
    assert values("SELECT Name FROM Widget__c ORDER BY Stage__c DESC NULLS LAST") == ["A", "b", "C"]
    assert values("SELECT Name FROM Widget__c ORDER BY Account__r.Name, Name LIMIT 1") == ["A"]


def test_limit_and_offset_cut_the_result(world):
    for number in range(5):
        world.add("Widget__c", Name=str(number))
    soql = "SELECT Name FROM Widget__c ORDER BY Name"
    assert world.values(f"{soql} LIMIT 2 OFFSET 1") == ["1", "2"]
    assert world.values(f"{soql} OFFSET 3") == ["3", "4"]
    assert world.total(f"{soql} LIMIT 2") == 2
    assert world.values(f"{soql} LIMIT 0") == []


def test_labels_formats_and_currencies(world):
    world.add("Widget__c", Name="w", Stage__c="a", Price__c=1234.5, Due__c="2024-01-05")
    (record,) = world.query(
        "SELECT toLabel(Stage__c), FORMAT(Price__c) shown, Price__c, FORMAT(Due__c), "
        "FORMAT(CreatedDate) FROM Widget__c"
    )
    assert list(record.items())[1:] == [
        ("Stage__c", "Stage A"),
        ("shown", "$1,234.50"),
        ("Price__c", 1234.5),
        ("Due__c", "1/5/2024"),
        ("CreatedDate", "5/1/2024, 8:00 AM"),
    ]
    assert world.values("SELECT convertCurrency(Price__c) FROM Widget__c") == [1234.5]


def test_words_of_the_language_are_names_where_names_stand(world):
    order = world.add("Order", Status="Draft")
    world.add("OrderItem", OrderId=order)
    (record,) = world.query("SELECT Order.Status FROM OrderItem ORDER BY Order.Status")
    assert record["Order"]["Status"] == "Draft"
    assert len(world.query("SELECT Id FROM Order ORDER BY Id")) == 1
    assert world.query("SELECT Id, Name FROM Group") == []


def test_results_are_streamed(world):
    for number in range(1200):
        world.add("Account", Name=str(number))
    with world.org.store.reading() as conn:
        records = world.prepared("SELECT Id FROM Account").execute(conn)
        assert next(records)["attributes"]["type"] == "Account"
        assert sum(1 for _ in records) == 1199


@pytest.mark.parametrize(
    ("soql", "found"),
    [
        (
            (
                "SELECT QualifiedApiName, KeyPrefix, IsCustomizable FROM EntityDefinition "
                "WHERE QualifiedApiName IN ('account')"
            ),
            ["Account", "001", True],
        ),
        (
            (
                "SELECT DataType, EntityDefinition.QualifiedApiName FROM FieldDefinition WHERE "
                "EntityDefinition.QualifiedApiName = 'Widget__c' AND QualifiedApiName = 'Price__c'"
            ),
            ["currency"],
        ),
    ],
)
def test_the_org_tells_of_itself(world, soql, found):
    (record,) = world.query(soql)
    assert list(record.values())[1 : 1 + len(found)] == found


def test_user_record_access_says_yes_for_records_there_are(world):
    account = world.add("Account", Name="Acme")
    user = make_id("005", 1)
    soql = (
        "SELECT RecordId, HasEditAccess FROM UserRecordAccess "
        "WHERE UserId = '{}' AND RecordId = '{}'"
    )
    (record,) = world.query(soql.format(user, account))
    assert (record["RecordId"], record["HasEditAccess"]) == (account, True)
    assert world.query(soql.format(user, make_id("001", 99))) == []


def test_the_user_has_one_row_of_permissions(world):
    soql = "SELECT PermissionsApiEnabled, PermissionsBulkApiHardDelete FROM UserPermissionAccess"
    (record,) = world.query(soql)
    assert record["PermissionsApiEnabled"] is True
    assert record["PermissionsBulkApiHardDelete"] is True


def test_activities_are_listed_until_they_are_over_and_from_then_on(world):
    account = world.add("Account", Name="Acme")
    for subject, closed in (("call", 1), ("write", 0)):
        world.add("Task", Subject=subject, AccountId=account, WhatId=account, IsClosed=closed)
    for subject, end in (
        ("fair", "2024-05-14T10:00:00.000Z"),
        ("visit", "2024-06-01T10:00:00.000Z"),
    ):
        world.add("Event", Subject=subject, AccountId=account, EndDateTime=end)
    soql = (
        "SELECT (SELECT Subject, IsTask FROM ActivityHistories ORDER BY Subject),"
        " (SELECT Subject, IsTask FROM OpenActivities ORDER BY Subject) FROM Account"
    )
    [record] = world.query(soql)
    found = {
        name: [(each["Subject"], each["IsTask"]) for each in record[name]["records"]]
        for name in ("ActivityHistories", "OpenActivities")
    }
    assert found == {
        "ActivityHistories": [("call", True), ("fair", False)],
        "OpenActivities": [("visit", False), ("write", True)],
    }


def test_attachments_of_all_kinds_are_listed(world):
    account = world.add("Account", Name="Acme")
    world.add("Note", Title="Idea", ParentId=account)
    [record] = world.query(
        "SELECT (SELECT Title, IsNote FROM NotesAndAttachments),"
        " (SELECT Title, RecordType FROM CombinedAttachments),"
        " (SELECT Title FROM AttachedContentDocuments) FROM Account"
    )
    assert record["NotesAndAttachments"]["records"][0]["Title"] == "Idea"
    assert record["CombinedAttachments"]["records"][0]["RecordType"] == "Note"
    assert record["AttachedContentDocuments"] is None
    code, message = world.refusal("SELECT Id FROM ActivityHistory")
    assert (code, message) == (
        "INVALID_TYPE_FOR_OPERATION",
        "entity type ActivityHistory does not support query",
    )


def test_a_polymorphic_parent_of_no_named_type_shows_the_fields_that_all_have(world):
    account = world.add("Account", Name="Acme")
    world.add("Task", Subject="call", OwnerId=world.org.user.id, WhatId=account)
    soql = "SELECT TYPEOF What WHEN Opportunity THEN Amount ELSE Name, Email END FROM Task"
    [record] = world.query(soql)
    assert (record["What"]["Name"], record["What"]["Email"]) == ("Acme", None)


@pytest.mark.parametrize(
    ("where", "is_answered"),
    [
        ("Id = '001000000000001AAA'", True),
        ("Id IN ('001000000000001AAA', '001000000000002AAA')", True),
        ("Id = '001000000000001AAA' OR id = '001000000000002AAA'", True),
        ("Name != 'x' AND Id = '001000000000001AAA'", True),
        ("Name = 'x'", False),
        ("Id = '001000000000001AAA' OR Name = 'x'", False),
        ("Id NOT IN ('001000000000001AAA')", False),
        ("Id > '001000000000001AAA'", False),
    ],
)
def test_all_fields_are_answered_for_records_named_by_their_ids(world, where, is_answered):
    soql = f"SELECT FIELDS(ALL) FROM Account WHERE {where}"
    if is_answered:
        world.query(soql)
    else:
        assert "LIMIT of at most 200" in world.refusal(soql)[1]


def test_distances_are_measured_on_a_globe(world):
    for name, north, east in (("Oakland", 37.8044, -122.2712), ("Paris", 48.8566, 2.3522)):
        world.add("Widget__c", Name=name, Place__Latitude__s=north, Place__Longitude__s=east)
    world.add("Widget__c", Name="nowhere")
    here = "DISTANCE(Place__c, GEOLOCATION(37.775, -122.418), 'mi')"
    assert world.names(f"{here} < 20") == ["Oakland"]
    assert world.names(f"{here} > 20") == ["Paris"]
    in_km = here.replace("mi", "km")
    far = world.query(
        f"SELECT Name, {here}, {in_km} km FROM Widget__c WHERE {here} > 0 ORDER BY {here} DESC"
    )
    assert [(each["Name"], round(float(each["km"]), -2)) for each in far] == [
        ("Paris", 9000.0),
        ("Oakland", 0.0),
    ]
    assert 8 < float(far[1]["expr0"]) < 9
    assert world.refusal(f"SELECT Id FROM Widget__c WHERE {here.replace('mi', 'm')} < 1")[0] == (
        "MALFORMED_QUERY"
    )
    _, message = world.refusal("SELECT DISTANCE(Name, GEOLOCATION(1, 2), 'km') FROM Account")
    assert "not a location" in message


def test_only_functions_and_aggregates_have_an_alias(world):
    for item in ("Name n", "(SELECT Id FROM Contacts) c"):
        _, message = world.refusal(f"SELECT {item} FROM Account")
        assert message.endswith("only aggregate expressions use field aliasing")
