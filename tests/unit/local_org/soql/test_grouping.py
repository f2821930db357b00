"""Counts, aggregates, groups and subtotals."""

from __future__ import annotations

import pytest

from runner.local_org.ids import make_id


@pytest.fixture
def sales(world):
    for name, stage, count, price in (
        ("a", "x", 1, 10.0),
        ("b", "x", 2, 20.0),
        ("c", "y", 1, 5.0),
        ("d", None, None, None),
        ("A", "X", 1, 1.0),
    ):
        world.add("Widget__c", Name=name, Stage__c=stage, Count__c=count, Price__c=price)
    return world


def rows(world, soql, **options):
    """Groups without their attributes."""
    found = world.query(soql, **options)
    assert all(record["attributes"] == {"type": "AggregateResult"} for record in found)
    return [{key: each[key] for key in each if key != "attributes"} for each in found]


def test_count_without_a_field_is_only_a_total(sales):
    soql = "SELECT COUNT() FROM Widget__c WHERE Stage__c = 'x'"
    assert sales.prepared(soql).count_only
    assert sales.query(soql) == []
    assert sales.total(soql) == 3
    assert sales.total("SELECT count() FROM Widget__c LIMIT 2") == 2


def test_unnamed_results_are_numbered_and_named_ones_keep_their_alias(sales):
    assert rows(
        sales,
        "SELECT COUNT(Id), MAX(Price__c) top, SUM(Price__c), AVG(Count__c), MIN(Name), "
        "COUNT_DISTINCT(Stage__c), COUNT(Stage__c), SUM(Count__c) n FROM Widget__c",
    ) == [
        {
            "expr0": 5,
            "top": 20.0,
            "expr1": 36.0,
            "expr2": 1.25,
            "expr3": "a",
            "expr4": 2,
            "expr5": 4,
            "n": 5,
        }
    ]


def test_groups_ignore_case_and_include_null(sales):
    assert rows(
        sales,
        "SELECT Stage__c, COUNT(Id) n FROM Widget__c GROUP BY Stage__c ORDER BY COUNT(Id) DESC, "
        "Stage__c",
    ) == [{"Stage__c": "x", "n": 3}, {"Stage__c": None, "n": 1}, {"Stage__c": "y", "n": 1}]


def test_having_keeps_some_groups(sales):
    soql = "SELECT Stage__c FROM Widget__c GROUP BY Stage__c HAVING {} ORDER BY Stage__c"
    assert rows(sales, soql.format("COUNT(Id) > 1")) == [{"Stage__c": "x"}]
    assert rows(sales, soql.format("SUM(Price__c) < 10 OR Stage__c = 'X'")) == [
        {"Stage__c": "x"},
        {"Stage__c": "y"},
    ]


def test_a_grouped_parents_field_goes_by_its_last_name(world):
    account = world.add("Account", Name="Acme")
    world.add("Contact", LastName="x", Name="x", AccountId=account)
    soql = (
        "SELECT Account.Name, AccountId, COUNT(Id) cnt FROM Contact "
        "GROUP BY Account.Name, AccountId"
    )
    assert rows(world, soql) == [{"Name": "Acme", "AccountId": account, "cnt": 1}]


def test_rollup_adds_subtotals_and_a_total(sales):
    assert rows(
        sales,
        "SELECT Stage__c, Count__c, COUNT(Id) n, GROUPING(Stage__c) s, GROUPING(Count__c) c "
        "FROM Widget__c WHERE Stage__c != null GROUP BY ROLLUP(Stage__c, Count__c) "
        "ORDER BY Stage__c NULLS LAST, Count__c NULLS LAST",
    ) == [
        {"Stage__c": "x", "Count__c": 1, "n": 2, "s": 0, "c": 0},
        {"Stage__c": "x", "Count__c": 2, "n": 1, "s": 0, "c": 0},
        {"Stage__c": "x", "Count__c": None, "n": 3, "s": 0, "c": 1},
        {"Stage__c": "y", "Count__c": 1, "n": 1, "s": 0, "c": 0},
        {"Stage__c": "y", "Count__c": None, "n": 1, "s": 0, "c": 1},
        {"Stage__c": None, "Count__c": None, "n": 4, "s": 1, "c": 1},
    ]


def test_cube_adds_every_subtotal(sales):
    soql = "SELECT Stage__c, Count__c, COUNT(Id) FROM Widget__c GROUP BY CUBE(Stage__c, Count__c)"
    assert len(rows(sales, soql)) == 4 + 3 + 3 + 1


def test_subtotals_of_nothing_are_nothing(world):
    assert rows(world, "SELECT Name, COUNT(Id) FROM Account GROUP BY ROLLUP(Name)") == []
    assert rows(world, "SELECT COUNT(Id), MAX(Name) FROM Account") == [{"expr0": 0, "expr1": None}]


