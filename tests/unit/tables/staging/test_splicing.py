"""What DuckDB is not asked to compute is still looked at."""

import pytest

from runner.job.choices import Blank
from runner.tables.field_types import MOST_CHARACTERS, FieldKind, MappedColumn
from tests.luajit_choice import compile_always
from tests.property.staged_chunks import count_spliced, staged

ROWS = 60


@pytest.fixture
def spliced(monkeypatch):
    compile_always(monkeypatch)
    return count_spliced(monkeypatch)


def test_fields_long_enough_for_a_row_that_bulk_refuses_may_be_made_of_trimmed_texts(spliced):
    fields = [
        *(MappedColumn(f"{c.upper()}__c", f"trim({c})", max_length=MOST_CHARACTERS) for c in "abc"),
        MappedColumn("D__c", "d || '!'", max_length=MOST_CHARACTERS),
        MappedColumn("Twice__c", "CAST(sum AS INTEGER) * 2", FieldKind.INTEGER),
    ]
    rows = [f"a{at},b,c ,d,{at}" for at in range(ROWS)]
    content = "\n".join(["a,b,c,d,sum", *rows, ""])
    _, (sent, _, problems) = staged(content, fields, Blank.KEEP, is_fast=True)
    assert spliced
    assert all(spliced)
    expected = [f"a{at},b,c,d!,{2 * at}" for at in range(ROWS)]
    assert sent.decode().splitlines()[1:] == expected
    assert problems == []


@pytest.mark.parametrize("number", ["NaN", "inf"])
def test_a_text_joined_to_what_is_not_a_number_fails(spliced, number):
    fields = [
        MappedColumn("A__c", "a"),
        MappedColumn("Price__c", "b || ' EUR'"),
        MappedColumn("C__c", "c"),
        MappedColumn("D__c", "d", FieldKind.BOOLEAN),
    ]
    rows = [f"a{at},{at}.5,c,true" for at in range(ROWS)]
    rows[-1] = f"a,{number},c,true"
    content = "\n".join(["a,b,c,d", *rows, ""])
    _, (sent, _, problems) = staged(content, fields, Blank.KEEP, is_fast=True, with_nan="b")
    assert spliced
    assert len(sent.splitlines()) == ROWS
    [[(row, problem)]] = problems
    assert row == ROWS
    assert f"the expression uses '{number}', which is not a number" in problem
