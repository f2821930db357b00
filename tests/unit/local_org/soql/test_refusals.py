"""What the org says to a query that it cannot run."""

from __future__ import annotations

import pytest

from runner.local_org.ids import make_id

NOT_THERE = "Please reference your WSDL or the describe call for the appropriate names."


def test_an_unknown_field_is_pointed_at(world):
    assert world.refusal("SELECT Bacon__c FROM Account LIMIT 2") == (
        "INVALID_FIELD",
        (
            "\nSELECT Bacon__c FROM Account LIMIT 2\n"
            "       ^\n"
            "ERROR at Row:1:Column:8\n"
            "No such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom "
            f"field, be sure to append the '__c' after the custom field name. {NOT_THERE}"
        ),
    )


def test_an_unknown_sobject_is_pointed_at(world):
    assert world.refusal("SELECT Id, Name FROM XYZZY") == (
        "INVALID_TYPE",
        (
            "\nSELECT Id, Name FROM XYZZY\n"
            "                     ^\n"
            "ERROR at Row:1:Column:22\n"
            "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, "
            f"be sure to append the '__c' after the entity name. {NOT_THERE}"
        ),
    )


def test_an_unknown_relationship_is_not_understood(world):
    code, message = world.refusal("SELECT Id, Foo__r.Name FROM Account")
    assert code == "INVALID_FIELD"
    assert message.endswith(
        "Didn't understand relationship 'Foo__r' in field path. If you are attempting to use a "
        "custom relationship, be sure to append the '__r' after the custom relationship name. "
        f"{NOT_THERE}"
    )
    code, message = world.refusal("SELECT (SELECT Id FROM Foos) FROM Account")
    assert code == "INVALID_TYPE"
    assert "Didn't understand relationship 'Foos' in FROM part of query call." in message


def test_only_a_window_of_a_long_query_is_shown(world):
    soql = "select Id, Company,Email,LastName,SF_date__c, Title from Lead where Company != null"
    assert world.refusal(soql)[1].startswith(
        "\nselect Id, Company,Email,LastName,SF_date__c, Title from Lead where\n"
        "                                  ^\nERROR at Row:1:Column:35\n"
    )
    soql = f"SELECT Id, {', '.join(f'Name{number}' for number in range(9))} FROM Account"
    soql = soql.replace("Name8", "Phone").replace("Name0, ", "Name, Fax, Website, ")
    message = world.refusal(soql)[1]
    assert message.startswith("\nSELECT Id, Name, Fax, Website, Name1, Name2,")


def test_rows_are_counted(world):
    assert world.refusal("SELECT Id,\n  Bad\nFROM Account")[1].startswith(
        "\n  Bad\n  ^\nERROR at Row:2:Column:3\nNo such column 'Bad'"
    )


@pytest.mark.parametrize(
    ("soql", "token"),
    [
        ("", "<EOF>"),
        ("SELECT Id FROM Account WHERE", "<EOF>"),
        ("SELECT Id FORM Account", "FORM"),
        ("SELECT Id, FROM Account", "FROM"),
        ("SELECT * FROM Account", "*"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "OR"),
        ("SELECT Id FROM Account WHERE Name IS NULL", "IS"),
        ("SELECT Id FROM Account LIMIT 5 WHERE Name = 'a'", "WHERE"),
        ("SELECT Id FROM Account WHERE Name = 'O'Brien'", "Brien"),
        ("SELECT Id FROM Account WHERE Name = 'abc", "'"),
        ("SELECT Id FROM Account -- all of them", "-"),
        ("SELECT Id FROM Account LIMIT 1.5", "1"),
        ("SELECT Id FROM Account WHERE CreatedDate > SOMEDAY", "SOMEDAY"),
        ("SELECT FIELDS(SOME) FROM Account", "FIELDS"),
        ("SELECT Id FROM Account; DROP TABLE Account", ";"),
    ],
)
def test_the_unexpected_token_is_named(world, soql, token):
    code, message = world.refusal(soql)
    assert code == "MALFORMED_QUERY"
    assert message.endswith(f"unexpected token: '{token}'")


