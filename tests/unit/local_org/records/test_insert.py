import pytest

from runner.local_org.app import open_org
from runner.local_org.ids import make_id
from runner.local_org.org import User
from runner.local_org.records import WriteCall, write


def test_a_new_record_gets_an_id_an_owner_and_its_system_fields(book):
    record = book.get("Account", book.insert("Account", Name="Acme"))
    assert record["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v68.0/sobjects/Account/{record['Id']}",
    }
    assert next(iter(record)) == "attributes"
    assert record["OwnerId"] == record["CreatedById"] == book.org.user.id
    assert record["CreatedDate"] == record["SystemModstamp"] == "2024-05-06T07:08:09.000+0000"
    assert record["IsDeleted"] is False


@pytest.mark.parametrize(
    ("sobject", "row", "refusal"),
    [
        (
            "Account",
            {},
            ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",)),
        ),
        (
            "Lead",
            {"FirstName": "A"},
            (
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [LastName, Company]",
                ("LastName", "Company"),
            ),
        ),
        (
            "Account",
            {"Name": "A", "foo": 1},
            ("INVALID_FIELD", "No such column 'foo' on sobject of type Account", ()),
        ),
        (
            "Account",
            {"Name": "A", "CreatedDate": "x", "Phone": "1"},
            (
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                (
                    "Unable to create/update fields: CreatedDate, Phone. Please check the security"
                    " settings of this field and verify that it is read/write for your profile or"
                    " permission set."
                ),
                ("CreatedDate", "Phone"),
            ),
        ),
        (
            "Account",
            {"Name": "A" * 256},
            (
                "STRING_TOO_LONG",
                f"Account Name: data value too large: {'A' * 256} (max length=255)",
                ("Name",),
            ),
        ),
        (
            "Account",
            {"Name": "A", "Tier__c": "gold"},
            (
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                "Tier: bad value for restricted picklist field: gold",
                ("Tier__c",),
            ),
        ),
        (
            "Account",
            {"Name": "A", "Tags__c": "A;Z"},
            (
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                "Tags: bad value for restricted picklist field: Z",
                ("Tags__c",),
            ),
        ),
        (
            "Contact",
            {"LastName": "A", "Email": "nope"},
            ("INVALID_EMAIL_ADDRESS", "Email: invalid email address: nope", ("Email",)),
        ),
        (
            "Account",
            {"Name": "A", "Score__c": 1000},
            (
                "NUMBER_OUTSIDE_VALID_RANGE",
                "Score: value outside of valid range on numeric field: 1000",
                ("Score__c",),
            ),
        ),
        (
            "Account",
            {"Name": "A", "Active__c": None},
            (
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                "Active: value not of required type: ",
                ("Active__c",),
            ),
        ),
        (
            "Account",
            {"Name": "A", "Id": "001000000000000AAA"},
            ("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",)),
        ),
        (
            "Contact",
            {"LastName": "A", "AccountId": "003000000000001AAA"},
            (
                "MALFORMED_ID",
                "Account ID: id value of incorrect type: 003000000000001AAA",
                ("AccountId",),
            ),
        ),
        (
            "Contact",
            {"LastName": "A", "AccountId": "abc"},
            ("MALFORMED_ID", "Account ID: id value of incorrect type: abc", ("AccountId",)),
        ),
        (
            "Contact",
            {"LastName": "A", "AccountId": "001000000000000AAA"},
            ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ()),
        ),
        (
            "Contact",
            {"LastName": "A", "Account": {"Ext__c": "zz"}},
            (
                "INVALID_FIELD",
                "Foreign key external ID: zz not found for field Ext__c in entity Account",
                (),
            ),
        ),
        (
            "Contact",
            {"LastName": "A", "Account": {"Name": "zz"}},
            (
                "INVALID_FIELD",
                (
                    "Field name provided, Name does not match an External ID, Salesforce Id, or"
                    " indexed field for Account"
                ),
                (),
            ),
        ),
        (
            "Profile",
            {"Name": "A"},
            ("INVALID_TYPE_FOR_OPERATION", "entity type Profile does not support insert", ()),
        ),
    ],
)
def test_what_is_refused_and_in_which_words(book, sobject, row, refusal):
    before = book.count(sobject)
    assert book.refusal("insert", sobject, row) == refusal
    assert book.count(sobject) == before


def test_every_field_that_is_wrong_is_told(book):
    outcome = book.one("insert", "Account", {"Name": "A", "Tier__c": "x", "Score__c": 1e9})
    assert [error.fields for error in outcome.errors] == [("Tier__c",), ("Score__c",)]


def test_defaults_come_unless_the_row_says_otherwise(book):
    said = book.get("Account", book.insert("Account", Name="A", Region__c=None, Active__c=False))
    silent = book.get("Account", book.insert("Account", Name="B"))
    assert (said["Region__c"], said["Active__c"]) == (None, False)
    assert (silent["Region__c"], silent["Active__c"]) == ("S", True)


