"""Rows go into tables whose columns somebody else has declared, or are refused."""

import pytest

from runner.errors import StateError, StorageError
from runner.job.endpoints import TableMode
from tests.short_form import slow


def test_a_fraction_is_not_rounded_to_a_column_of_whole_numbers(database, put):
    database('CREATE TABLE t ("Id" text, "Amount" integer)')
    put("Id,Amount", ("a", "1.25"), ("b", "7.0"))
    found = [str(each[0]) for each in database('SELECT "Amount" FROM t ORDER BY "Id"')]
    assert found == (["1.25", "7"] if database.is_sqlite else ["1.25", "7.00"])


@pytest.mark.parametrize(
    ("kind", "sqlite_only"),
    [("integer", False), ("double precision", False), *slow(("string", True), ("timestamp", True))],
)
def test_a_text_does_not_become_a_number(database, put, kind, sqlite_only):
    if sqlite_only and not database.is_sqlite:
        return
    database(f'CREATE TABLE t ("Id" text, "Name" {kind})')
    with pytest.raises(StateError, match=r"column Name is of type \w+.*the query gives text"):
        put("Id,Name", ("a", "00123"))
    assert database("SELECT * FROM t") == []


def test_a_text_is_left_to_a_database_that_takes_no_number_for_it(database, put):
    if database.is_sqlite:
        return
    database('CREATE TABLE t ("Id" text, "Name" timestamp)')
    put("Id,Name", ("a", "2026-01-31 08:00:00"))
    assert [str(each[0]) for each in database('SELECT "Name" FROM t')] == ["2026-01-31 08:00:00"]


def test_a_number_that_a_column_made_by_hand_has_no_room_for_is_told_in_one_line(database, put):
    if database.is_sqlite:
        return
    database('CREATE TABLE t ("Id" text, "N" smallint)')
    with pytest.raises((StateError, StorageError), match=r"\A.*out of range for .*\.\Z"):
        put("Id,N", ("a", "40000"))


def test_a_table_made_by_hand_keeps_its_types(database, put):
    database('CREATE TABLE t ("Id" char(1), "Amount" double precision, "N" integer, "Name" text)')
    database("INSERT INTO t VALUES ('a', 1, 1, 'x')")
    put("Id,Amount,N", ("a", "2.5", "3"), ("b", "0.5", "4"))
    put("Id,Amount", ("c", "7"), mode=TableMode.APPEND)
    wanted = [("a", 2.5, 3, "x"), ("b", 0.5, 4, None), ("c", 7, None, None)]
    assert database('SELECT * FROM t ORDER BY "Id"') == wanted
