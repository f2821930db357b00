import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.tables.staging.expressions import (
    _KEYWORDS,
    columns_in,
    is_plain,
    parse,
    parse_by_syntax_tree,
    problem_by_syntax_tree,
)


@pytest.mark.parametrize(
    "expression",
    [
        "customer_no",
        " Name ",
        "'it''s'",
        "trim(company)",
        "coalesce(a, b) || '-' || UPPER(c)",
        "(a + 1.5) * 2",
        "CASE wants_call WHEN 'yes' THEN 'Working' ELSE 'Open' END",
        "CASE WHEN a = 'x' THEN 'y' WHEN b <> '' THEN b END",
        "current_date",
        "((Name))",
        "CASE a WHEN b THEN c END",
    ],
)
def test_what_most_jobs_hold_needs_no_closer_look(expression):
    assert is_plain(expression)
    assert problem_by_syntax_tree(expression) is None
    assert parse(expression) == parse_by_syntax_tree(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a b",
        "date '2026-01-01'",
        "1a",
        "a.b",
        "trim()",
        "1.",
        "a -- x",
        "/* x",
        "nope(a)",
        "a, b",
        "case end",
        "select",
        "a = b = c",
        "'open",
        "é",
    ],
)
def test_the_rest_is_left_to_the_closer_look(expression):
    assert not is_plain(expression)


def test_no_word_that_means_something_in_sql_is_a_column():
    categories = "('reserved', 'type_function', 'column_name')"
    query = f"SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN {categories}"
    words = {word for (word,) in duckdb.connect().execute(query).fetchall()}
    assert words <= _KEYWORDS


_WORDS = """a Name trim( lower( coalesce( nullif( ( ) , || + - * / = < <> 'x' '' 1 2.5
case when then else end null date -- /* as from"""
_PIECES = st.sampled_from(_WORDS.split())


@given(st.lists(_PIECES, max_size=9).map(" ".join))
def test_what_is_plain_is_never_refused_and_has_the_same_columns(expression):
    if is_plain(expression):
        assert problem_by_syntax_tree(expression) is None
        taken = parse_by_syntax_tree(expression)
        assert sorted(columns_in(expression)) == sorted(taken.columns)
        assert parse(expression).column == taken.column
        assert not taken.is_volatile
