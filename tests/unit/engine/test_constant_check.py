"""Constants that no record can hold, and creates that leave out what the org requires."""

from pathlib import Path

import pytest

from runner.diagnostics import Severity
from runner.engine.constant_check import constant_problems
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Connection, Environment, FieldMapping, Job, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe


def field(name, type_="string", **more):
    return FieldDescribe(name, type_, createable=True, updateable=True, **more)


CONTACT = ObjectDescribe(
    "Contact",
    {
        each.name.lower(): each
        for each in (
            field("Name", nillable=False),
            field("LastName", length=5, nillable=False, compound_field_name="Name"),
            field("Tier__c", "picklist", choices=("Gold", "Silver")),
            field("Tiers__c", "multipicklist", choices=("Gold", "Silver")),
            field("Since__c", "date"),
            field("At__c", "datetime"),
            field("Daily__c", "time"),
            field("Score__c", "double"),
            field("Vip__c", "boolean", nillable=False, defaulted_on_create=True),
            field(
                "AccountId",
                "reference",
                nillable=False,
                reference_to=("Contact",),
                relationship_name="Account",
            ),
        )
    },
)


class Known(Describes):
    """The describes of an org that has one object."""

    def __init__(self):
        pass

    def of(self, sobject):
        assert sobject == "Contact"
        return CONTACT


def found(fields, verb=Verb.UPDATE, **more):
    task = WriteTask(
        name="t",
        verb=verb,
        sobject="Contact",
        index=0,
        source=FileSource(Path("/a.csv"), FileShape(FileFormat.CSV)),
        fields=tuple(FieldMapping(*pair) for pair in fields.items()),
        **more,
    )
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,))
    return list(constant_problems(job, task, Known()))


@pytest.mark.parametrize(
    ("name", "constant", "message"),
    [
        ("Tier__c", "Glod", "'Glod' is not a value of the picklist Tier__c"),
        ("Tiers__c", "gold;Wood", "'Wood' is not a value of the picklist Tiers__c"),
        ("Since__c", "31.01.2026", "Since__c is of type date, and '31.01.2026' is not"),
        ("At__c", "today", "At__c is of type datetime, and 'today' is not"),
        ("Daily__c", "8 am", "Daily__c is of type time, and '8 am' is not"),
        ("Score__c", "1,5", "Score__c is of type double, and '1,5' is not"),
        ("Vip__c", "ja", "Vip__c is of type boolean, and 'ja' is not"),
        ("AccountId", "Acme", "AccountId is of type reference, and 'Acme' is not"),
        ("LastName", "Müller", "LastName takes 5 characters, and the text has 6"),
    ],
)
def test_a_constant_that_its_field_does_not_take_is_told(name, constant, message):
    (problem,) = found({name: f" '{constant}' "})
    assert (problem.code, problem.message) == ("org/wrong-value", message)
    assert problem.help
    assert problem.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("Tier__c", "'GOLD'"),
        ("Since__c", "'2026-01-31'"),
        ("Since__c", "'2026-01-31T00:00:00Z'"),
        ("Since__c", "''"),
        ("Since__c", "'#N/A'"),
        ("Since__c", "since"),
        ("At__c", "'2026-01-31 08:00'"),
        ("At__c", "'2026-01-31T08:00:00.000+0100'"),
        ("Daily__c", "'08:00:00.000Z'"),
        ("Score__c", "'-1.5e3'"),
        ("Vip__c", "'Yes'"),
        ("AccountId", "'001000000000001AAA'"),
        ("Account.LastName", "'Acme'"),
        ("LastName", "'Kim  '"),
        ("LastName", "lower('Müller')"),
    ],
)
def test_other_expressions_are_left_alone(name, expression):
    assert found({name: expression}) == []


def test_a_text_that_the_job_cuts_may_be_longer():
    assert found({"LastName": "'Müller'"}, truncate=True) == []


def test_a_create_that_leaves_out_a_required_field_is_warned_of():
    """Not an upsert, which may find every record; and a part of a name fills the name."""
    (problem,) = found({"lastname": "last"}, Verb.CREATE)
    assert (problem.code, problem.severity) == ("org/required-field", Severity.WARNING)
    assert problem.message == "AccountId of Contact is required, and the task does not fill it"
    assert problem.path == ("tasks", 0, "create")
    assert found({"LastName": "last", "Account.LastName": "no"}, Verb.CREATE) == []
    assert found({"LastName": "last"}, Verb.UPDATE) == []
    assert found({"Nope__c": "last"}, Verb.CREATE) == [], "this has a problem of its own"
