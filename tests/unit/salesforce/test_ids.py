import pytest

from runner.salesforce.ids import eighteen, is_id


@pytest.mark.parametrize(
    ("short", "check"),
    [
        ("000000000000000", "AAA"),
        ("A00000000000000", "BAA"),
        ("0015500001QdQWa", "AAN"),
        ("0035500001H9cak", "AAB"),
        ("0015500001QdZPK", "AA3"),
        ("750R0000000zlh9", "IAA"),
        ("001D000000K0fXO", "IAZ"),
        ("005AAAAAAAAAAAA", "Y55"),
    ],
)
def test_an_id_gets_its_check_characters(short, check):
    assert eighteen(short) == short + check
    assert eighteen(short + check) == short + check


@pytest.mark.parametrize(
    ("text", "sound"),
    [("0" * 15, True), ("0" * 18, True), ("0" * 16, False), ("0" * 14 + ",", False), ("", False)],
)
def test_the_form_of_an_id(text, sound):
    assert is_id(text) is sound
