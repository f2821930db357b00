def test_an_update_changes_what_it_names_and_the_stamps(book):
    account = book.insert("Account", Name="A", Site="x")
    book.clock.advance(hours=1)
    assert book.one("update", "Account", {"Id": account[:15], "Name": "B"}).success
    record = book.get("Account", account)
    assert (record["Name"], record["Site"]) == ("B", "x")
    assert record["CreatedDate"] == "2024-05-06T07:08:09.000+0000"
    assert record["LastModifiedDate"] == record["SystemModstamp"] == "2024-05-06T08:08:09.000+0000"


def test_null_clears_and_empty_text_is_null(book):
    account = book.insert("Account", Name="A", Site="x", Description="y")
    book.one("update", "Account", {"Id": account, "Site": None, "Description": ""})
    record = book.get("Account", account)
    assert (record["Site"], record["Description"]) == (None, None)


def test_in_csv_an_empty_cell_leaves_and_na_clears(book):
    account = book.insert("Account", Name="A", Site="x", AccountNumber="1")
    row = {"Id": account, "Site": "", "AccountNumber": "#N/A"}
    book.one("update", "Account", row, from_text=True)
    record = book.get("Account", account)
    assert (record["Site"], record["AccountNumber"]) == ("x", None)


def test_a_required_field_cannot_be_cleared(book):
    account = book.insert("Account", Name="A")
    assert book.refusal("update", "Account", {"Id": account, "Name": None}) == (
        "REQUIRED_FIELD_MISSING",
        "Required fields are missing: [Name]",
        ("Name",),
    )


def test_which_record_must_be_said_and_must_be_there(book):
    gone = book.insert("Account", Name="A")
    book.one("delete", "Account", {"Id": gone})
    contact = book.insert("Contact", LastName="A")
    rows = [{}, {"Id": "x"}, {"Id": "001000000000000AAA"}, {"Id": gone}, {"Id": contact}]
    codes = [outcome.errors[0].code for outcome in book.write("update", "Account", rows)]
    assert codes == [
        "MISSING_ARGUMENT",
        "MALFORMED_ID",
        "INVALID_CROSS_REFERENCE_KEY",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
    ]


def test_a_record_named_twice_is_updated_once(book):
    account = book.insert("Account", Name="A")
    rows = [{"Id": account, "Name": "B"}, {"Id": account, "Name": "C"}]
    outcomes = book.write("update", "Account", rows)
    assert [outcome.success for outcome in outcomes] == [True, False]
    assert outcomes[1].errors[0].code == "DUPLICATE_VALUE"
    assert book.get("Account", account)["Name"] == "B"


def test_create_only_fields_stay_as_they_are(book):
    account = book.insert("Account", Name="A")
    invoice = book.insert("Invoice__c", Account__c=account)
    refusal = book.refusal("update", "Invoice__c", {"Id": invoice, "Account__c": account})
    assert refusal[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_names_and_stages_follow_an_update(book):
    contact = book.insert("Contact", FirstName="Ada", LastName="King")
    book.one("update", "Contact", {"Id": contact, "LastName": "Lovelace"})
    assert book.get("Contact", contact)["Name"] == "Ada Lovelace"
    deal = book.insert("Opportunity", Name="D", StageName="Prospecting", CloseDate="2024-01-01")
    book.one("update", "Opportunity", {"Id": deal, "StageName": "Closed Lost"})
    record = book.get("Opportunity", deal)
    assert (record["IsClosed"], record["IsWon"], record["Probability"]) == (True, False, 0.0)


def test_closing_a_case_dates_it_and_opening_it_again_does_not(book):
    case = book.insert("Case", Subject="x")
    book.one("update", "Case", {"Id": case, "Status": "Closed"})
    assert book.get("Case", case)["ClosedDate"] == "2024-05-06T07:08:09.000+0000"
    book.one("update", "Case", {"Id": case, "Status": "Working"})
    assert book.get("Case", case)["ClosedDate"] is None


def test_a_record_may_keep_its_own_unique_value(book):
    account = book.insert("Account", Name="A", Ext__c="e")
    assert book.one("update", "Account", {"Id": account, "Ext__c": "E"}).success


def test_an_update_cannot_take_the_unique_value_of_another(book):
    book.insert("Account", Name="A", Ext__c="e")
    other = book.insert("Account", Name="B", Ext__c="f")
    assert book.refusal("update", "Account", {"Id": other, "Ext__c": "E"})[0] == "DUPLICATE_VALUE"
