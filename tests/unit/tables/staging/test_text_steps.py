"""Which expressions are a few steps from one text to another."""

import pytest

from runner.tables.staging.text_steps import TextSteps, text_steps


@pytest.mark.parametrize(
    ("expression", "steps"),
    [
        ("trim(name)", TextSteps(trims=True)),
        ("LOWER( Trim(name) )", TextSteps(trims=True, case="lower")),
        ("upper(lower(name))", TextSteps(case="upper")),
        ("name || '!'", TextSteps(after="!")),
        ("'it''s ' || trim(name)", TextSteps(trims=True, before="it's ")),
        ("name || ', ' || '\"x\"'", TextSteps(after=', "x"')),
    ],
)
def test_they_are_found(expression, steps):
    assert text_steps(expression) == steps


@pytest.mark.parametrize(
    "expression",
    [
        "'text'",
        "first || last",
        "trim(name, 'x')",
        "trim(name || 'x')",
        "rtrim(name)",
        "coalesce(name, 'x')",
        "' ' || name",
        "name || chr(13)",
        "name || '\r'",
        "name || 1",
        "CASE WHEN name = 'x' THEN 'y' END",
        "(name || 'x') || 'y'",
        "trim(name) = 'x'",
        "12 || name",
        "name[1]",
    ],
)
def test_others_are_left_to_the_engine(expression):
    assert text_steps(expression) is None


def test_they_are_encoded_with_what_needs_quotes():
    assert TextSteps(trims=True, case="upper", before="é").encoded == b"E\xc3\xa9\0\0"
    assert TextSteps(after='"').encoded == b'H\0""\0'
    assert TextSteps(before="é", after='"').added == 3