def test_date_functions_group(world):
    for day in ("2024-01-06", "2024-01-07", "2024-12-31", None):
        world.add(
            "Widget__c", Name="w", Due__c=day, CreatedDate=f"{day or '2024-01-01'}T23:59:00.000Z"
        )
    functions = {
        "CALENDAR_YEAR": {2024: 3, None: 1},
        "CALENDAR_QUARTER": {1: 2, 4: 1, None: 1},
        "CALENDAR_MONTH": {1: 2, 12: 1, None: 1},
        "FISCAL_YEAR": {2024: 3, None: 1},
        "FISCAL_QUARTER": {1: 2, 4: 1, None: 1},
        "FISCAL_MONTH": {1: 2, 12: 1, None: 1},
        "DAY_IN_MONTH": {6: 1, 7: 1, 31: 1, None: 1},
        "DAY_IN_WEEK": {7: 1, 1: 1, 3: 1, None: 1},
        "DAY_IN_YEAR": {6: 1, 7: 1, 366: 1, None: 1},
        "WEEK_IN_MONTH": {1: 2, 5: 1, None: 1},
        "WEEK_IN_YEAR": {1: 2, 53: 1, None: 1},
    }
    for name, expected in functions.items():
        call = f"{name}(Due__c)"
        found = rows(world, f"SELECT {call} part, COUNT(Id) n FROM Widget__c GROUP BY {call}")
        assert {each["part"]: each["n"] for each in found} == expected, name
    call = "DAY_ONLY(CreatedDate)"
    found = rows(world, f"SELECT {call} FROM Widget__c GROUP BY {call} ORDER BY {call} LIMIT 1")
    assert found == [{"expr0": "2024-01-01"}]
    assert rows(
        world, "SELECT HOUR_IN_DAY(CreatedDate) h FROM Widget__c GROUP BY HOUR_IN_DAY(CreatedDate)"
    ) == [{"h": 23}]


def test_datetimes_and_flags_in_groups_have_their_json_form(world):
    world.add("Widget__c", Name="w", Done__c=1, CreatedDate="2024-01-01T00:00:00.000Z")
    assert rows(world, "SELECT Done__c, MAX(CreatedDate) at FROM Widget__c GROUP BY Done__c") == [
        {"Done__c": True, "at": "2024-01-01T00:00:00.000+0000"}
    ]


def test_more_than_2000_groups_are_refused(world):
    user = make_id("005", 1)
    with world.org.store.writing() as conn:
        conn.executemany(
            'INSERT INTO Account ("Id", "Name", "OwnerId") VALUES (?, ?, ?)',
            [(make_id("001", number), f"n{number}", user) for number in range(2001)],
        )
    soql = "SELECT Name, COUNT(Id) FROM Account GROUP BY Name"
    assert world.refusal(soql) == (
        "EXCEEDED_ID_LIMIT",
        (
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a "
            "single batch"
        ),
    )
    assert len(world.query(f"{soql} LIMIT 2000")) == 2000
    assert len(world.query(f"{soql} LIMIT 2 OFFSET 1999")) == 2


@pytest.mark.parametrize(
    ("soql", "words"),
    [
        ("SELECT Name, COUNT(Id) FROM Account", "Field must be grouped or aggregated: Name"),
        ("SELECT Name FROM Account GROUP BY Industry", "Field must be grouped or aggregated: Name"),
        (
            "SELECT Name FROM Account GROUP BY Name ORDER BY Industry",
            "grouped or aggregated: Industry",
        ),
        ("SELECT COUNT(Id) FROM Account LIMIT 1", "cannot also use LIMIT"),
        ("SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 1", "HAVING"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "grouped or aggregated"),
        (
            "SELECT CreatedDate FROM Widget__c GROUP BY CreatedDate",
            "field 'CreatedDate' can not be grouped in a query call",
        ),
        ("SELECT Name n, MAX(Id) N FROM Account GROUP BY Name", "duplicate alias: N"),
        ("SELECT Name FROM Account GROUP BY Name HAVING Type = 'x'", "or aggregated: Type"),
        (
            "SELECT Id FROM Account GROUP BY DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'km')",
            "can not be grouped",
        ),
        ("SELECT COUNT(), Id FROM Account", "COUNT()"),
        ("SELECT SUM(Name) FROM Account", "does not support aggregate operator SUM"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "not allowed in WHERE"),
        ("SELECT Id FROM Account ORDER BY COUNT(Id)", "grouped or aggregated"),
        ("SELECT COUNT() FROM Account ORDER BY Name", "ORDER BY"),
        ("SELECT Name FROM Account GROUP BY ROLLUP(Name, Type, Industry, Phone)", "at most 3"),
        ("SELECT COUNT(Id), (SELECT Id FROM Contacts) FROM Account", "grouped fields"),
        ("SELECT GROUPING(Type) FROM Account GROUP BY Name", "grouped or aggregated: Type"),
    ],
)
def test_what_cannot_be_grouped_is_malformed(world, soql, words):
    code, message = world.refusal(soql)
    assert code == "MALFORMED_QUERY"
    assert words in message


def test_subtotals_are_told_from_groups_when_sorting_and_filtering_too(world):
    for name, kind in (("a", "x"), ("b", "x")):
        world.add("Account", Name=name, Type=kind)
    items = "Name, Type, GROUPING(Name) g, GROUPING(Type) h"
    soql = f"SELECT {items} FROM Account GROUP BY CUBE(Name, Type)"
    found = world.query(f"{soql} ORDER BY GROUPING(Name) DESC, GROUPING(Type) DESC, Name")
    assert [(each["g"], each["h"], each["Name"]) for each in found] == [
        (1, 1, None),
        (1, 0, None),
        (0, 1, "a"),
        (0, 1, "b"),
        (0, 0, "a"),
        (0, 0, "b"),
    ]
    found = world.query(f"{soql} HAVING GROUPING(Name) = 1 AND GROUPING(Type) = 1")
    assert len(found) == 1
    code, message = world.refusal(f"{soql} HAVING GROUPING(Industry) = 1")
    assert (code, "grouped or aggregated: Industry" in message) == ("MALFORMED_QUERY", True)


def test_functions_of_a_grouped_field_are_selected(world):
    for day in ("2023-05-01", "2023-05-01", "2024-07-01"):
        world.add("Opportunity", Name="o", CloseDate=day)
    soql = "SELECT CALENDAR_YEAR(CloseDate) y, COUNT(Id) n FROM Opportunity GROUP BY CloseDate"
    found = world.query(f"{soql} ORDER BY CloseDate")
    assert [(each["y"], each["n"]) for each in found] == [(2023, 2), (2024, 1)]
