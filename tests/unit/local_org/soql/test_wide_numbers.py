"""SOQL compares, sorts and adds up numbers of 18 digits by every digit of them."""

from __future__ import annotations

import pytest

from runner.local_org import exact_numbers

NEAR = 12345678901234.568  # the double next to both
BELOW, ABOVE = "12345678901234.5678", "12345678901234.5681"


@pytest.fixture
def wide(world):
    for name, price in (
        ("above", ABOVE),
        ("near", NEAR),
        ("below", BELOW),
        ("small", 5.0),
        ("whole", "999999999999999999.0"),
        ("none", None),
    ):
        world.add("Widget__c", Name=name, Price__c=price)
    return world


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("= 12345678901234.5678", ["below"]),
        ("!= 12345678901234.5678", ["above", "near", "none", "small", "whole"]),
        ("< 12345678901234.5678", ["small"]),
        ("<= 12345678901234.5678", ["below", "small"]),
        ("> 12345678901234.5678", ["above", "near", "whole"]),
        (">= 12345678901234.5681", ["above", "whole"]),
        ("> 12345678901234.568", ["above", "whole"]),
        ("<= 12345678901234.568", ["below", "near", "small"]),
        ("> 100000000000000000", ["whole"]),
        ("= 999999999999999999", ["whole"]),
        ("= USD999999999999999999", ["whole"]),
        ("IN (5, 12345678901234.5681)", ["above", "small"]),
        ("= null", ["none"]),
    ],
)
def test_comparing(wide, condition, names):
    assert wide.names(f"Price__c {condition}") == names


@pytest.mark.parametrize("how", ["ASC", "DESC"])
def test_sorting(wide, how):
    soql = f"SELECT Name FROM Widget__c WHERE Price__c != null ORDER BY Price__c {how}"
    found = wide.values(soql)
    assert found[:: 1 if how == "ASC" else -1] == ["small", "below", "near", "above", "whole"]


def printed(number):
    """A number of 14 digits before the point, as Java prints it."""
    whole, part = number.split(".")
    return f"{whole[0]}.{whole[1:]}{part}E13"


def test_adding_up(wide):
    where = "FROM Widget__c WHERE Name IN ('below', 'above', 'small')"
    record = wide.query(f"SELECT SUM(Price__c) s, MIN(Price__c) a, MAX(Price__c) z {where}")[0]
    assert str(exact_numbers.exact(record["s"])) == "24691357802474.1359"
    assert (record["a"], record["z"]) == (5.0, exact_numbers.marked(printed(ABOVE)))
    having = "GROUP BY Name HAVING SUM(Price__c) > 12345678901234.568 ORDER BY MAX(Price__c)"
    assert wide.values(f"SELECT Name FROM Widget__c {having}") == ["above", "whole"]


def test_tenths_add_up_to_a_tenth_of_the_sum(world):
    for _ in range(3):
        world.add("Widget__c", Name="x", Price__c=0.1)
    assert world.values("SELECT SUM(Price__c) FROM Widget__c") == [0.3]
    assert world.total("SELECT Name FROM Widget__c GROUP BY Name HAVING SUM(Price__c) = 0.3") == 1


def test_showing(wide):
    where = "FROM Widget__c WHERE Name IN ('below', 'whole') ORDER BY Price__c"
    assert wide.values(f"SELECT Price__c {where}") == [
        exact_numbers.marked(printed(BELOW)),
        exact_numbers.marked("9.99999999999999999E17"),
    ]
    assert wide.flat(f"SELECT Price__c {where}")[1:] == [
        [printed(BELOW)],
        ["9.99999999999999999E17"],
    ]
    assert wide.values(f"SELECT FORMAT(Price__c) {where}")[1] == "$999,999,999,999,999,999.00"
