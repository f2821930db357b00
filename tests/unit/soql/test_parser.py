"""What the parser takes and refuses; soql-common judges the same statements in tests/contract."""

import pytest

from runner.soql import syntax
from runner.soql.errors import SoqlError, TooDeepError
from runner.soql.parser import parse
from tests.contract.soql.corpus import INVALID, LOOSER, STRICTER, VALID, WITH_BINDS


def is_taken(statement, *, binds=False):
    try:
        parse(statement, binds=binds)
    except SoqlError:
        return False
    return True


def test_valid_statements_are_taken():
    assert [each for each in (*VALID, *STRICTER) if not is_taken(each)] == []


def test_invalid_statements_are_refused():
    assert [each for each in (*INVALID, *LOOSER) if is_taken(each)] == []


def test_binds_are_taken_where_a_value_may_stand_and_only_if_asked_for():
    assert [each for each in WITH_BINDS if not is_taken(each, binds=True)] == []
    assert [each for each in WITH_BINDS if is_taken(each)] == []
    soql = (
        "SELECT Id FROM A WHERE D > LAST_N_DAYS:days"
        " AND DISTANCE(P, GEOLOCATION(:lat, :long), 'mi') < :near"
    )
    assert is_taken(soql, binds=True)


@pytest.mark.parametrize(
    ("statement", "found", "expected"),
    [
        ("SELECT Id FORM Account", "FORM", ("FROM", "`,`")),
        ("SELECT Id, FROM Account", "FROM", ("a field",)),
        ("SELECT Id FROM Account WHERE Name IS NULL", "IS", ("an operator such as `=`",)),
        ("SELECT Id FROM Account WHERE Name = x", "x", ("a value",)),
        ("SELECT Id FROM Account WHERE Name IN (1, 2", "", ("`)`", "`,`")),
        ("SELECT Id FROM Account GROUP Name", "Name", ("BY",)),
        ("SELECT Id FROM Account LIMIT x", "x", ("a whole number",)),
        ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "OR", ()),
        ("SELECT Id FROM Account WHERE Name = 'ab\\q'", "\\q", ()),
    ],
)
def test_an_error_tells_where_it_is_and_what_could_stand_there(statement, found, expected):
    with pytest.raises(SoqlError) as caught:
        parse(statement)
    assert statement[caught.value.at :].startswith(found)
    assert caught.value.at == len(statement) or found
    assert caught.value.expected[: len(expected)] == expected


def test_a_query_that_nests_too_deep_to_tell_says_so():
    for opened, closed in (("(", ")"), ("NOT (", ")")):
        text = f"SELECT Id FROM A WHERE {opened * 5_000}B = 1{closed * 5_000}"
        with pytest.raises(TooDeepError):
            parse(text)
    with pytest.raises(TooDeepError):
        parse("SELECT " + "(SELECT Id, " * 5_000)


def test_conditions_keep_their_structure():
    where = parse("SELECT Id FROM A WHERE (NOT B = 1) AND (C = 2 OR D = 3) AND E IN (4)").where
    assert [type(each) for each in where.parts] == [
        syntax.Negation,
        syntax.Junction,
        syntax.Membership,
    ]
    assert where.parts[1].word == "OR"


def test_clauses_are_read():
    query = parse(
        "SELECT a.Id, COUNT(b.Id) n FROM A a, a.B b USING SCOPE mine WHERE c = 1 GROUP BY"
        " ROLLUP(a.Id) HAVING COUNT(b.Id) > 1 ORDER BY a.Id DESC NULLS LAST LIMIT 5 OFFSET 3"
    )
    assert (str(query.source.path), query.source.alias, query.scope) == ("A", "a", "mine")
    assert [str(each.path) for each in query.joined] == ["a.B"]
    assert query.subtotals is syntax.Subtotals.ROLLUP
    assert (query.order[0].descending, query.order[0].nulls_first) == (True, False)
    assert (query.limit, query.offset) == (5, 3)
    assert [each.name for each in query.clauses] == ["GROUP BY", "ORDER BY", "LIMIT", "OFFSET"]
