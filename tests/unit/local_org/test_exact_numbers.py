"""Numbers of up to 18 digits come out as they went in, whatever a double would make of them."""

import json
from decimal import Decimal

import pytest

from runner.local_org import exact_numbers

WIDE = ("12345678901234.5678", "999999999999999999", "-0.100000000000000001")


@pytest.mark.parametrize("text", ["0", "100.0", "0.1", "-12.50", "123456789012345", "1e20"])
def test_what_a_double_holds_is_kept_as_one(text):
    assert exact_numbers.to_stored(Decimal(text)) == float(text)
    assert isinstance(exact_numbers.to_stored(Decimal(text)), float)


@pytest.mark.parametrize("text", WIDE)
def test_what_it_does_not_hold_is_kept_as_text(text):
    assert Decimal(exact_numbers.to_stored(Decimal(text))) == Decimal(text)
    assert "." in exact_numbers.to_stored(Decimal(text))


@pytest.mark.parametrize("text", WIDE)
def test_json_carries_every_digit(text):
    kept = exact_numbers.to_stored(Decimal(text))
    out = exact_numbers.dumps({"a": exact_numbers.marked(kept), "b": "é"})
    assert Decimal(json.loads(out, parse_float=Decimal)["a"]) == Decimal(text)
    assert exact_numbers.exact(exact_numbers.loads(out)["a"]) == Decimal(text)


def test_other_texts_of_json_are_not_touched():
    value = {"a": "12345678901234.5678", "b": ["é", None, True, 5, 1.5]}
    assert exact_numbers.loads(exact_numbers.dumps(value)) == value
    assert json.loads(exact_numbers.dumps(value)) == value


@pytest.mark.parametrize("text", ["1" + "0" * 20 + ".5", "0." + "0" * 50 + "1", "1e400"])
def test_numbers_beyond_every_field_are_read_as_floats_at_once(text):
    assert exact_numbers.loads(f"[{text}]") == [float(text)] or exact_numbers.exact(
        exact_numbers.loads(f"[{text}]")[0]
    ) == Decimal(text)
