"""Rows of several objects that refer to each other, loaded all or none, and given back."""

import pytest

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "No__c": {"type": "text", "length": 20, "external_id": True, "unique": True},
                "Tags__c": {"type": "multi_picklist", "values": ["a", "b"]},
                "Exact__c": {"type": "number", "precision": 18, "scale": 2},
                "At__c": {"type": "datetime"},
                "Seen__c": {"type": "checkbox"},
                "Main__c": {"type": "lookup", "to": "Contact"},
            },
            "record_types": {"Retail": {}, "Trade": {}},
        },
        "Line__c": {
            "label": "Line",
            "plural_label": "Lines",
            "name_field": {"type": "auto_number", "format": "L-{000}"},
            "fields": {"Account__c": {"type": "master_detail", "to": "Account"}},
        },
        "Rate__mdt": {"label": "Rate", "fields": {"Rate__c": {"type": "number"}}},
    },
}


@pytest.fixture
def org(served):
    return served(DECLARED)


def text(sobject, header, *rows):
    """Rows as those of a CSV file."""
    made = []
    for cells in rows:
        values = dict(zip(header.split(","), cells, strict=True))
        made.append({"sobject": sobject, "values": values, "ref": values.get("Id"), "text": True})
    return made


def tree(sobject, ref=None, parent=None, **values):
    return {"sobject": sobject, "values": values, "ref": ref, "parent": parent}


def load(org, *rows):
    answer = org.client.post("/__org/records", json=rows)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(org, *rows):
    answer = org.client.post("/__org/records", json=rows)
    assert answer.status_code == 400, answer.text
    (error,) = answer.json()
    return error


def dump(org):
    held = org.client.get("/__org/records").json()
    names = [each["sobject"] for each in held if not each["reason"]]
    return {name: org.client.get(f"/__org/records/{name}").json() for name in names}


def test_children_before_their_parents_and_parents_in_a_circle(org):
    loaded = load(
        org,
        *text("Contact", "Id,LastName,AccountId", ("003x", "Ada", "001b")),
        *text(
            "Account",
            "Id,Name,ParentId,Main__c",
            ("001a", "Child", "001b", "003x"),
            ("001b", "Parent", "", ""),
        ),
    )
    assert loaded["created"] == {"Contact": 1, "Account": 2}
    rows = org.values("SELECT Name, Parent.Name, Main__r.LastName FROM Account ORDER BY Name")
    assert rows == [["Child", "Parent", "Ada"], ["Parent", None, None]]
    assert org.values("SELECT Account.Name FROM Contact") == [["Parent"]]


def test_a_detail_is_created_after_its_master(org):
    load(org, *text("Line__c", "Account__c", ("001a",)), *text("Account", "Id,Name", ("001a", "A")))
    assert org.values("SELECT Name, Account__r.Name FROM Line__c") == [["L-001", "A"]]


def test_nested_records_and_references_of_a_tree(org):
    load(
        org,
        tree("Account", "@A", Name="Acme", NumberOfEmployees=3, Seen__c=True),
        tree("Contact", "@C", ("@A", "Contacts"), LastName="Leaf"),
        tree("Case", Subject="Broken", ContactId="@C"),
    )
    assert org.values("SELECT Contact.LastName, Contact.Account.Name FROM Case") == [
        ["Leaf", "Acme"]
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Account.Name", "acme"),
        ("Account.No__c", "7"),
        ("Account.$$Name$No__c", "Acme;7"),
        ("Account.$$Name$RecordType.DeveloperName", "Acme;Trade"),
    ],
)
def test_a_parent_by_the_fields_it_has_in_the_load(org, column, value):
    load(
        org,
        *text("Contact", f"LastName,{column}", ("Ada", value)),
        *text(
            "Account",
            "Name,No__c,RecordType.DeveloperName",
            ("Acme", "7", "Trade"),
            ("Other", "8", "Trade"),
        ),
    )
    assert org.values("SELECT Account.Name FROM Contact") == [["Acme"]]


def test_a_parent_by_the_fields_it_has_in_the_org(org):
    load(org, *text("Account", "Name,No__c", ("Acme", "7")))
    load(
        org,
        *text(
            "Contact",
            "LastName,Account.$$Name$No__c,Owner.Username",
            ("Ada", "Acme;7", "admin@local.example"),
        ),
        *text("Case", "Subject,Owner.Name", ("Broken", "Local Admin")),
    )
    assert org.values("SELECT Account.Name, Owner.Name FROM Contact") == [["Acme", "Local Admin"]]


def test_the_id_beside_a_key_is_left_alone(org):
    row = text("Contact", "LastName,OwnerId,Owner.Name", ("Ada", "005elsewhere", "Local Admin"))
    load(org, *row)
    assert org.values("SELECT Owner.Name FROM Contact") == [["Local Admin"]]


def test_a_record_type_is_one_of_the_rows_object(org):
    load(org, *text("Account", "Name,RecordType.DeveloperName", ("Acme", "Retail")))
    assert org.values("SELECT RecordType.Name FROM Account") == [["Retail"]]


def test_users_that_the_org_has_are_used_and_others_created(org):
    loaded = load(
        org,
        *text("User", "Id,Username,LastName", ("005a", "admin@local.example", "Admin")),
        *text("User", "Id,Username,LastName", ("005b", "ada@acme.example", "Ada")),
        *text("Account", "Name,OwnerId", ("One", "005a"), ("Two", "005b")),
    )
    assert (loaded["created"], loaded["found"]) == ({"User": 1, "Account": 2}, {"User": 1})
    owners = org.values("SELECT Owner.Username FROM Account ORDER BY Name")
    assert owners == [["admin@local.example"], ["ada@acme.example"]]


