"""A bind is a name after a colon that is no literal, cast, slice, member or comment."""

import pytest

from runner.job.sql_binds import for_duckdb, names, rewritten


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
def test_where_binds_stand(sql, found):
    assert names(sql) == found


def test_only_the_binds_are_written_anew():
    assert rewritten("a :b '%' :b", lambda name: f"<{name}>", str.upper) == "A <b> '%' <b>"
    assert for_duckdb("SELECT :since") == "SELECT getvariable('since')"
