import pytest


@pytest.fixture
def strict(open_book):
    return open_book(
        Opportunity={
            "validation_rules": {
                "Won_needs_amount": {
                    "when": {"StageName": ["Closed Won"], "Amount": None},
                    "message": "A won deal has an amount.",
                    "field": "Amount",
                },
                "Not_too_big": {"when": {"Amount": {"above": 1000}}, "message": "Too big."},
            }
        },
        Lead={
            "duplicate_rules": {
                "Same_person": {"fields": ["LastName", "Email"], "message": "Known already."},
                "Same_company": {"fields": ["Company"], "action": "alert"},
            }
        },
    )


def _deal(**fields):
    return {"Name": "A", "CloseDate": "2024-01-01", "StageName": "Prospecting", **fields}


def test_a_validation_rule_strikes_when_all_of_its_conditions_hold(strict):
    refusal = strict.refusal("insert", "Opportunity", _deal(StageName="Closed Won"))
    assert refusal == (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "A won deal has an amount.",
        ("Amount",),
    )
    assert strict.one("insert", "Opportunity", _deal(StageName="Closed Won", Amount=1)).success


def test_a_validation_rule_sees_the_whole_record_of_an_update(strict):
    deal = strict.insert("Opportunity", **_deal())
    refusal = strict.refusal("update", "Opportunity", {"Id": deal, "StageName": "Closed Won"})
    assert refusal[0] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert strict.refusal("update", "Opportunity", {"Id": deal, "Amount": 1001})[2] == ()


def test_a_duplicate_rule_blocks_who_agrees_in_all_its_fields(strict):
    person = {"LastName": "Ada", "Email": "ada@x.org"}
    known = strict.insert("Lead", **person, Company="A")
    outcome = strict.one("insert", "Lead", {**person, "Company": "B"}, allow_duplicates=True)
    error = outcome.errors[0]
    assert (error.code, error.message) == ("DUPLICATES_DETECTED", "Known already.")
    result = error.extra["duplicateResult"]
    assert result["allowSave"] is False
    assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == known
    assert strict.one("insert", "Lead", {**person, "Email": "b@x.org", "Company": "C"}).success


def test_a_rule_that_only_alerts_gives_way_to_who_insists(strict):
    strict.insert("Lead", LastName="A", Company="Acme")
    row = {"LastName": "B", "Company": "ACME"}
    assert strict.refusal("insert", "Lead", row)[0] == "DUPLICATES_DETECTED"
    assert strict.one("insert", "Lead", row, allow_duplicates=True).success


def test_an_update_elsewhere_does_not_ask_the_duplicate_rules_again(strict):
    strict.insert("Lead", LastName="A", Company="Acme")
    lead = strict.one("insert", "Lead", {"LastName": "B", "Company": "Acme"}, allow_duplicates=True)
    assert strict.one("update", "Lead", {"Id": lead.id, "Title": "Boss"}).success


def test_the_default_record_type_is_given_to_who_names_none(open_book):
    book = open_book(Account={"record_types": {"Retail": {"default": True}, "Other": {}}})
    retail, other = book.org.catalog.sobject("Account").record_types
    assert book.get("Account", book.insert("Account", Name="A"))["RecordTypeId"] == retail.id
    said = book.insert("Account", Name="A", RecordType={"DeveloperName": "Other"})
    assert book.get("Account", said)["RecordTypeId"] == other.id


def test_a_record_type_of_another_object_is_none_here(open_book):
    book = open_book(Account={"record_types": {"Same": {}}}, Contact={"record_types": {"Same": {}}})
    theirs = book.org.catalog.sobject("Contact").record_types[0].id
    refusal = book.refusal("insert", "Account", {"Name": "A", "RecordTypeId": theirs})
    assert refusal == (
        "INVALID_CROSS_REFERENCE_KEY",
        f"Record Type ID: this ID value isn't valid for the user: {theirs}",
        ("RecordTypeId",),
    )
    assert book.insert("Account", Name="A", RecordType={"DeveloperName": "Same"})


def test_a_hidden_field_is_not_there_for_the_user(open_book):
    book = open_book(Account={"fields": {"Site": {"access": "hidden"}}})
    refusal = book.refusal("insert", "Account", {"Name": "A", "Site": "x"})
    assert refusal[1] == "No such column 'Site' on sobject of type Account"
    assert "Site" not in book.get("Account", book.insert("Account", Name="A"))


@pytest.mark.parametrize(
    ("when", "refused", "accepted"),
    [
        ({"Amount": {"at_least": 5, "at_most": 7}}, [5, 7], [4, 8, None]),
        ({"Amount": {"above": 5, "below": 7}}, [6], [5, 7, None]),
        ([{"Amount": None}, {"Amount": 3}], [None, 3], [4]),
        ({"Amount": {"not": [3, None]}}, [4], [3, None]),
        ([{"NextStep": {"longer": 3}, "Amount": 1}], [], [1]),
        ([{"NextStep": {"shorter": 1}, "Amount": 1}], [1], [2]),
    ],
)
def test_a_validation_rule_compares(open_book, when, refused, accepted):
    rules = {"R": {"when": when, "message": "No."}}
    book = open_book(Opportunity={"validation_rules": rules})
    for amount in refused:
        assert book.refusal("insert", "Opportunity", _deal(Amount=amount))[1] == "No."
    for amount in accepted:
        assert book.one("insert", "Opportunity", _deal(Amount=amount)).success


def test_a_validation_rule_measures_texts(open_book):
    rules = {"R": {"when": {"NextStep": {"longer": 3}}, "message": "Long."}}
    book = open_book(Opportunity={"validation_rules": rules})
    assert book.refusal("insert", "Opportunity", _deal(NextStep="abcd"))[1] == "Long."
    assert book.one("insert", "Opportunity", _deal(NextStep="abc")).success
