"""Names in queries are compared with describes; what only the org can judge is left to it."""

from pathlib import Path

import pytest

from runner.diagnostics import Position
from runner.engine.query_check import query_problems, scope_problems
from runner.errors import OrgError, TransientError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Connection, Environment, Job, QueryTask, Since, Verb, WriteTask
from runner.job.origin import Origin
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe


def made(name, *fields, children=(), **more):
    by_name = {each.name.lower(): each for each in fields}
    return ObjectDescribe(
        name,
        by_name,
        children={each.lower(): sobject for each, sobject in children},
        child_names=tuple(each for each, _ in children),
        **more,
    )


def plain(*names):
    return [FieldDescribe(name, "string") for name in names]


def reference(name, relationship, *to):
    return FieldDescribe(name, "reference", reference_to=to, relationship_name=relationship)


ORG = {
    each.name.lower(): each
    for each in (
        made(
            "Account",
            *plain("Id", "Name", "Industry", "BillingAddress"),
            FieldDescribe("Active__c", "boolean"),
            FieldDescribe("Employees", "int"),
            FieldDescribe("Since__c", "date"),
            FieldDescribe("CreatedDate", "datetime"),
            reference("ParentId", "Parent", "Account"),
            reference("OwnerId", "Owner", "Group", "User"),
            reference("HiddenId", "Hidden", "Hidden"),
            children=[("Contacts", "Contact"), ("Hiddens", "Hidden"), ("Histories", "History")],
        ),
        made("Contact", *plain("Id", "LastName"), reference("AccountId", "Account", "Account")),
        made("History", *plain("Subject"), queryable=False),
        made(
            "Stamped",
            *plain("Id", "Name"),
            FieldDescribe("SystemModstamp", "datetime"),
            FieldDescribe("Hidden__c", "datetime", filterable=False),
        ),
    )
}


class Known(Describes):
    """The describes of a small org."""

    def __init__(self):
        pass

    def of(self, sobject):
        if sobject == "Away":
            raise TransientError("try later")
        if sobject.lower() not in ORG:
            raise OrgError(f"no object {sobject}", status=404, hint="look")
        return ORG[sobject.lower()]


def problems(soql):
    task = QueryTask(name="q", verb=Verb.QUERY, sobject="", index=0, soql=soql)
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,))
    return query_problems(job, task, Known())


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, name, PARENT.Parent.Name FROM account",
        "SELECT a.Name, Account.Id FROM Account a WHERE a.Parent.Name != null ORDER BY a.Name",
        "SELECT Id, (SELECT LastName, Account.Name FROM Contacts WHERE Id != null) FROM Account",
        "SELECT Id, (SELECT Subject FROM Histories) FROM Account",
        "SELECT Owner.Name, Owner.Anything FROM Account",
        "SELECT Hidden.Name, (SELECT Id FROM Hiddens) FROM Account",
        "SELECT FIELDS(ALL) FROM Account LIMIT 200",
        "SELECT COUNT() FROM Account",
        "SELECT Name i, COUNT(Id) n FROM Account GROUP BY Name HAVING COUNT(Id) > 1 ORDER BY n",
        "SELECT toLabel(Industry), FORMAT(Name) FROM Account WHERE Name LIKE :pattern",
        "SELECT DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'km') FROM Account",
        "SELECT TYPEOF Owner WHEN User THEN Name END FROM Account",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Active__c = true AND Active__c != null AND Active__c = :yes",
        "SELECT Id FROM Account WHERE Employees IN (1, -2, 3.5) AND Since__c > LAST_N_DAYS:3",
        "SELECT Id FROM Account WHERE Since__c = 2026-01-31 AND CreatedDate = TODAY",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-01-31T00:00:00Z AND Name LIKE 'a\\'%'",
        "SELECT Id FROM Account WHERE CALENDAR_YEAR(CreatedDate) = 2026",
        "SELECT not a query",
    ],
)
def test_what_would_run_is_not_refused(soql):
    assert problems(soql) == []


