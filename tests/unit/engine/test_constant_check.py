"""Constants of a job are compared with what their fields can hold, by the rules of a run."""

from pathlib import Path

import pytest

from runner.engine.constant_check import constant_problems
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Connection, Environment, FieldMapping, Job, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe


def field(name, type_, **more):
    return FieldDescribe(name, type_, createable=True, updateable=True, **more)


ACCOUNT = ObjectDescribe(
    "Account",
    {
        each.name.lower(): each
        for each in (
            field("Name", "string", length=10),
            field("Rich__c", "textarea", length=10, html_formatted=True),
            field("Active__c", "boolean"),
            field("Employees", "int"),
            field("Revenue", "double"),
            field("Since__c", "date"),
            field("Last__c", "datetime"),
            field("Opens__c", "time"),
            field("Tier__c", "picklist", length=40, choices=("Gold", "Silver")),
            field("Tiers__c", "multipicklist", length=40, choices=("Gold", "Silver")),
            field("Open__c", "picklist", length=40, values=("A",)),
            field("ParentId", "reference", reference_to=("Account",), relationship_name="Parent"),
            field("ERP_Id__c", "string", length=4, external_id=True),
        )
    },
)


def problems(name, expression, **more):
    task = WriteTask(
        name="t",
        verb=Verb.UPDATE,
        sobject="Account",
        index=0,
        source=FileSource(Path("/a.csv"), FileShape(FileFormat.CSV)),
        fields=(FieldMapping(name, expression),),
        **more,
    )
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,))
    return list(constant_problems(job, task, Describes(lambda _: ACCOUNT)))


@pytest.mark.parametrize(
    ("name", "expression", "why"),
    [
        ("Active__c", "'maybe'", "'maybe' is not true or false (also 1/0, yes/no"),
        ("Active__c", "2", "'2' is not true or false"),
        ("Employees", "'many'", "'many' is not a whole number such as 42"),
        ("Employees", "1.5", "'1.5' is not a whole number such as 42"),
        ("Revenue", "'1,5'", "'1,5' is not a number such as 1234.56"),
        ("Revenue", "'1e30'", "'1e30' has more than 18 digits before the decimal point"),
        ("Since__c", "'2026-02-30'", "'2026-02-30' is not a date such as 2026-01-31"),
        ("Since__c", "now()", "is not a date such as 2026-01-31"),
        ("Last__c", "'tomorrow'", "'tomorrow' is not a date and time"),
        ("Opens__c", "'25:00'", "'25:00' is not a time such as 08:00:00"),
        ("ParentId", "'Acme'", "'Acme' is not a record Id of 15 or 18"),
        ("Name", "'longer than 10'", "data value too large: longer than 10 (max length=10)"),
        ("Name", "concat('longer', 'than 10')", "data value too large: longerthan 10"),
        ("Parent.ERP_Id__c", "'12345'", "data value too large: 12345 (max length=4)"),
        ("Name", "[1, 2]", "the expression gives a list (INTEGER[]), not one value"),
        ("Name", "('a', 'b')", "the expression gives a structure"),
        ("Since__c", "CAST('x' AS DATE)", "the expression fails for every row"),
        ("Tiers__c", "'gold;Wood'", "'Wood' is not a value of the picklist Tiers__c"),
        ("Name", "'Müller-Maier'", "data value too large: Müller-Maier (max length=10)"),
        ("Tier__c", "'Gould'", "'Gould' is not a value of the picklist Tier__c"),
    ],
)
def test_a_constant_that_its_field_cannot_hold(name, expression, why):
    (problem,) = problems(name, expression)
    assert problem.code == "org/wrong-value"
    assert why in problem.message
    assert problem.help


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("Active__c", "'Yes'"),
        ("Active__c", "true"),
        ("Active__c", "1 = 1"),
        ("Employees", "'42'"),
        ("Employees", "1e3"),
        ("Revenue", "-0.5"),
        ("Since__c", "'2024-02-29'"),
        ("Since__c", "current_date()"),
        ("Last__c", "'2026-01-31 08:00'"),
        ("Last__c", "now()"),
        ("Opens__c", "'08:00'"),
        ("ParentId", "'001000000000001AAA'"),
        ("ParentId", "NULL"),
        ("ParentId", "'#N/A'"),
        ("Tier__c", "'#N/A'"),
        ("Tier__c", "'silver'"),
        ("Open__c", "'Z'"),
        ("Name", "'tencharact'"),
        ("Name", "'tencharact    '"),
        ("Rich__c", "'<b>longer than ten</b>'"),
        ("Name", "uuid()"),
        ("Name", "a_column"),
        ("Active__c", "a_column || 'maybe'"),
        ("Nope__c", "'x'"),
    ],
)
def test_a_constant_that_its_field_can_hold(name, expression):
    assert problems(name, expression) == []


def test_a_text_that_is_cut_fits():
    assert problems("Name", "'longer than 10'", truncate=True) == []


def test_a_word_may_be_meant_as_a_column():
    (problem,) = problems("Employees", "'amount'")
    assert problem.help.endswith("write it without the single quotes: `amount`.")
