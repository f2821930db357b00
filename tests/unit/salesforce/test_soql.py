"""A SOQL text's SELECT list gives the columns of its result."""

import pytest

from runner.salesforce.soql import ItemKind, selection


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