def test_an_unexpected_token_is_pointed_at_one_character_early(world):
    assert world.refusal("SELECT Id, FROM Account")[1] == (
        "\nSELECT Id, FROM Account\n          ^\nERROR at Row:1:Column:11\nunexpected token: 'FROM'"
    )


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        (
            "SELECT Id FROM Account WHERE Description LIKE 'x%'",
            "INVALID_FIELD",
            "ERROR at Row:1:Column:30\nfield 'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account ORDER BY Description",
            "MALFORMED_QUERY",
            "field 'Description' can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE BillingAddress != null",
            "INVALID_FIELD",
            "Address fields can only be filtered using Distance expressions",
        ),
        ("SELECT Id, Name, iD FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT FIELDS(ALL), Id FROM Account LIMIT 1",
            "INVALID_FIELD",
            "duplicate field selected: Id",
        ),
        (
            "SELECT Owner.Id, Owner.id FROM Account",
            "INVALID_FIELD",
            "duplicate field selected: Owner.Id",
        ),
        (
            "SELECT Name n FROM Account",
            "MALFORMED_QUERY",
            "only aggregate expressions use field aliasing",
        ),
        (
            "SELECT FIELDS(ALL) FROM Account",
            "MALFORMED_QUERY",
            "The SOQL FIELDS function must have a LIMIT of at most 200",
        ),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 201", "MALFORMED_QUERY", "LIMIT of at most 200"),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2024-01-01'",
            "INVALID_FIELD",
            (
                "value of filter criterion for field 'CreatedDate' must be of type dateTime and "
                "should not be enclosed in quotes"
            ),
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 2024-01-01",
            "INVALID_FIELD",
            "field 'CreatedDate' must be of type dateTime",
        ),
        (
            "SELECT Id FROM Widget__c WHERE Due__c = 2024-01-01T00:00:00Z",
            "INVALID_FIELD",
            "field 'Due__c' must be of type date",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate = ''",
            "INVALID_FIELD",
            "must be of type dateTime",
        ),
        ("SELECT Id FROM Account WHERE NumberOfEmployees > ''", "INVALID_FIELD", "of type int"),
        (
            "SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'km') = 5",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator",
        ),
        ("SELECT Id FROM Account WHERE IsDeleted = 1", "INVALID_FIELD", "must be of type boolean"),
        (
            "SELECT Id FROM Account WHERE IsDeleted = 'true'",
            "INVALID_FIELD",
            "must be of type boolean",
        ),
        (
            "SELECT Id FROM Widget__c WHERE Weight__c = USD5",
            "INVALID_FIELD",
            "must be of type double",
        ),
        ("SELECT Id FROM Account WHERE Name = TODAY", "INVALID_FIELD", "must be of type string"),
        (
            "SELECT Id FROM Account WHERE Id = 'abc'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: abc",
        ),
        (
            "SELECT Id FROM Account WHERE Id LIKE '001%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on id field",
        ),
        (
            "SELECT Id FROM Widget__c WHERE Colours__c LIKE 'x%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on multipicklist field",
        ),
        (
            "SELECT Id FROM Account WHERE Name INCLUDES ('x')",
            "INVALID_QUERY_FILTER_OPERATOR",
            "multipicklist",
        ),
        (
            "SELECT Id FROM Account WHERE Name = :x",
            "MALFORMED_QUERY",
            "Bind variables only allowed in Apex code",
        ),
        (
            "SELECT Id FROM Account WHERE Name IN :xs",
            "MALFORMED_QUERY",
            "Bind variables only allowed",
        ),
        ("SELECT Id FROM Account WHERE Name = 'a\\q'", "MALFORMED_QUERY", "Invalid string literal"),
        (
            "SELECT Id FROM Account WHERE CreatedDate = 2024-02-30T00:00:00Z",
            "MALFORMED_QUERY",
            "Invalid datetime",
        ),
        ("SELECT Id FROM Widget__c WHERE Due__c = 1600-01-01", "MALFORMED_QUERY", "Invalid date"),
        (
            "SELECT Id FROM Account ALL ROWS",
            "MALFORMED_QUERY",
            "ALL ROWS not allowed in this context",
        ),
        ("SELECT Id FROM Account USING SCOPE nobody", "MALFORMED_QUERY", "nobody"),
        ("SELECT foo(Name) FROM Account", "MALFORMED_QUERY", "foo(Name)"),
        (
            "SELECT Owner.Industry FROM Case",
            "INVALID_FIELD",
            "No such column 'Industry' on entity 'Name'",
        ),
        (
            "SELECT TYPEOF Account WHEN Account THEN Id END FROM Contact",
            "INVALID_FIELD",
            "polymorphic",
        ),
        (
            "SELECT what.Name, TYPEOF What WHEN Account THEN Id END FROM Task",
            "MALFORMED_QUERY",
            "TYPEOF What and What.Name cannot both be selected",
        ),
        (
            "SELECT TYPEOF Owner WHEN User THEN Id END, Owner.Profile.Name FROM Case",
            "MALFORMED_QUERY",
            "cannot both be selected",
        ),
        (
            "SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account",
            "MALFORMED_QUERY",
            "parent relationships",
        ),
        (
            "SELECT (SELECT COUNT(Id) FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "child subqueries",
        ),
    ],
)
def test_refusal(world, soql, code, words):
    found = world.refusal(soql)
    assert found[0] == code
    assert words in found[1]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            "Name = 'x' OR Id IN (SELECT AccountId FROM Contact)",
            "not allowed with the 'OR' operator",
        ),
        ("NOT Id IN (SELECT AccountId FROM Contact)", "not allowed with the 'NOT' operator"),
        ("Id IN (SELECT ParentId FROM Account)", "should not be on the same object type"),
        ("Id IN (SELECT OwnerId FROM Contact)", "should point to the same object type"),
        ("Name IN (SELECT AccountId FROM Contact)", "cannot use: 'Name'"),
        ("Parent.OwnerId IN (SELECT CreatedById FROM Contact)", "more than one level"),
        ("Id IN (SELECT Name FROM Contact)", "must be an id or reference field"),
        ("Id IN (SELECT toLabel(Salutation) FROM Contact)", "can only query id fields"),
        ("Id IN (SELECT WhatId FROM Task)", "Entity 'Task' is not supported for semi join"),
        ("Id IN (SELECT AccountId, Id FROM Contact)", "unexpected token: ','"),
        ("Id IN (SELECT AccountId FROM Contact LIMIT 1)", "unexpected token: 'LIMIT'"),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))",
            "Nesting of semi join sub-selects is not supported",
        ),
        (
            " AND ".join(["Id IN (SELECT AccountId FROM Contact)"] * 3),
            "Maximum 2 semi join sub-selects are allowed",
        ),
    ],
)
def test_semi_joins_have_their_restrictions(world, condition, words):
    code, message = world.refusal(f"SELECT Id FROM Account WHERE {condition}")
    assert code == "MALFORMED_QUERY"
    assert words in message


