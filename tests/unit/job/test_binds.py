from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from runner.job.binds import bind, for_duckdb, literal, names, rewrite_sql, sql_names, takes_list


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (17, "17"),
        (-0.5, "-0.5"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime(2024, 1, 31, 10, 0, tzinfo=UTC), "2024-01-31T10:00:00.000Z"),
        (
            datetime(2024, 1, 31, 10, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2))),
            "2024-01-31T08:00:00.123Z",
        ),
        ("EMEA", "'EMEA'"),
        ("", "''"),
        ("O'Neil", r"'O\'Neil'"),
        ("a\\", r"'a\\'"),
        ("a\nb\r\t\b\f", r"'a\nb\r\t\b\f'"),
        ("\x01", r"'\u0001'"),
        ("' OR Name != '", r"'\' OR Name != \''"),
        ("%_", "'%_'"),
    ],
)
def test_each_type_has_its_literal(value, written):
    assert literal(value) == written


def test_binds_stand_outside_literals_only():
    soql = r"SELECT Id FROM A WHERE B = :b AND C = ':c' AND D = 'it\'s :d' AND E IN (:e,:b)"
    assert names(soql) == ("b", "e")
    assert bind(soql, {"b": 1, "e": "x"}) == (
        r"SELECT Id FROM A WHERE B = 1 AND C = ':c' AND D = 'it\'s :d' AND E IN ('x',1)"
    )


def test_colons_of_datetimes_and_date_functions_are_no_binds():
    soql = "WHERE A > 2024-01-31T10:00:00Z AND B = LAST_N_DAYS:30"
    assert names(soql) == ()
    assert bind(soql, {}) == soql


def test_a_date_function_takes_a_bind_after_its_own_colon():
    assert bind("WHERE B = LAST_N_DAYS:days", {"days": 7}) == "WHERE B = LAST_N_DAYS:7"


def test_a_filled_value_is_not_filled_again():
    assert bind("WHERE A = :a AND B = :b", {"a": ":b", "b": "x"}) == "WHERE A = ':b' AND B = 'x'"


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT * FROM t WHERE x > :since AND y = :y AND z = :since", ("since", "y")),
        ("SELECT ':a', 'it''s :a', \":a\", `:a` -- :a\n/* :a\n:a */ , :b", ("b",)),
        ("SELECT a::text, CAST(x AS time) '10:30', b[1:n], {'k':v}", ()),
        ("SELECT $$ :a $$, $body$ :a $$ $body$, (:b)", ("b",)),
        ("SELECT :a::date", ("a",)),
        ("SELECT x FROM t WHERE y=:a", ("a",)),
    ],
)
def test_a_bind_in_sql_is_not_a_literal_cast_slice_member_or_comment(sql, found):
    assert sql_names(sql) == found


def test_only_the_binds_of_sql_are_replaced():
    assert rewrite_sql("a :b '%' :b", lambda name: f"<{name}>", str.upper) == "A <b> '%' <b>"
    assert for_duckdb("SELECT :since") == "SELECT getvariable('since')"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Acme%", "'Acme%'"),
        (r"50\% off", r"'50\% off'"),
        (r"a\_b_", r"'a\_b_'"),
        (r"a\b", r"'a\\b'"),
        (r"a\\b", r"'a\\b'"),
        (r"a\\%", r"'a\\%'"),
        ("it's", r"'it\'s'"),
    ],
)
def test_after_like_a_backslash_makes_a_wildcard_a_character(value, written):
    assert bind("WHERE A like :p", {"p": value}) == f"WHERE A like {written}"


def test_elsewhere_a_backslash_is_a_character():
    assert bind("WHERE A = :p", {"p": r"50\%"}) == r"WHERE A = '50\\%'"
    assert bind("WHERE A = 'LIKE' AND B IN (:p)", {"p": r"\_"}) == (
        r"WHERE A = 'LIKE' AND B IN ('\\_')"
    )


@pytest.mark.parametrize(
    ("soql", "bound"),
    [
        ("A IN :p", "A IN ('a', 'b')"),
        ("A not in:p AND", "A not in('a', 'b') AND"),
        ("A IN (:p)", "A IN ('a', 'b')"),
        ("A IN ('x', :p)", "A IN ('x', 'a', 'b')"),
        ("A INCLUDES (:p)", "A INCLUDES ('a', 'b')"),
    ],
)
def test_a_list_is_written_with_one_pair_of_parentheses(soql, bound):
    assert bind(soql, {"p": ("a", "b")}) == bound


def test_one_value_after_in_gets_parentheses():
    assert bind("A IN :p", {"p": 5}) == "A IN (5)"


@pytest.mark.parametrize(
    ("soql", "takes"),
    [
        ("A IN :p", True),
        ("A NOT IN(:p)", True),
        ("A IN ('(', :p)", True),
        ("A EXCLUDES ( :p )", True),
        ("A = :p", False),
        ("A IN (SELECT B FROM C WHERE D = :p)", False),
        ("A LIKE :p", False),
    ],
)
def test_where_a_list_can_be_is_known(soql, takes):
    assert takes_list(soql, soql.index(":p")) is takes
