"""Records from Bulk's CSV texts."""


def test_csv_texts_are_read_as_bulk_reads_them(book):
    book.insert("Account", Name="P", Ext__c="p")
    outcome = book.one(
        "insert",
        "Account",
        {
            "Name": "A",
            "Score__c": "1e1",
            "Active__c": "0",
            "Opens__c": "08:30:00",
            "Seen__c": "2024-01-02T03:04:05+02:00",
            "Region__c": "#N/A",
            "Tier__c": "",
            "Parent.Ext__c": "P",
        },
        from_text=True,
    )
    account = book.get("Account", outcome.id)
    assert (account["Score__c"], account["Active__c"]) == (10.0, False)
    assert account["Opens__c"] == "08:30:00.000Z"
    assert account["Seen__c"] == "2024-01-02T01:04:05.000+0000"
    assert (account["Region__c"], account["Tier__c"]) == (None, None)
    assert account["ParentId"] is not None


def test_a_csv_text_of_the_wrong_type_names_its_column(book):
    row = {"LastName": "A", "Birthdate": "19/10/2000"}
    assert book.refusal("insert", "Contact", row, from_text=True) == (
        "INVALID_FIELD",
        (
            "Failed to deserialize field at col 1. Due to, '19/10/2000' is not a valid value for"
            " the type xsd:date"
        ),
        ("Birthdate",),
    )


def test_a_csv_column_may_name_the_type_of_a_polymorphic_parent(book):
    contact = book.insert("Contact", LastName="B", Ext__c="c1")
    outcome = book.one("insert", "Task", {"Contact:Who.Ext__c": "c1"}, from_text=True)
    assert book.get("Task", outcome.id)["WhoId"] == contact