def test_an_offset_above_2000_is_out_of_range(world):
    assert world.refusal("SELECT Id FROM Account OFFSET 2001") == (
        "NUMBER_OUTSIDE_VALID_RANGE",
        "Maximum SOQL offset allowed is 2000",
    )


def test_a_text_above_100000_characters_is_refused(world):
    assert world.refusal(f"SELECT Id FROM Account{' ' * 100_000}")[0] == "MALFORMED_QUERY"


def test_using_scope_needs_version_32(world):
    soql = "SELECT Id FROM Account USING SCOPE mine"
    assert world.refusal(soql, version=31.0)[0] == "MALFORMED_QUERY"
    assert world.query(soql, version=32.0) == []


def test_fields_needs_version_51(world):
    soql = "SELECT FIELDS(STANDARD) FROM Widget__c"
    assert world.refusal(soql, version=50.0)[0] == "MALFORMED_QUERY"
    assert world.query(soql, version=51.0) == []


def test_values_never_become_sql(world):
    world.add("Account", Name="it's; DROP TABLE Account--")
    assert world.names(r"Name = 'it\'s; DROP TABLE Account--'", "Account") != []
    assert world.names(f"Name = '\" OR 1=1 --' OR Id = '{make_id('001', 9)}'", "Account") == []


@pytest.mark.parametrize(
    "condition",
    [
        "NOT (" * 21 + "Name = 'x'" + ")" * 21,
        "(" * 3000 + "Name = 'x'" + ")" * 3000,
        "(Name = 'a' AND (Name = 'b' OR " * 20 + "Name = 'c'" + "))" * 20,
    ],
)
def test_conditions_that_nest_too_deep_are_too_complicated(world, condition):
    code, _ = world.refusal(f"SELECT Id FROM Account WHERE {condition}")
    assert code == "QUERY_TOO_COMPLICATED"


def test_long_conditions_are_no_trouble(world):
    world.add("Account", Name="777")
    names = [f"'{number}'" for number in range(3000)]
    either = " OR ".join(f"Name = {name}" for name in names)
    assert world.names(either, "Account") == ["777"]
    assert world.names(f"Name IN ({', '.join(names)})", "Account") == ["777"]


@pytest.mark.parametrize(
    "tail",
    [
        f"LIMIT {'9' * 5000}",
        f"WHERE NumberOfEmployees != {'9' * 5000}",
        "WHERE Name != 'a\0b'",
    ],
)
def test_extreme_values_are_values(world, tail):
    world.add("Account", Name="Acme")
    assert len(world.query(f"SELECT Id FROM Account {tail}")) == 1


@pytest.mark.parametrize("days", ["9" * 20, "999999999"])
def test_extreme_periods_are_malformed(world, days):
    code, _ = world.refusal(f"SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:{days}")
    assert code == "MALFORMED_QUERY"
