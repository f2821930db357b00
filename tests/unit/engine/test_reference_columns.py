"""Which records a field may look up, checked against the org's describes."""

from pathlib import Path

import pytest

from runner.engine.columns import plan_columns
from runner.job.load import check_job
from runner.job.model import Job
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.tables.field_types import FieldKind


def known(name, *fields):
    return ObjectDescribe(name, {each.name.lower(): each for each in fields})


def field(name, type_="string", **more):
    return FieldDescribe(name, type_, createable=True, updateable=True, **more)


OBJECTS = {
    "contact": known(
        "Contact",
        field("LastName"),
        field("AccountId", "reference", reference_to=("Account",), relationship_name="Account"),
        field("OwnerId", "reference", reference_to=("User",), relationship_name="Owner"),
        field("RecordTypeId", "reference", reference_to=("RecordType",)),
    ),
    "account": known(
        "Account",
        field("Id", "id"),
        field("Name"),
        field("Since__c", "date"),
        field("Code__c", case_sensitive=True),
        field("Description", "textarea", filterable=False),
    ),
    "user": known("User", field("Username")),
    "recordtype": known("RecordType", field("DeveloperName"), field("SobjectType")),
}


class Known(Describes):
    """The describes of an org that has a few objects."""

    def __init__(self):
        pass

    def of(self, sobject):
        return OBJECTS[sobject.lower()]


@pytest.fixture
def plan(tmp_path):
    def planned(fields, header=("company", "since")):
        Path(tmp_path, "a.csv").write_text(f"{','.join(header)}\n", encoding="utf-8")
        job_file = tmp_path / "job.yaml"
        job_file.write_text(
            "version: 1\nconnection: {environment: local}\ntasks:\n"
            f"- {{name: t, create: Contact, from: a.csv, fields: {{{fields}}}}}\n",
            encoding="utf-8",
        )
        job, problems = check_job(job_file)
        assert isinstance(job, Job), problems
        return plan_columns(job, job.tasks[0], header, Known())

    return planned


def test_keys_have_the_kinds_of_their_fields_and_only_the_first_is_sent(plan):
    planned, problems = plan(
        "AccountId: {lookup: account, by: [since__c, code__c], value: [since, company]}"
    )
    assert problems == ()
    assert [(each.field, each.kind) for each in planned.columns] == [("AccountId", FieldKind.DATE)]
    assert [each.expression for each in planned.staged] == ["since", "company"]
    (reference,) = planned.references
    keys = [(each.name, each.kind, each.tells_case) for each in reference.wanted.keys]
    assert keys == [("Since__c", FieldKind.DATE, False), ("Code__c", FieldKind.TEXT, True)]


def test_a_word_is_a_column_or_else_a_name(plan):
    words = "RecordTypeId: {record_type: Retail}, OwnerId: {owner: COMPANY}"
    planned, problems = plan(words)
    assert problems == ()
    assert [each.expression for each in planned.columns] == ["'Retail'", "COMPANY"]
    places = [[place.sobject for place in each.places] for each in planned.references]
    assert places == [["RecordType"], ["User"]]  # no queue owns a contact
    assert plan("OwnerId: {owner: ada@acme.example}")[0].columns[0].expression == (
        "'ada@acme.example'"
    )


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ("LastName: {lookup: Account, by: Name, value: since}", "org/not-a-reference", "LastName"),
        ("Account.Name: {lookup: Account, by: Name, value: since}", "org/unknown-field", "Account"),
        ("AccountId: {lookup: User, by: Username, value: since}", "org/not-a-parent", "User"),
        ("AccountId: {owner: since}", "org/not-a-parent", "since"),
        ("AccountId: {lookup: Account, by: Nam, value: since}", "org/unknown-field", "Nam"),
        ("AccountId: {lookup: Account, by: Id, value: since}", "org/not-a-key", "Id"),
        (
            "AccountId: {lookup: Account, by: [Name, Description], value: [since, company]}",
            "org/not-filterable",
            "Description",
        ),
        (
            "AccountId: {lookup: Account, by: Name, value: since, where: Nam = 'x'}",
            "org/unknown-field",
            "Nam = ",
        ),
    ],
)
def test_what_the_org_cannot_look_up_is_a_problem_at_its_place(plan, fields, code, at):
    _, problems = plan(fields)
    assert [each.code for each in problems] == [code]
    problem = problems[0]
    assert problem.help
    assert problem.line_text[problem.position.column - 1 :].startswith(at)