def test_a_case_starts_new_with_a_number_of_its_own(book):
    first, second = (book.get("Case", book.insert("Case", Subject="x")) for _ in range(2))
    assert (first["Status"], first["Priority"], first["Origin"]) == ("New", "Medium", None)
    assert (first["CaseNumber"], second["CaseNumber"]) == ("00001000", "00001001")
    assert first["IsClosed"] is False


def test_a_lead_starts_open(book):
    lead = book.get("Lead", book.insert("Lead", LastName="A", Company="B"))
    assert lead["Status"] == "Open - Not Contacted"


def test_an_opportunity_follows_its_stage(book):
    won = book.get(
        "Opportunity",
        book.insert(
            "Opportunity", Name="A", StageName="Closed Won", CloseDate="2024-08-31", Amount=50
        ),
    )
    assert (won["IsWon"], won["IsClosed"], won["Probability"]) == (True, True, 100.0)
    assert (won["ForecastCategory"], won["ExpectedRevenue"]) == ("Closed", 50.0)
    assert (won["FiscalYear"], won["FiscalQuarter"], won["Fiscal"]) == (2024, 3, "2024 3")


def test_an_event_needs_a_start_and_a_length(book):
    refusal = book.refusal("insert", "Event", {"Subject": "x"})
    assert refusal[2] == ("DurationInMinutes", "ActivityDateTime")
    event = book.get(
        "Event",
        book.insert("Event", ActivityDateTime="2024-01-02T23:30:00Z", DurationInMinutes=60),
    )
    assert event["StartDateTime"] == "2024-01-02T23:30:00.000+0000"
    assert event["EndDateTime"] == "2024-01-03T00:30:00.000+0000"
    assert (event["ActivityDate"], event["EndDate"]) == ("2024-01-02", "2024-01-03")
    other = book.insert(
        "Event", StartDateTime="2024-01-02T10:00:00Z", EndDateTime="2024-01-02T10:45:00Z"
    )
    assert book.get("Event", other)["DurationInMinutes"] == 45
    assert book.insert("Event", IsAllDayEvent=True, ActivityDate="2024-01-02")


def test_people_are_called_by_both_their_names(book):
    contact = book.get("Contact", book.insert("Contact", FirstName="Ada", LastName="King"))
    assert contact["Name"] == "Ada King"


def test_compounds_are_made_of_their_parts(book):
    account = book.get(
        "Account",
        book.insert(
            "Account", Name="A", BillingCity="Rome", Spot__Latitude__s=1.5, Spot__Longitude__s=2
        ),
    )
    assert account["BillingAddress"]["city"] == "Rome"
    assert list(account["BillingAddress"]) == sorted(account["BillingAddress"])
    assert account["ShippingAddress"] is None
    assert account["Spot__c"] == {"latitude": 1.5, "longitude": 2.0}


def test_auto_numbers_follow_their_format_and_skip_nothing(book):
    account = book.insert("Account", Name="A")
    book.one("insert", "Invoice__c", {})
    names = [
        book.get("Invoice__c", book.insert("Invoice__c", Account__c=account))["Name"]
        for _ in range(2)
    ]
    assert names == ["INV-2024-0001", "INV-2024-0002"]


def test_a_custom_record_without_a_name_is_called_by_its_id(book):
    note = book.insert("Note__c")
    assert book.get("Note__c", note)["Name"] == note


def test_parents_are_found_by_external_id_without_case(book):
    account = book.insert("Account", Name="A", Ext__c="Key")
    contact = book.insert("Contact", LastName="B", Account={"Ext__c": "KEY"})
    assert book.get("Contact", contact)["AccountId"] == account


def test_a_polymorphic_parent_must_say_its_type(book):
    contact = book.insert("Contact", LastName="B", Ext__c="c1")
    code, message, _ = book.refusal("insert", "Task", {"Who": {"Ext__c": "c1"}})
    assert (code, "attributes.type" in message) == ("INVALID_FIELD", True)
    task = book.insert("Task", Who={"attributes": {"type": "Contact"}, "Ext__c": "c1"})
    assert book.get("Task", task)["WhoId"] == contact


def test_a_parent_key_that_several_bear_is_ambiguous(book):
    for _ in range(2):
        book.insert("Account", Name="A", Loose__c="same")
    code, message, _ = book.refusal(
        "insert", "Contact", {"LastName": "B", "Account": {"Loose__c": "same"}}
    )
    assert code == "DUPLICATE_EXTERNAL_ID"
    assert message.startswith("Loose key: more than one record found for external id field: [001")


def test_short_ids_are_stored_long(book):
    account = book.insert("Account", Name="A")
    contact = book.insert("Contact", LastName="B", AccountId=account[:15])
    assert book.get("Contact", contact)["AccountId"] == account