def test_what_cannot_be_written_is_told_and_custom_metadata_is_loaded(org):
    loaded = load(
        org,
        *text("Account", "Name,CreatedDate", ("A", "2020-01-01T00:00:00Z")),
        *text("Rate__mdt", "DeveloperName,MasterLabel,Rate__c", ("Low", "Low", "7")),
    )
    assert loaded["ignored"] == ["Account.CreatedDate"]
    assert org.values("SELECT Rate__c FROM Rate__mdt") == [[7]]


NAMES = [
    (text("Acount", "Name", ("A",)), "no sObject Acount in this org", "Acount"),
    (text("Account", "Nmae", ("A",)), "Account has no field 'Nmae'", "Nmae"),
    (text("Contact", "Acount.Name", ("A",)), "Contact has no relationship 'Acount'", "Acount"),
    (text("Contact", "Account.Nmae", ("A",)), "Account has no field 'Nmae'", "Nmae"),
    (
        [tree("Account", "@A", Name="A"), tree("Contact", None, ("@A", "Contcats"), LastName="L")],
        "Account has no child relationship 'Contcats' of Contact",
        "Contcats",
    ),
]


@pytest.mark.parametrize(("rows", "message", "word"), NAMES)
def test_an_unknown_name_is_refused_with_what_there_is(org, rows, message, word):
    error = refused(org, *text("Account", "Name", ("First",)), *rows)
    assert (error["message"], error["word"]) == (message, word)
    assert {"Account", "Name", "Contacts"} & set(error["options"])
    assert org.values("SELECT Name FROM Account") == []


ROWS = [
    (text("Contact", "LastName,Account.Name", ("A", "No")), "Account.Name: no Account with 'No'"),
    (
        text("Contact", "LastName,Account.Name", ("A", "Two")),
        "Account.Name: more than one Account with 'Two'",
    ),
    ([tree("Contact", LastName="A", AccountId="@No")], "AccountId: no record has the reference No"),
    ([tree("Contact", "@C", LastName="A")] * 2, "the reference C is given to two records"),
    (text("Contact", "FirstName", ("A",)), "REQUIRED_FIELD_MISSING: Required fields are missing"),
    (text("Profile", "Name", ("Nobody",)), "this org has no Profile with Name 'Nobody'"),
    (text("Account", "Name,Seen__c", ("A", "perhaps")), "INVALID_FIELD: Failed to deserialize"),
]


@pytest.mark.parametrize(("rows", "message"), ROWS)
def test_a_row_that_is_refused_leaves_nothing_behind(org, rows, message):
    first = text("Account", "Name", ("Two",), ("Two",))
    error = refused(org, *first, *rows)
    assert error["message"].startswith(message)
    assert error["at"] == 1 + len(rows)
    assert org.values("SELECT Name FROM Account") == []


def test_rows_that_are_none_are_refused(org):
    assert org.client.post("/__org/records", json=[{"values": {}}]).status_code == 400
    assert org.client.get("/__org/records/Nix").status_code == 404


def test_what_was_given_back_is_loaded_again_as_it_was(org, served, tmp_path):
    load(
        org,
        tree(
            "Account",
            "@A",
            Name='A "quoted",\nname',
            No__c="007",
            Tags__c="a;b",
            Exact__c=1234567890123456.5,
            At__c="2026-01-02T03:04:05.000+0000",
            Seen__c=True,
            BillingStreet="1 Way",
            Main__c="@C",
        ),
        tree("Contact", "@C", ("@A", "Contacts"), LastName="Ada", Birthdate="2001-02-03"),
        tree("Line__c", None, None, Account__c="@A"),
        tree("Product2", "@P", Name="Pen", IsActive=True),
        tree(
            "Opportunity",
            "@O",
            ("@A", "Opportunities"),
            Name="Deal",
            StageName="Prospecting",
            CloseDate="2026-05-06",
        ),
        *text("User", "Username,LastName,Email", ("ada@acme.example", "Ada", "ada@acme.example")),
        *text("Rate__mdt", "DeveloperName,MasterLabel,Rate__c", ("Low", "Low", "7")),
    )
    before = dump(org)
    assert set(before) == {
        "Account",
        "Contact",
        "Line__c",
        "Product2",
        "Opportunity",
        "User",
        "Rate__mdt",
    }
    other = served(DECLARED, folder=tmp_path / "other")
    rows = [
        {"sobject": name, "values": values, "ref": values["Id"], "text": True}
        for name, table in before.items()
        for values in (dict(zip(table["columns"], row, strict=True)) for row in table["rows"])
    ]
    load(other, *rows)
    assert dump(other) == before


def test_what_every_org_has_and_files_are_not_given_back(org):
    assert org.client.get("/__org/records").json() == []
    load(org, tree("Account", "@A", Name="A"))
    (account,) = dump(org)["Account"]["rows"]
    org.client.post(
        "/services/data/v62.0/sobjects/Attachment",
        json={"Name": "a.txt", "ParentId": account[0], "Body": "YQ=="},
    )
    held = {each["sobject"]: each["reason"] for each in org.client.get("/__org/records").json()}
    assert held == {"Account": "", "Attachment": "files are only in snapshots"}
