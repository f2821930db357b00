"""Numbers of up to 18 digits come out as they went in, whatever a double would make of them."""

import json
from decimal import Decimal

import pytest

from runner.local_org import digits

WIDE = ("12345678901234.5678", "999999999999999999", "-0.100000000000000001")


@pytest.mark.parametrize("text", ["0", "100.0", "0.1", "-12.50", "123456789012345", "1e20"])
def test_what_a_double_holds_is_kept_as_one(text):
    assert digits.kept(Decimal(text)) == float(text)
    assert isinstance(digits.kept(Decimal(text)), float)


@pytest.mark.parametrize("text", WIDE)
def test_what_it_does_not_hold_is_kept_as_text(text):
    assert Decimal(digits.kept(Decimal(text))) == Decimal(text)
    assert "." in digits.kept(Decimal(text))


@pytest.mark.parametrize("text", WIDE)
def test_json_carries_every_digit(text):
    kept = digits.kept(Decimal(text))
    out = digits.dumps({"a": digits.marked(kept), "b": "é"})
    assert Decimal(json.loads(out, parse_float=Decimal)["a"]) == Decimal(text)
    assert digits.exact(digits.loads(out)["a"]) == Decimal(text)


def test_other_texts_of_json_are_not_touched():
    value = {"a": "12345678901234.5678", "b": ["é", None, True, 5, 1.5]}
    assert digits.loads(digits.dumps(value)) == value
    assert json.loads(digits.dumps(value)) == value


@pytest.mark.parametrize("text", ["1" + "0" * 20 + ".5", "0." + "0" * 50 + "1", "1e400"])
def test_numbers_beyond_every_field_are_read_as_floats_at_once(text):
    assert digits.loads(f"[{text}]") == [float(text)] or digits.exact(
        digits.loads(f"[{text}]")[0]
    ) == Decimal(text)
