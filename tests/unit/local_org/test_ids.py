import pytest

from runner.local_org.ids import base62, custom_key_prefix, make_id, make_ids, normalise, to18


@pytest.mark.parametrize(
    ("short", "suffix"),
    [
        ("000000000000000", "AAA"),
        ("A00000000000000", "BAA"),
        ("0015500001QdQWa", "AAN"),
        ("0035500001H9cak", "AAB"),
        ("0035500001H9kaA", "AAR"),
        ("0015500001QdZPK", "AA3"),
        ("0018c00002FInbo", "AAD"),
        ("750R0000000zlh9", "IAA"),
        ("001D000000K0fXO", "IAZ"),
        ("005AAAAAAAAAAAA", "Y55"),
    ],
)
def test_recorded_ids_have_their_check_characters(short, suffix):
    assert to18(short) == short + suffix


def test_both_lengths_mean_the_same_record():
    assert normalise("0015500001QdQWa") == normalise("0015500001QdQWaAAN") == "0015500001QdQWaAAN"


@pytest.mark.parametrize(
    "text",
    ["", "x", "0015500001QdQWaAAA", "0015500001QdQWa ", "001550000/QdQWa", None, 15, "é" * 15],
)
def test_what_is_no_id_is_malformed(text):
    assert normalise(text) is None


def test_made_ids_sort_in_order_of_creation():
    ids = [make_id("001", number) for number in (0, 9, 10, 35, 36, 61, 62, 4000, 10**9)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(normalise(each) == each for each in ids)


def test_custom_objects_count_through_a00():
    assert [custom_key_prefix(number) for number in (0, 1, 61, 62)] == ["a00", "a01", "a0z", "a10"]
    assert base62(61, 2) == "0z"


@pytest.mark.parametrize(
    "number", [0, 61, 62, 3843, 3844, 62**5 - 1, 62**5, 123_456_789, 62**9 - 1]
)
@pytest.mark.parametrize("prefix", ["001", "a0B", "Zz9"])
def test_a_new_id_has_the_check_characters_of_its_letters(prefix, number):
    assert make_id(prefix, number) == to18(f"{prefix}LO0{base62(number, 9)}")


@pytest.mark.parametrize("first", [0, 3_843, 3_844, 62**5 - 2])
def test_a_block_of_ids_is_the_ids_one_by_one(first):
    for count in (0, 1, 5, 4_000):
        assert make_ids("001", first, count) == [make_id("001", first + n) for n in range(count)]
