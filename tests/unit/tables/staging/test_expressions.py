import pytest

from runner.tables.staging.expressions import (
    parse,
    problem_by_syntax_tree,
    problem_of,
    problem_of_select,
)


@pytest.mark.parametrize(
    "expression",
    [
        "customer_no",
        '"Customer No"',
        "trim(company)",
        "'Retail'",
        "coalesce(a, b) || '-' || upper(c)",
        "CASE WHEN a IN ('1', '2', '3', '4', '5', '6') THEN 'x' ELSE b END",
        "strptime(d, '%d.%m.%Y')::DATE",
        "a -- a comment",
        "list_transform([1], lambda x: x + 1)",
        "[trim(t) for t in string_split(a, ',') if t <> '']",
        "list_reduce([1, 2], lambda x, y: x + y)",
        "a -> '$.b'",
        "lower(a ->> '$.b')",
        "split_part(a, ';', 1)",
        "current_date",
        "list_transform([{'a': b}], lambda one: one.a)",
        "0",
        "0.05",
        "100 / 7",
        "a + 2026 - 1",
    ],
)
def test_expressions_over_one_row_are_taken(expression):
    assert problem_by_syntax_tree(expression) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "empty"),
        ("a +", "syntax error at the end"),
        ("trim(a", "syntax error"),
        ("a; DROP TABLE x", "syntax error"),
        ("a, b", "not a list"),
        ("a AS x", "syntax error"),
        ("a FROM range(3)", "syntax error"),
        ("a) , (b", "syntax error"),
        ("(SELECT 1)", "subquery"),
        ("a IN (SELECT b FROM read_text('/etc/passwd'))", "subquery"),
        ("upper((SELECT 1))", "subquery"),
        ("read_text('/etc/passwd')", "read_text() is not possible"),
        ("unnest([1, 2])", "unnest() is not possible"),
        ("count(a)", "count() is not possible"),
        ("sum(a) OVER ()", "window"),
        ("list_transform([1], x -> x + 1)", "write `lambda x: …`"),
        ("array_to_string(list_filter(a, x -> x <> ''), ';')", "write `lambda x: …`"),
        ("nope(a)", "no function nope()"),
        ("*", "`*`"),
        ("?", "`?`"),
        ("Account.Name", "`Account.Name` is a column of a table"),
        ("coalesce(a.b.c, d)", "`a.b.c` is a column of a table"),
        ("0123", "put text in quotes: '0123'"),
        ("030 - 12/7", "put text in quotes"),
        ("2026-01-31", "put text in quotes: '2026-01-31'"),
        ("31/1/2026", "put text in quotes"),
    ],
)
def test_everything_else_is_refused_with_a_reason(expression, said):
    assert said in (problem_by_syntax_tree(expression) or "")


def test_columns_are_listed_once_in_order():
    assert parse('trim(b) || "A c" || b').columns == ("b", "A c")
    assert parse("list_transform([x], lambda t: t || u || x)").columns == ("x", "u")
    assert parse("list_transform([x], lambda X: x) || x").columns == ("x",)
    assert parse("[t for t in string_split(a, ',') if t <> b]").columns == ("a", "b")
    assert parse("a -> '$.b'").columns == ("a",)


DEEP = 50_000


@pytest.mark.parametrize(
    "expression",
    [
        "(" * DEEP + "a" + ")" * DEEP,
        "upper(" * DEEP + "a" + ")" * DEEP,
        "md5(" * 300 + "a" + ")" * 300,
        "CASE WHEN a = a THEN " * 500 + "a" + " END" * 500,
        "a || '('" + " || a" * 1_000,
        "(" * DEEP,
        "-\n" * DEEP,
        "'(' || " + "[" * DEEP,
    ],
    ids=["brackets", "functions", "md5", "case", "joined", "open", "signs", "quoted"],
)
def test_a_deep_expression_is_refused_at_once(expression):
    assert problem_of(expression) == "it is nested more than 200 levels deep"


@pytest.mark.parametrize(
    "expression",
    [
        "upper(" * 150 + "a" + ")" * 150,
        f"'{'(' * 500}' || a",
        f"a /* {'(' * 500} */",
        "a" + " || a" * 150,
        "CASE a " + "WHEN 'x' THEN '(-' " * 500 + "END",
        "coalesce(" + "(a), " * 500 + "-1)",
    ],
    ids=["functions", "quoted", "comment", "joined", "branches", "arguments"],
)
def test_a_long_expression_is_not_a_deep_one(expression):
    assert problem_of(expression) is None
    assert parse(expression).columns == ("a",)


def test_a_deep_select_is_refused_at_once():
    for deep in ("(" * DEEP, "(SELECT " * 300 + "1" + ")" * 300):
        assert problem_of_select(f"SELECT {deep}") == "it is nested more than 200 levels deep"
