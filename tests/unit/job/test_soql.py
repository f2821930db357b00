"""What a job knows of its queries: literals, the object, and the columns of the result."""

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
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", "Event"),
        ("SELECT COUNT() FROM Case c, c.Account a", "Case"),
        ("SELECT Id", None),
        ("SELECT (SELECT Id FROM Contacts)", None),
        ("SELECT ))) FROM Account", None),
        ("(" * 50_000, None),
        ("", None),
    ],
)
def test_the_object_after_from_is_found(soql, sobject):
    assert (selection(soql).sobject or None) == sobject


@pytest.mark.parametrize(
    ("soql", "columns"),
    [
        ("SELECT Id, Account.Name FROM Contact", ("Id", "Account.Name")),
        ("select\n  Id\nfrom Lead", ("Id",)),
        ("SELECT COUNT(Id) n FROM Lead", None),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", None),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 200", None),
        ("", None),
    ],
)
def test_a_query_is_flat_if_it_selects_plain_fields_alone(soql, columns):
    found = selection(soql)
    assert found.is_flat == (columns is not None)
    if columns:
        assert tuple(item.column for item in found.items) == columns


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


def test_fields_leaves_the_columns_to_the_records():
    assert selection("SELECT FIELDS(ALL) FROM Account LIMIT 5").is_open


def test_typeof_is_a_column_named_after_the_relationship():
    found = selection("SELECT Id, TYPEOF t.What WHEN Account THEN Name END FROM Task t")
    assert [(item.kind, item.column) for item in found.items] == [
        (ItemKind.FIELD, "Id"),
        (ItemKind.TYPEOF, "What"),
    ]
    assert not found.is_open


@pytest.mark.parametrize(
    ("soql", "members"),
    [
        ("SELECT Id, account.Name FROM Contact", ["Id", "account.Name"]),
        ("SELECT c.Name, a.Name, o.Email FROM Contact c, c.Account a, a.Owner o",
         ["Name", "Account.Name", "Account.Owner.Email"]),
        ("SELECT Contact.Account.Name, Contact.Name FROM Contact", ["Account.Name", "Name"]),
        ("SELECT c.Name FROM Contact AS c", ["Name"]),
        ("SELECT toLabel(c.Account.Industry), FORMAT(convertCurrency(Amount__c)) FROM Contact c",
         ["Account.Industry", "Amount__c"]),
        ("SELECT toLabel(Account.Industry) i FROM Contact", ["i"]),
        ("SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name", ["Name", "n"]),
        ("SELECT a.Owner.Name, MAX(x), MIN(y) low, DAY_ONLY(convertTimezone(z)) FROM Account a",
         ["Name", "expr0", "low", "expr1"]),
        ("SELECT Account.Name FROM Contact group\nby Account.Name", ["Name"]),
        ("SELECT FORMAT(MAX(Amount)) FROM Opportunity", ["expr0"]),
        ("SELECT Name, DISTANCE(At__c, GEOLOCATION(1.5, 2.5), 'mi') far FROM A", ["Name", "far"]),
        ("SELECT (SELECT Id FROM a.Contacts) FROM Account a", ["Contacts"]),
    ],
)  # fmt: skip
def test_each_item_knows_where_an_answer_has_its_value(soql, members):
    assert [".".join(item.member) for item in selection(soql).items] == members


def test_a_query_that_groups_is_not_flat():
    assert not selection("SELECT Name FROM Account GROUP BY Name").is_flat
    assert selection("SELECT Name FROM Account ORDER BY Name").is_flat
    assert selection("SELECT Id FROM A WHERE X IN (SELECT Y FROM B WHERE Z = 1)").is_flat


def test_functions_of_an_item_are_known_from_the_outside_in():
    [item] = selection("SELECT FORMAT(MAX(Account.Since__c)) x FROM Contact").items
    assert (item.functions, item.path) == (("format", "max"), "Account.Since__c")


def test_subqueries_in_subqueries_are_known_by_their_path():
    soql = "SELECT (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) FROM Account"
    assert list(selection(soql).child_lists) == ["Contacts", "Contacts.Cases"]


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


def test_no_depth_of_parentheses_breaks_it():
    assert selection("SELECT " + "(SELECT Id, " * 5_000 + " FROM A" + ") FROM A" * 5_000).items
