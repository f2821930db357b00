import pytest

from runner.wording import counted, duration, format_size, shortened


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (999, "999 bytes"),
        (1_500, "1.5 KB"),
        (2_340_000, "2.34 MB"),
        (21 * 10**9, "21 GB"),
        (2_048 * 10**9, "2,048 GB"),
        (99_960_000, "100 MB"),
        (999_999, "1,000 KB"),
        (0, "0 bytes"),
    ],
)
def test_sizes_are_readable(size, words):
    assert format_size(size) == words


def test_a_duration_has_two_units_at_most():
    assert [duration(each) for each in (2.345, 61, 7_260)] == ["2.3 s", "1 min 01 s", "2 h 01 min"]


def test_numbers_have_their_nouns():
    assert [counted(each, "row") for each in (0, 1, 1_200)] == ["0 rows", "1 row", "1,200 rows"]


def test_a_shortened_text_has_no_more_characters_than_that():
    assert [shortened("abcd", most) for most in (4, 3)] == ["abcd", "ab…"]
