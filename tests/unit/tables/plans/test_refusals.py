"""What the org would certainly refuse, and what it may take, row by row."""

import pytest

from runner.tables.field_types import FieldKind
from runner.tables.plans.parents import ParentKeys
from runner.tables.plans.refusals import FieldRule, ParentRule, refusal
from runner.tables.staging.found_records import add_records
from runner.tables.staging.problems import BETWEEN_MEMBERS


def judged(staging, rule, *, is_new):
    """Code and message of each row's refusal; None where there is none."""
    (chunk,) = staging.chunks
    query = f"SELECT {refusal([rule], is_new=is_new)} FROM {chunk.sent_rows()} ORDER BY row"
    found = staging.database.connection.execute(query).fetchall()
    return [why and tuple(why.split(BETWEEN_MEMBERS)[::2]) for (why,) in found]


def staged(stage, *values, name="F"):
    lines = "".join(f"k{number},{value}\n" for number, value in enumerate(values))
    return stage(f"Key,{name}\n{lines}".encode())


MISSING = ("REQUIRED_FIELD_MISSING", "Required fields are missing: [F]")


@pytest.mark.parametrize(
    ("is_new", "expected"),
    [("true", [None, MISSING, MISSING]), ("false", [None, None, MISSING])],
)
def test_a_required_field_is_missing_on_create_and_must_not_be_emptied(stage, is_new, expected):
    rule = FieldRule("F", "F", "c1", on_create=True, not_null=True)
    assert judged(staged(stage, "a", "", "#N/A"), rule, is_new=is_new) == expected


def test_a_field_that_the_task_does_not_fill_is_missing_on_create_only(stage):
    staging = staged(stage, "a")
    assert judged(staging, FieldRule("F", on_create=True), is_new="true") == [MISSING]
    assert judged(staging, FieldRule("F", on_create=True), is_new="false") == [None]


def test_a_restricted_picklist_takes_its_values_in_any_case(stage):
    rule = FieldRule("F", "Tier", "c1", choices=("Gold", "Silber; 2"))
    found = judged(
        staged(stage, "gold", " Gold ", "Silber; 2", "#N/A", "", "Tin"), rule, is_new="true"
    )
    text = "Tier: bad value for restricted picklist field: Tin"
    assert found == [*[None] * 5, ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text)]


def test_of_several_values_each_must_be_one_of_the_picklist(stage):
    rule = FieldRule("F", "Many", "c1", choices=("A", "B"), is_multiple=True)
    found = judged(staged(stage, "A;b", "A;", "B;X"), rule, is_new="true")
    assert [bool(why) for why in found] == [False, False, True]


def test_a_number_with_more_digits_than_its_field_is_out_of_range(stage):
    rule = FieldRule("F", "Score", "c1", digits=3)
    values = ("999.99", "-999", "1000", "-1e3", "0001", "x", "#N/A", "")
    found = judged(staged(stage, *values), rule, is_new="true")
    assert [bool(why) for why in found] == [False, False, True, True, *[False] * 4]


def test_parents_that_neither_the_org_nor_the_plan_has_are_refused(stage, tmp_path):
    rule = ParentRule("Account", "ERP_Id__c")
    staging = staged(stage, "A1", "a2", "A3", "A4", "a4", "#N/A", "")
    keys = ParentKeys(staging, "c1", rule)
    assert keys.count == 4
    assert sorted(k.upper() for page in keys.pages_of_keys() for k in page) == [
        "A1", "A2", "A3", "A4",
    ]  # fmt: skip
    add_records(keys, [("001000000000001AAA", "a1"), ("001000000000002AAA", "other")])
    planned = tmp_path / "planned.csv"
    planned.write_text("id,key\n001PLAN00000001CAA,A2\n")
    keys.add_planned([planned])
    assert keys.count == 2
    found = judged(staging, FieldRule("Account.ERP_Id__c", "", "c1", parent=rule), is_new="true")
    assert [why and why[1] for why in found] == [
        None,
        None,
        *(
            f"Foreign key external ID: {key} not found for field ERP_Id__c in entity Account"
            for key in ("A3", "A4", "a4")
        ),
        None,
        None,
    ]


def test_a_parent_by_id_is_the_same_in_15_and_18_characters(stage):
    rule = ParentRule("Account", "Id", FieldKind.ID)
    ids = ("001LO0000000003YAA", "001LO0000000003", "001LO0000000004YAA", "001PLAN00000001CAA")
    staging = staged(stage, *ids)
    keys = ParentKeys(staging, "c1", rule)
    add_records(keys, [("001LO0000000003YAA",)])
    found = judged(staging, FieldRule("AccountId", "", "c1", parent=rule), is_new="true")
    assert [bool(why) for why in found] == [False, False, True, False]
