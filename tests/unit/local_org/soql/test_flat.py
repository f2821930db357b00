"""Records as the texts of a Bulk result."""

from __future__ import annotations

import pytest


def test_values_are_written_as_bulk_does(world):
    account = world.add("Account", Name="Acme", IsPartner=1)
    world.add(
        "Widget__c",
        Name="w",
        Account__c=account,
        Price__c=100.0,
        Count__c=7,
        Done__c=1,
        Due__c="2024-01-31",
        CreatedDate="2024-04-16T19:00:00.000Z",
        Colours__c="A;B",
    )
    assert world.flat(
        "SELECT name, account__r.NAME, Price__c, Count__c, Done__c, IsDeleted, Due__c, "
        "CreatedDate, Colours__c, Stage__c, Account__r.IsPartner FROM Widget__c"
    ) == [
        [
            "Name",
            "Account__r.Name",
            "Price__c",
            "Count__c",
            "Done__c",
            "IsDeleted",
            "Due__c",
            "CreatedDate",
            "Colours__c",
            "Stage__c",
            "Account__r.IsPartner",
        ],
        [
            "w",
            "Acme",
            "100.0",
            "7",
            "true",
            "false",
            "2024-01-31",
            "2024-04-16T19:00:00.000Z",
            "A;B",
            "",
            "true",
        ],
    ]


def test_everything_of_a_missing_parent_is_empty(world):
    world.add("Widget__c", Name="w")
    soql = "SELECT Account__r.Name, Account__r.IsDeleted, Account__r.AnnualRevenue FROM Widget__c"
    assert world.flat(soql)[1] == ["", "", ""]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.5, "-0.5"),
        (23.0, "23.0"),
        (0.1, "0.1"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (123456789012345.67, "1.2345678901234567E14"),
        (999999999999999.0, "9.99999999999999E14"),
        (1e15, "1.0E15"),
        (1e18, "1.0E18"),
        (0.001, "0.001"),
        (0.00001, "1.0E-5"),
        (37.790197000000006, "37.790197000000006"),
        (None, ""),
    ],
)
def test_doubles_are_printed_as_java_does_and_lose_nothing(world, number, text):
    world.add("Widget__c", Name="w", Weight__c=number)
    assert world.flat("SELECT Weight__c FROM Widget__c")[1] == [text]
    if number is not None:
        assert float(text) == number


def test_columns_are_in_alphabetical_order_before_50(world):
    soql = "SELECT Name, Id FROM Account"
    assert world.prepared(soql, version=50.0).columns == ["Name", "Id"]
    assert world.prepared(soql, version=49.0).columns == ["Id", "Name"]


@pytest.mark.parametrize(
    ("soql", "words"),
    [
        ("SELECT COUNT() FROM Account", "Aggregate"),
        ("SELECT COUNT(Id) FROM Account", "Aggregate"),
        ("SELECT Name FROM Account GROUP BY Name", "Aggregate"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "Aggregate Relationships"),
        ("SELECT BillingAddress FROM Account", "compound data"),
        ("SELECT Id FROM Account OFFSET 5", "Offset"),
        ("SELECT TYPEOF What WHEN Account THEN Id END FROM Task", "TypeOf"),
        ("SELECT File__c FROM Widget__c", "Binary"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 5", "FIELDS"),
    ],
)
def test_what_bulk_refuses_is_said(world, soql, words):
    assert words in world.prepared(soql).bulk_refusal


def test_order_and_limit_are_no_obstacle_to_bulk(world):
    assert world.prepared("SELECT Id FROM Account ORDER BY Name LIMIT 5").bulk_refusal is None
