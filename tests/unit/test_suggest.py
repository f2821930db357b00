import pytest

from runner.suggest import closest, did_you_mean, in_words


@pytest.mark.parametrize(
    ("word", "near"),
    [("upsrt", "upsert"), ("NAME", "name"), ("xyz", None), ("", None), ("n" * 1_000_000, None)],
)
def test_the_nearest_word_is_found_or_none(word, near):
    assert closest(word, ["name", "upsert", "x" * 1000]) == near


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("Regon__c", "Region__c"),
        ("Memmo", "Memo__c"),
        ("Xyzab__c", None),
        ("Size__c", "Size__c"),
        ("Siz", "Size"),
        ("Siz__c", "Size__c"),
        ("__c", None),
    ],
)
def test_an_ending_that_many_words_have_does_not_make_them_near(word, near):
    assert closest(word, ["Memo__c", "Size__c", "Size", "Region__c"]) == near


def test_the_question_or_what_to_say_instead():
    assert did_you_mean("nmae", ["name"]) == "did you mean `name`?"
    assert did_you_mean("zzz", ["name"], "it takes `name`") == "it takes `name`"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ""),
        (["a"], "`a`"),
        (["a", "b"], "`a` or `b`"),
        (["a", "b", "c"], "`a`, `b` or `c`"),
        (["a"] * 50, f"{', '.join(['`a`'] * 20)}, …"),
    ],
)
def test_words_are_listed_as_people_do(words, told):
    assert in_words(words) == told
