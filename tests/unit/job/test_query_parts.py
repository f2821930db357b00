"""A long list of values is split over several queries that find each record once."""

import pytest

from runner.errors import UsageError
from runner.job.query_parts import bound_queries


def fits(soql):
    return len(soql) <= 80


def queries(soql, *values, **others):
    return bound_queries(soql, {"ids": values, **others}, fits)


def test_a_short_list_is_one_query():
    assert queries("SELECT Id FROM A WHERE X IN :ids", "a", "b") == [
        "SELECT Id FROM A WHERE X IN ('a', 'b')"
    ]


@pytest.mark.parametrize("written", [":ids", "(:ids)", "( :ids )"])
def test_a_long_list_is_split_and_no_value_is_lost_or_doubled(written):
    values = [f"value {number}" for number in range(40)]
    soql = f"SELECT Id FROM A WHERE X IN {written} AND Y = :y"
    found = queries(soql, *values, *values[:5], y="IN")
    assert len(found) > 4
    assert all(fits(each) for each in found)
    assert all(each.endswith(" AND Y = 'IN'") for each in found)
    text = " ".join(found)
    assert all(text.count(f"'{value}'") == 1 for value in values)


def test_values_that_the_org_takes_for_the_same_stay_in_one_query():
    pairs = [(f"Value {n}", f"vALUE {n}") for n in range(20)]
    ids = [(f"001000000000{n}A", f"001000000000{n}AAAA") for n in range(10, 20)]
    found = queries(
        "SELECT Id FROM A WHERE X IN :ids", *(each for pair in pairs + ids for each in pair)
    )
    for one, other in pairs + ids:
        assert [f"'{one}'" in each for each in found] == [f"'{other}'" in each for each in found]


@pytest.mark.parametrize(
    ("soql", "said"),
    [
        ("SELECT Id FROM A WHERE X IN :ids ORDER BY X", "it has ORDER"),
        ("SELECT Id FROM A WHERE X IN :ids LIMIT 5", "it has LIMIT"),
        ("SELECT Id FROM A WHERE X NOT IN :ids", "condition of its own"),
        ("SELECT Id FROM A WHERE X IN :ids OR Y = 1", "it has OR"),
        ("SELECT Id FROM A WHERE NOT X IN :ids", "condition of its own"),
        ("SELECT Id FROM A WHERE (X IN :ids OR Y = 1)", "it has OR"),
        ("SELECT Id FROM A WHERE (X IN :ids OR Y = 1) AND Z = 1", "condition of its own"),
        ("SELECT Id FROM A WHERE Id IN (SELECT B FROM C WHERE X IN :ids)", "condition of its own"),
        ("SELECT Id, (SELECT Id FROM C WHERE X IN :ids) FROM A", "condition of its own"),
        ("SELECT Id FROM A WHERE X INCLUDES (:ids)", "condition of its own"),
        ("SELECT Id FROM A WHERE X IN :ids AND Y IN :ids", "used twice"),
        ("SELECT COUNT(Id) FROM A WHERE X IN :ids", "groups or counts"),
        ("SELECT COUNT() FROM A WHERE X IN :ids", "groups or counts"),
    ],
)
def test_a_query_whose_parts_would_find_something_else_is_refused(soql, said):
    with pytest.raises(UsageError, match=said):
        queries(soql, *map(str, range(100)))
    assert len(queries(soql, "a")) == 1


@pytest.mark.parametrize("rest", ["", " ORDER BY X LIMIT 1", " AND Y = 1 GROUP BY Id"])
def test_an_empty_list_finds_nothing(rest):
    assert queries(f"SELECT Id FROM A WHERE X IN :ids{rest}") == []


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM A WHERE X NOT IN :ids",
        "SELECT Id FROM A WHERE X IN :ids OR Y = 1",
        "SELECT COUNT() FROM A WHERE X IN :ids",
        "SELECT COUNT(Id) FROM A WHERE X IN :ids",
    ],
)
def test_an_empty_list_that_does_not_decide_is_refused(soql):
    with pytest.raises(UsageError, match="`ids` is empty"):
        queries(soql)


def test_words_in_literals_and_subqueries_do_not_count():
    soql = (
        "SELECT Id, (SELECT Id FROM C ORDER BY Id LIMIT 1) FROM A WHERE N = 'x OR y' AND X IN :ids"
        " AND (Y = 1 OR Z = 2) AND (NOT Y = 3)"
    )
    assert len(queries(soql, *map(str, range(100)))) > 1
