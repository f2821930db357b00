"""The scanner of SOQL: literals, the object, and the columns of the result."""

import pytest

from runner.job.soql import ItemKind, has_open_literal, is_select, selection


@pytest.mark.parametrize(
    ("soql", "sobject"),
    [
        ("SELECT Id FROM Account", "Account"),
        ("select Id\nfrom  Invoice__c where x = 1", "Invoice__c"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "Account"),
        ("SELECT (SELECT Id, (SELECT Id FROM B) FROM A) FROM C WHERE Id IN (SELECT X FROM D)", "C"),
        ("SELECT From__c, Valid_From__c FROM Lead", "Lead"),
        ("SELECT Id FROM Account WHERE Name = 'x FROM y'", "Account"),
        ("SELECT Name, 'FROM Nowhere' FROM Account", "Account"),
        (r"SELECT 'it\'s FROM Nowhere' FROM Account", "Account"),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", "Event"),
        ("SELECT COUNT() FROM Case c, c.Account a", "Case"),
        ("SELECT Id", None),
        ("SELECT (SELECT Id FROM Contacts)", None),
        ("SELECT ))) FROM Account", "Account"),
        ("(" * 50_000, None),
        ("", None),
    ],
)
def test_the_object_after_from_is_found(soql, sobject):
    assert (selection(soql).sobject or None) == sobject


@pytest.mark.parametrize(
    ("soql", "names"),
    [
        ("SELECT Id, Account.Name FROM Contact", ("Id", "Account.Name")),
        ("select\n  Id\nfrom Lead", ("Id",)),
        ("SELECT COUNT(Id) n FROM Lead", None),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", None),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 200", None),
        ("", None),
    ],
)
def test_selected_names_are_known_if_they_are_plain_fields(soql, names):
    assert selection(soql).field_names == names


@pytest.mark.parametrize(
    ("soql", "is_open"),
    [
        ("Name = 'a'", False),
        ("Name = 'a", True),
        (r"Name = 'a\'", True),
        (r"Name = 'a\\'", False),
        ("Name = ''", False),
    ],
)
def test_an_open_quote_is_seen(soql, is_open):
    assert has_open_literal(soql) is is_open


def test_a_count_is_told_from_a_count_of_a_field():
    assert selection(" select count ( ) from Lead").counts_only
    assert not selection("SELECT COUNT(Id) n FROM Lead").counts_only
    assert is_select("\n select Id")
    assert not is_select("FIND {x}")


@pytest.mark.parametrize(
    ("soql", "columns"),
    [
        ("SELECT Id, Name FROM Account", ["Id", "Name"]),
        ("select id , account.name from Contact c where Name = 'from, (x'", ["id", "account.name"]),
        ("SELECT a.Name, a.Owner.Email FROM Account a", ["Name", "Owner.Email"]),
        (
            "SELECT COUNT(Id) n, MAX(Amount), Name FROM Opportunity GROUP BY Name",
            ["n", "expr0", "Name"],
        ),
        ("SELECT Name, (SELECT Id FROM Contacts) FROM Account", ["Name", "Contacts"]),
        ("SELECT toLabel(Status), FORMAT(Amount) shown FROM Lead", ["Status", "shown"]),
        (
            "SELECT Account.Name acc, SUM(Amount) FROM Opportunity GROUP BY Account.Name",
            ["acc", "expr0"],
        ),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) y FROM Case GROUP BY CALENDAR_YEAR(CreatedDate)",
            ["y"],
        ),
    ],
)
def test_columns_are_named_as_the_result_names_them(soql, columns):
    assert [item.column for item in selection(soql).items] == columns


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT FIELDS(ALL) FROM Account LIMIT 5",
        "SELECT TYPEOF What WHEN Account THEN Name END FROM Task",
    ],
)
def test_fields_and_typeof_leave_the_columns_to_the_records(soql):
    assert selection(soql).is_open


def test_the_object_is_the_outer_from_and_not_a_subquerys():
    found = selection("SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Name = 'x'")
    assert found.sobject == "Account"
    assert found.items[1].kind is ItemKind.CHILDREN


def test_a_bare_count_gives_no_rows():
    assert selection("SELECT COUNT() FROM Account").counts_only
    assert not selection("SELECT COUNT(Id) FROM Account").counts_only


def test_an_unreadable_text_is_left_to_the_org():
    assert selection("nonsense").is_open


def test_subqueries_give_their_relationships_whatever_stands_in_them():
    soql = "SELECT Id, (SELECT Id, COUNT(x) FROM Contacts), (SELECT Id FROM a.Cases) FROM Account a"
    assert selection(soql).child_relationships == ("Contacts", "Cases")


def test_no_depth_of_parentheses_breaks_the_scanner():
    assert selection("SELECT " + "(SELECT Id, " * 5_000 + " FROM A" + ") FROM A" * 5_000).items
