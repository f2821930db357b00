import pytest

from runner.job.soql import from_object, has_open_literal, is_count, is_select, selected


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
    assert from_object(soql) == sobject


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
def test_selected_names_are_told_where_they_are_plain(soql, names):
    assert selected(soql) == names


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
    assert is_count(" select count ( ) from Lead")
    assert not is_count("SELECT COUNT(Id) n FROM Lead")
    assert is_select("\n select Id")
    assert not is_select("FIND {x}")