def test_a_deleted_parent_is_no_parent(book):
    account = book.insert("Account", Name="A")
    book.one("delete", "Account", {"Id": account})
    refusal = book.refusal("insert", "Contact", {"LastName": "B", "AccountId": account})
    assert refusal == ("ENTITY_IS_DELETED", "entity is deleted", ())


def test_a_record_type_must_be_the_objects_own(book):
    retail = book.org.catalog.sobject("Account").record_types[0].id
    account = book.insert("Account", Name="A", RecordTypeId=retail)
    assert book.get("Account", account)["RecordTypeId"] == retail
    named = book.insert("Account", Name="B", RecordType={"DeveloperName": "Retail"})
    assert book.get("Account", named)["RecordTypeId"] == retail


def test_unique_values_are_unique_whatever_their_case(book):
    account = book.insert("Account", Name="A", Ext__c="e1")
    assert book.refusal("insert", "Account", {"Name": "B", "Ext__c": "E1"}) == (
        "DUPLICATE_VALUE",
        f"duplicate value found: Ext__c duplicates value on record with id: {account[:15]}",
        (),
    )


def test_case_tells_case_sensitive_values_apart(book):
    book.insert("Account", Name="A", Exact__c="e1")
    book.insert("Account", Name="B", Exact__c="E1")
    assert (
        book.refusal("insert", "Account", {"Name": "C", "Exact__c": "e1"})[0] == "DUPLICATE_VALUE"
    )


def test_of_two_equal_unique_values_in_one_call_the_first_is_kept(book):
    outcomes = book.write("insert", "Account", [{"Name": "A", "Ext__c": "e"}] * 2)
    assert [outcome.success for outcome in outcomes] == [True, False]
    assert outcomes[1].errors[0].message.endswith(str(outcomes[0].id)[:15])


def test_a_unique_value_in_the_recycle_bin_may_be_used_again(book):
    book.one("delete", "Account", {"Id": book.insert("Account", Name="A", Ext__c="e")})
    assert book.insert("Account", Name="B", Ext__c="e")


def test_rows_that_are_good_are_kept_beside_rows_that_are_not(book):
    outcomes = book.write("insert", "Account", [{"Name": "A"}, {}, {"Name": "B"}])
    assert [outcome.success for outcome in outcomes] == [True, False, True]
    assert book.count("Account") == 2


def test_rows_under_a_locked_parent_fail_and_the_others_do_not(tmp_path):
    org = open_org(tmp_path, {"version": 1, "faults": [{"kind": "lock_rows", "values": ["Held"]}]})
    rows = [{"Name": "A"}, {"Name": "Held"}, {"Name": "C"}]
    with org.store.writing() as conn:
        account = org.catalog.sobject("Account")
        outcomes = write(org, conn, WriteCall("insert", account, rows, org.user))
    assert [outcome.success for outcome in outcomes] == [True, False, True]
    assert (outcomes[1].errors[0].code, outcomes[1].errors[0].message) == (
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record or 1 records: Held",
    )
    org.store.close()


def test_all_or_none_keeps_nothing_when_a_row_fails(book):
    outcomes = book.write("insert", "Account", [{"Name": "A"}, {}], all_or_none=True)
    assert [outcome.errors[0].code for outcome in outcomes] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert book.count("Account") == 0


@pytest.mark.parametrize(
    ("sobject", "row", "change"),
    [
        ("UserRole", {"Name": "CEO"}, {"Name": "Head"}),
        ("PermissionSet", {"Name": "Reader", "Label": "Reader"}, {"Label": "Readers"}),
        ("BusinessHours", {"Name": "Weekend", "TimeZoneSidKey": "GMT"}, {"IsActive": True}),
        ("EmailMessage", {"Subject": "Hi", "ToAddress": "a@example.com"}, {"Subject": "Hello"}),
    ],
)
def test_objects_that_show_few_system_fields_are_written_like_the_others(
    book, sobject, row, change
):
    record = book.insert(sobject, **row)
    assert book.one("update", sobject, {"Id": record, **change}).success
    assert book.get(sobject, record).items() >= change.items()
    if book.org.catalog.sobject(sobject).flags.get("deletable"):
        assert book.one("delete", sobject, {"Id": record}).success
        assert book.get(sobject, record) is None


def test_jobs_of_the_system_are_only_read(book):
    refusal = book.refusal("insert", "CronTrigger", {"State": "WAITING"})
    assert refusal[0] == "INVALID_TYPE_FOR_OPERATION"


def test_a_record_belongs_to_the_user_who_creates_it_whoever_did_so_before(book):
    account = book.org.catalog.sobject("Account")
    other = User(make_id("005", 77), "other@local.example", "Other", "other@local.example")
    for user in (book.org.user, other, book.org.user):
        with book.org.store.writing() as conn:
            (outcome,) = write(book.org, conn, WriteCall("insert", account, [{"Name": "A"}], user))
        record = book.get("Account", outcome.id)
        assert [record["OwnerId"], record["CreatedById"]] == [user.id, user.id]
