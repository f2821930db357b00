"""Formulas of validation rules become conditions, or are refused with what they use."""

import pytest

from runner.metadata.conditions import UnsupportedFormulaError
from runner.metadata.formula import alternatives

TYPES = {
    "name": "string",
    "amount__c": "currency",
    "share__c": "percent",
    "status__c": "picklist",
    "paid__c": "boolean",
    "account__c": "reference",
    "at__c": "date",
    "note__c": "textarea",
}


@pytest.mark.parametrize(
    ("formula", "conditions"),
    [
        ("ISBLANK(Name)", [{"Name": None}]),
        ("NOT(ISBLANK(Account__c))", [{"Account__c": {"not": None}}]),
        ("isblank ( At__c ) /* why */", [{"At__c": None}]),
        ("ISPICKVAL(Status__c, 'Paid')", [{"Status__c": "Paid"}]),
        ('ISPICKVAL(Status__c, "")', [{"Status__c": None}]),
        ("ISBLANK(TEXT(Status__c))", [{"Status__c": None}]),
        ('TEXT(Status__c) <> "Paid"', [{"Status__c": {"not": "Paid"}}]),
        ("Amount__c > 5 && Amount__c <= 10.5", [{"Amount__c": {"above": 5, "at_most": 10.5}}]),
        ("-5 > Amount__c", [{"Amount__c": {"below": -5}}]),
        ("Share__c >= 0.5", [{"Share__c": {"at_least": 50.0}}]),
        ("Amount__c = 0", [{"Amount__c": 0}]),
        ("Amount__c = NULL", [{"Amount__c": None}]),
        ("Paid__c", [{"Paid__c": True}]),
        ("!Paid__c", [{"Paid__c": False}]),
        ("NOT(Paid__c = FALSE)", [{"Paid__c": True}]),
        ("Name = 'a\\'b'", [{"Name": "a'b"}]),
        ("LEN(Name) = 3", [{"Name": {"longer": 2, "shorter": 4}}]),
        ("LEN(Note__c) <> 3", [{"Note__c": {"shorter": 3}}, {"Note__c": {"longer": 3}}]),
        (
            'AND(ISPICKVAL(Status__c, "Paid"), OR(ISBLANK(Amount__c), Paid__c = FALSE))',
            [{"Status__c": "Paid", "Amount__c": None}, {"Status__c": "Paid", "Paid__c": False}],
        ),
        ("NOT(ISBLANK(Name) || Paid__c)", [{"Name": {"not": None}, "Paid__c": False}]),
        (
            "Name != 'a' && Name != 'b' && NOT ISBLANK(Name)".replace("NOT ", "!"),
            [{"Name": {"not": ["a", "b", None]}}],
        ),
        ("Name = 'a' && Name <> 'b'", [{"Name": "a"}]),
        ("Name = 'a' && Name = 'b'", []),
        ("FALSE", []),
        ("TRUE", [{}]),
        (
            "IF(Paid__c, ISBLANK(At__c), FALSE)",
            [{"Paid__c": True, "At__c": None}],
        ),
    ],
)
def test_a_formula_becomes_conditions(formula, conditions):
    assert alternatives(formula, TYPES) == conditions


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("REGEX(Name, '[0-9]+')", "REGEX"),
        ("ISCHANGED(Name)", "ISCHANGED"),
        ("ISNEW() && ISBLANK(Name)", "ISNEW"),
        ("At__c < TODAY()", "At__c"),
        ("Amount__c + 1 > 5", "+"),
        ("ISBLANK(Account__r.Name)", "Account__r.Name"),
        ("$User.Alias = 'x'", "$User.Alias"),
        ("NOT(Amount__c > 5)", "a negated comparison with a number"),
        ("Amount__c <> 5", "a negated comparison with a number"),
        ("Name > 'a'", "Name"),
        ("ISNULL(Name)", "ISNULL of Name"),
        ("Amount__c > 5 && Amount__c > 7", "two comparisons of Amount__c"),
        ("ISBLANK(Name", "its end"),
        ("Name = ", "its end"),
        ("ISBLANK(Name))", ")"),
        ("Name # 'a'", "'#'"),
        ("", "its end"),
        ("'text'", "a value alone"),
        ("(" * 500, "too many parentheses"),
        ("(Name='a'||Name='b')&&(Paid__c||Note__c='a')", "Note__c"),
        ("&&".join(f"(ISBLANK(Name)||LEN(Name)={n})" for n in range(9)), "two comparisons"),
        (
            "&&".join(["(Paid__c||ISBLANK(Name)||ISBLANK(At__c)||ISBLANK(Amount__c))"] * 9),
            "alternatives",
        ),
    ],
)
def test_what_a_condition_cannot_say_is_refused_with_the_reason(formula, reason):
    with pytest.raises(UnsupportedFormulaError) as raised:
        alternatives(formula, TYPES)
    assert reason in str(raised.value)
