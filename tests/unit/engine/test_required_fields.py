"""Creates that leave out what the org requires."""

from pathlib import Path

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


def test_a_create_that_leaves_out_a_required_field_is_warned_of():
    """Not an upsert, which may find every record; and a part of a name fills the name."""
    (problem,) = found({"lastname": "last"}, Verb.CREATE)
    assert (problem.code, problem.severity) == ("org/required-field", Severity.WARNING)
    assert problem.message == "AccountId of Contact is required, and the task does not fill it"
    assert problem.path == ("tasks", 0, "create")
    assert found({"LastName": "last", "Account.LastName": "no"}, Verb.CREATE) == []
    assert found({"LastName": "last"}, Verb.UPDATE) == []
    assert found({"Nope__c": "last"}, Verb.CREATE) == [], "this has a problem of its own"
