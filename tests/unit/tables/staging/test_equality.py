"""Whether a record holds what would be sent: each rule, as the docs list them."""

import duckdb
import pytest

from runner.tables.sql import literal
from runner.tables.staging.equality import HeldField, is_held, plain
from tests.unit.tables.equality_cases import CASES, FIELDS, PARENT


@pytest.fixture(scope="module")
def evaluated():
    with duckdb.connect(":memory:") as connection:
        yield lambda sql: connection.execute(f"SELECT {sql}").fetchall()[0][0]


def text(value):
    return "CAST(NULL AS VARCHAR)" if value is None else literal(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]!r}-{case[2]!r}")
def test_what_a_record_holds_is_compared_as_the_org_saves(evaluated, case):
    name, sent, held, is_equal, _ = case
    field = FIELDS[name]
    lookup = text(held and "001") if field.lookup else None
    assert evaluated(is_held(field, text(sent), text(held), lookup)) is is_equal


def test_a_parent_without_a_key_is_no_null(evaluated):
    field = HeldField("Account.ERP_Id__c", "string", lookup="AccountId")
    assert evaluated(is_held(field, "'#N/A'", text(None), text(None))) is True
    assert evaluated(is_held(field, "'#N/A'", text(None), text("001"))) is False


@pytest.mark.parametrize("scale", [0, 1, 15, 17, 18])
def test_numbers_of_every_scale_are_compared(evaluated, scale):
    field = HeldField("F", "currency", scale)
    edge = "0." + "0" * scale + "6"
    one = "1" if scale == 0 else "0." + "0" * (scale - 1) + "1"
    assert evaluated(is_held(field, text("999999999999999999"), text("999999999999999999.0")))
    if scale < 18:
        assert evaluated(is_held(field, text(edge), text(one)))
    assert not evaluated(is_held(field, text(one), text("0")))


@pytest.mark.parametrize(
    ("field", "is_readable"),
    [
        (HeldField("F", "string"), True),
        (HeldField("F", "encryptedstring"), False),
        (HeldField("F", "base64"), False),
        (HeldField("F", "textarea", is_rich=True), False),
        (HeldField("Contact:Who.Ext__c", "string", lookup="WhoId"), False),
    ],
)
def test_what_cannot_be_read_as_written_is_not_compared(field, is_readable):
    assert field.is_readable is is_readable


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]!r}-{case[2]!r}")
def test_the_cheap_comparison_never_takes_for_equal_what_is_not(evaluated, case):
    name, sent, held, is_equal, _ = case
    field = FIELDS[name]
    lookup = text(held and "001") if field.lookup else None
    mine = plain(field, text(sent), sent=True)
    theirs = plain(field, text(held), sent=False, lookup=lookup)
    assert is_equal or not evaluated(f"{mine} IS NOT DISTINCT FROM {theirs}")


def test_the_cheap_comparison_sees_a_parent_without_a_key(evaluated):
    field = FIELDS[PARENT]
    theirs = plain(field, text(None), sent=False, lookup="'001'")
    assert evaluated(f"{theirs} IS NOT NULL AND {plain(field, literal('#N/A'), sent=True)} IS NULL")
