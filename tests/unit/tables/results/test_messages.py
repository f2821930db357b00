import duckdb
import pytest

from runner.tables.results.messages import values_taken_out, without_values
from runner.tables.sql import literal


def plain(message):
    return duckdb.connect().execute(f"SELECT {without_values(literal(message))}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "duplicate value found: A__c duplicates value on record with id: 001xx000003DGb1",
            "duplicate value found: A__c duplicates value on record with id: 001xx000003DGb2AAG",
        ),
        (
            "bad value for restricted picklist field: Tin",
            "bad value for restricted picklist field: Zinc: or so\nmore",
        ),
        (
            "Name: data value too large: A long (text) (max length=80)",
            "Name: data value too large: Another: one (max length=80)",
        ),
        ("Email: invalid email address: a@", "Email: invalid email address: b c"),
        (
            "Foreign key external ID: a b not found for field X__c in entity Account",
            "Foreign key external ID: c not found for field X__c in entity Account",
        ),
        ("Amount: 'x' is not a number", "Amount: 'it is' is not a number"),
        ("The total 1,234.50 is over 7", "The total 3 is over 1.000"),
        (
            "Cannot deserialize instance of double from VALUE_STRING value a b or request may be x",
            "Cannot deserialize instance of double from VALUE_STRING value c or request may be x",
        ),
    ],
)
def test_messages_that_differ_in_a_value_are_one(one, other):
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Error: Please set the phone", "Error: Please set the fax"),
        ("Required fields are missing: [Name]", "Required fields are missing: [Phone]"),
        ("don't do a, you can't", "don't do b, you can't"),
        (
            "duplicate value found: A__c duplicates value on record with id: 001xx000003DGb1",
            "duplicate value found: B__c duplicates value on record with id: 001xx000003DGb1",
        ),
        (
            "Foreign key external ID: a not found for field X__c in entity Account",
            "Foreign key external ID: a not found for field Y__c in entity Account",
        ),
    ],
)
def test_messages_that_differ_in_words_are_two(one, other):
    assert plain(one) != plain(other)


@pytest.mark.parametrize(
    "value", ["x" * 1_000_000, "@" + "x" * 1_000_000 + "@", "a@b https://c@d @e f@"]
)
def test_values_are_taken_out_as_by_duckdb_however_long_they_are(value):
    message = f"Text: {value} (not a word)"
    assert values_taken_out(message) == plain(message)