@pytest.mark.parametrize(
    ("soql", "code", "message"),
    [
        ("SELECT Id FROM Acc", "org/unknown-object", "no object Acc"),
        ("SELECT Subject FROM History", "org/not-queryable", "History cannot be queried"),
        ("SELECT Nme FROM Account", "org/unknown-field", "Account has no field Nme"),
        ("SELECT toLabel(Nme) FROM Account", "org/unknown-field", "Account has no field Nme"),
        ("SELECT MAX(Nme) FROM Account", "org/unknown-field", "Account has no field Nme"),
        ("SELECT Parent.Nme FROM Account", "org/unknown-field", "Account has no field Nme"),
        ("SELECT Prent.Name FROM Account", "org/unknown-relationship", "relationship Prent"),
        ("SELECT Id FROM Account WHERE Nme = 1", "org/unknown-field", "field Nme"),
        ("SELECT Id FROM Account WHERE NOT (Id = 'a' AND Nme = 1)", "org/unknown-field", "Nme"),
        ("SELECT Id FROM Account ORDER BY Nme", "org/unknown-field", "field Nme"),
        ("SELECT COUNT(Id) FROM Account GROUP BY Nme", "org/unknown-field", "field Nme"),
        ("SELECT Id, (SELECT Id FROM Contcts) FROM Account", "org/unknown-relationship", "Contcts"),
        ("SELECT Id, (SELECT Nme FROM Contacts) FROM Account", "org/unknown-field", "Contact has"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Nme FROM Contact)",
            "org/unknown-field",
            "Contact has no field Nme",
        ),
        (
            "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contct)",
            "org/unknown-object",
            "no object Contct",
        ),
        ("SELECT Id FROM Account WHERE Active__c = 'yes'", "org/wrong-value", "'yes' is not"),
        ("SELECT Id FROM Account WHERE Parent.Active__c = 1", "org/wrong-value", "and 1 is not"),
        ("SELECT Id FROM Account WHERE Name = 5", "org/wrong-value", "type string, and 5"),
        ("SELECT Id FROM Account WHERE Employees IN (1, '2')", "org/wrong-value", "int, and '2'"),
        ("SELECT Id FROM Account WHERE Since__c = '2026-01-31'", "org/wrong-value", "type date"),
        (
            "SELECT Id FROM Account WHERE NOT CreatedDate > 2026-01-31",
            "org/wrong-value",
            "type datetime, and 2026-01-31 is not",
        ),
        (
            "SELECT TYPEOF Owner WHEN Contact THEN Nme END FROM Account",
            "org/unknown-field",
            "Contact",
        ),
        ("SELECT Id FROM Stamped WHERE Hidden__c = null", "org/not-filterable", "Hidden__c is of"),
        ("SELECT TYPEOF Ownr WHEN User THEN Name END FROM Account", "org/unknown-relationship", ""),
    ],
)
def test_a_name_that_the_org_lacks_is_found(soql, code, message):
    [found] = problems(soql)
    assert found.code == code
    assert message in found.message
    assert found.help


def test_a_close_name_is_suggested():
    assert problems("SELECT (SELECT Id FROM Contcts) FROM Account")[0].help == (
        "did you mean `Contacts`?"
    )


def test_a_name_used_twice_in_one_place_is_reported_once_per_use():
    assert len(problems("SELECT Nme FROM Account WHERE Nme = 1 ORDER BY Nme")) == 1


def test_an_org_that_cannot_be_asked_is_not_an_unknown_object():
    with pytest.raises(TransientError):
        problems("SELECT Id FROM Away")


@pytest.mark.parametrize(
    ("scope", "code", "at"),
    [
        ("Name != null AND Parent.Nme = 'x'", "org/unknown-field", "Parent.Nme"),
        ("Name != null AND (Active__c = 'yes')", "org/wrong-value", "'yes')"),
    ],
)
def test_a_scope_is_checked_at_its_place(scope, code, at):
    source = FileSource(Path("/a.csv"), FileShape(FileFormat.CSV))
    task = WriteTask(
        name="w", verb=Verb.UPDATE, sobject="Account", index=0, source=source, scope=scope
    )
    line = f"    scope: {scope}"
    here = Position(1, 12, 12 + len(scope))
    origin = Origin(Path("/job.yaml"), (line,), {("tasks", 0, "scope"): here})
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,), origin=origin)
    [found] = scope_problems(job, task, Known())
    assert found.code == code
    assert line[found.position.column - 1 :].startswith(at)


@pytest.mark.parametrize(
    ("field", "code", "said"),
    [
        ("Name", "org/since-field", "`Name` is of type string"),
        ("hidden__c", "org/since-field", "`Hidden__c` cannot be filtered by"),
        ("SystemModstmp", "org/unknown-field", "Stamped has no field `SystemModstmp`"),
    ],
)
def test_since_needs_a_datetime_that_can_be_filtered_by(field, code, said):
    task = QueryTask(
        name="t", verb=Verb.QUERY, sobject="Stamped", index=0,
        soql="SELECT FIELDS(ALL) FROM Stamped LIMIT 200", since=Since(field),
    )  # fmt: skip
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,))
    [found] = query_problems(job, task, Known())
    assert found.code == code
    assert said in found.message
    assert "SystemModstamp" in (found.help or "")
