"""Tasks that lock the same records or touch the same files are kept apart."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from runner.credentials import SecretReference
from runner.engine.task_conflicts import conflicts_of
from runner.errors import OrgError
from runner.job.choices import Concurrency
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseSource,
    DatabaseTarget,
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    FolderTarget,
    ListColumn,
    SqlSource,
    Table,
    TaskSource,
)
from runner.job.model import Connection, Environment, FieldMapping, Job, QueryTask, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe

CSV = FileShape(FileFormat.CSV)
HERE = Path("/data")


def described(name, *references, children=()):
    fields = [FieldDescribe("Name", "string", createable=True, updateable=True)]
    fields += [
        FieldDescribe(
            f"{relationship}Id",
            "reference",
            createable=True,
            updateable=True,
            reference_to=parents,
            relationship_name=relationship,
        )
        for relationship, *parents in references
    ]
    fields.append(FieldDescribe("Key__c", "string", createable=True, external_id=True))
    return ObjectDescribe(
        name,
        {each.name.lower(): each for each in fields},
        children={each.lower(): each for each in children},
    )


ORG = {
    "account": described(
        "Account", ("Parent", "Account"), ("Owner", "User"), children=("Contact", "Opportunity")
    ),
    "contact": described("Contact", ("Account", "Account"), ("Owner", "User")),
    "opportunity": described("Opportunity", ("Account", "Account"), ("Owner", "User")),
    "lead": described("Lead", ("Owner", "Group", "User")),
    "product2": described("Product2"),
}


class Known(Describes):
    """The describes of an org with a few objects."""

    def __init__(self):
        pass

    def of(self, sobject):
        if sobject.lower() not in ORG:
            raise OrgError(f"The org has no object {sobject}", status=404)
        return ORG[sobject.lower()]


def write(sobject, *fields, verb=Verb.CREATE, source=None, **more):
    return WriteTask(
        name="w",
        verb=verb,
        sobject=sobject,
        index=0,
        source=source or TaskSource("q"),
        fields=tuple(FieldMapping(each, "'x'") for each in fields) or None,
        **more,
    )


def query(*targets, **more):
    target = targets[0] if targets else None
    return QueryTask(
        name="q", verb=Verb.QUERY, sobject="Account", index=0, soql="", target=target, **more
    )


def meet(one, other):
    """Whether two tasks are kept apart; the same either way."""
    one, other = replace(one, name="one"), replace(other, name="other", index=1)
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (one, other))
    context = SimpleNamespace(job=job, describes=Known())
    conflict = conflicts_of((one, other), context)
    assert conflict(one, other) == conflict(other, one)
    return conflict(one, other)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (write("Lead", "Name"), write("lead", "Name"), True),
        (write("Lead", "Name"), write("Product2", "Name"), False),
        (write("Account", "Name"), write("Contact", "AccountId"), True),
        (write("Account", "Name"), write("Contact", "Account.Key__c"), True),
        (write("Account", "Name"), write("Contact", "Name"), False),
        (write("Contact", "AccountId"), write("Opportunity", "Account.Key__c"), True),
        (write("Contact", "AccountId"), write("Opportunity", "Name"), False),
        (write("Lead", "OwnerId"), write("Account", "OwnerId"), False),
        # Which columns another task's rows have is known only when they are there.
        (write("Contact"), write("Opportunity"), True),
        (write("Lead"), write("Contact"), False),
        # A delete takes the children along, and locks the parents.
        (write("Account", verb=Verb.DELETE), write("Opportunity", "Name"), True),
        (write("Contact", verb=Verb.DELETE), write("Account", "Name"), True),
        (write("Account", verb=Verb.DELETE), write("Lead", "Name"), False),
        (write("Lead", "Name", concurrency=Concurrency.SERIAL), write("Product2", "Name"), True),
        (write("Lead", "Name", concurrency=Concurrency.SERIAL), query(), False),
        (write("Nothing", "Name"), write("Lead", "Name"), False),
        (write("Account", "Name"), query(), False),
        (query(), query(), False),
    ],
)
def test_writes_that_lock_the_same_records_are_kept_apart(one, other, apart):
    assert meet(one, other) is apart


FILE = FileTarget(HERE / "a.csv", CSV)
DATABASE = DatabaseTarget(SecretReference(env="DB"), "a")


def read(path, **more):
    return write("Lead", "Name", source=FileSource(Path(path), CSV, **more))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (query(FILE), read("/data/a.csv"), True),
        (query(FILE), read("/data/b.csv"), False),
        (query(FILE), read("/data/*.csv"), True),
        (query(FILE), read("/other/*.csv"), False),
        (query(FILE), query(FILE), True),
        (query(FolderTarget(HERE, CSV)), read("/data/year=2026/a.csv"), True),
        (query(FILE), query(files=HERE), True),
        (query(FILE), write("Lead", "Name", results=HERE), True),
        (query(FILE), write("Lead", "Name", results=Path("/results")), False),
        (read("/data/a.csv"), query(), False),
        (
            query(FILE),
            query(lists=(ListColumn("ids", FileSource(HERE / "a.csv", CSV), "Id"),)),
            True,
        ),
        (
            query(FILE),
            write(
                "Lead",
                "Name",
                source=SqlSource("", (Table("t", FileSource(HERE / "a.csv", CSV)),)),
            ),
            True,
        ),
        (query(DATABASE), query(DatabaseTarget(SecretReference(env="DB"), "b")), True),
        (query(DATABASE), query(DatabaseTarget(SecretReference(env="DB2"), "a")), False),
        (
            query(DATABASE),
            write("Lead", "Name", source=DatabaseSource(SecretReference(env="DB"), "")),
            True,
        ),
        (
            query(FileTarget(Path("x"), CSV, url="s3://b/x")),
            read("x", url="s3://b/x"),
            True,
        ),
        (query(FileTarget(STANDARD_STREAM, CSV)), read(STANDARD_STREAM), False),
    ],
)
def test_tasks_that_touch_the_same_places_are_kept_apart(one, other, apart):
    assert meet(one, other) is apart
