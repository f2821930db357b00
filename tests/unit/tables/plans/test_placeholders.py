import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.salesforce.ids import eighteen, is_id
from runner.tables.plans.placeholders import is_placeholder, is_planned, placeholder
from runner.tables.sql import literal


def made(prefix, number):
    return duckdb.sql(f"SELECT {placeholder(prefix, str(number))}").fetchall()[0][0]


@given(st.sampled_from(["001", "003", "a0X", "a1b", "ka0", "0Q0", ""]), st.integers(1, 99_999_999))
def test_a_placeholder_has_the_form_of_an_id_and_says_what_it_is(prefix, number):
    found = made(prefix, number)
    assert is_id(found)
    assert eighteen(found[:15]) == found
    assert found.startswith(prefix)
    assert is_planned(found)
    assert duckdb.sql(f"SELECT {is_placeholder(literal(found))}").fetchall() == [(True,)]


def test_each_number_has_its_own():
    assert made("001", 1) != made("001", 2)


@pytest.mark.parametrize("text", ["001LO0000000003YAA", "001LO0000000003", "", None, "001PLAN"])
def test_nothing_else_is_one(text):
    assert not is_planned(text)
    sql = "CAST(NULL AS VARCHAR)" if text is None else literal(text)
    assert duckdb.sql(f"SELECT {is_placeholder(sql)}").fetchall() == [(False,)]
