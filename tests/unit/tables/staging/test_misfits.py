"""What a row is told whose value does not fit, and values that no org takes."""

import pytest

from runner.tables.field_types import FieldKind, MappedColumn

NUMBER, WHOLE, DAY, MOMENT = (
    FieldKind.NUMBER,
    FieldKind.INTEGER,
    FieldKind.DATE,
    FieldKind.DATETIME,
)


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        (NUMBER, "1.234,56", "such as 1234.56; declare this form with `decimal` in"),
        (NUMBER, "12 %", "`decimal` in `from`"),
        (WHOLE, "1'234", "`decimal` in `from`"),
        (DAY, "31/01/2026", "such as 2026-01-31; declare this form with `dates` in"),
        (DAY, "2026.01.31", "`dates` in `from`"),
        (MOMENT, "31.1.2026 08:00", "`datetimes` in `from`"),
        (NUMBER, "1e400", "has more than 18 digits before the decimal point"),
        (NUMBER, "-1234567890123456789.5", "has more than 18 digits before the decimal point"),
        (WHOLE, "1E+18", "has more than 18 digits before the decimal point"),
    ],
)
def test_a_value_of_another_form_is_told_how_to_declare_it(stage, failed_rows, kind, written, said):
    staged = stage(f'v\n"{written}"\n'.encode(), [MappedColumn("v", None, kind)])
    (failed,) = failed_rows(staged)
    assert said in failed["sf__Message"]
    assert failed["sf__Code"] == "VALUE_DOES_NOT_FIT"


@pytest.mark.parametrize(
    ("kind", "written", "expression"),
    [
        (NUMBER, "n/a", None),
        (WHOLE, "five", None),
        (DAY, "2026-02-30", None),
        (DAY, "soon", None),
        (NUMBER, "1,5", "v || ''"),
    ],
)
def test_nothing_else_is(stage, failed_rows, kind, written, expression):
    content = f'v\n"{written}"\n'.encode()
    (failed,) = failed_rows(stage(content, [MappedColumn("v", expression, kind)]))
    assert "declare" not in failed["sf__Message"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("123456789012345678", "123456789012345678"),
        ("000123456789012345678", "123456789012345678"),
        ("1e17", "100000000000000000"),
        ("-0.5e1", "-5"),
    ],
)
def test_eighteen_digits_are_sent(stage, rows_of, written, sent):
    staged = stage(f"v,t\n{written},t\n".encode(), [MappedColumn("v", None, NUMBER)])
    assert rows_of(staged) == [{"v": int(sent)}]


def test_a_text_with_a_null_character_fails_its_row(stage, rows_of, failed_rows):
    staged = stage(b"v,w\na\0b,1\nc,2\n", [MappedColumn("v", None), MappedColumn("w", None)])
    assert rows_of(staged) == [{"v": "c", "w": "2"}]
    (failed,) = failed_rows(staged)
    assert failed["sf__Message"] == "v: contains the character U+0000, which no org stores"
