"""Fields are checked against the org's describe before anything is sent, all at once."""

from pathlib import Path

import pytest

from runner.engine.columns import plan_columns
from runner.job.choices import Headers, UnknownColumns
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.model import Connection, Environment, FieldMapping, Job, Verb, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.tables.field_types import FieldKind


def field(name, type_="string", *, write=True, **more):
    return FieldDescribe(name, type_, createable=write, updateable=write, **more)


ACCOUNT = ObjectDescribe(
    "Account",
    {
        each.name.lower(): each
        for each in (
            field("Id", "id", write=False, id_lookup=True),
            field("Name"),
            field("ERP_Id__c", external_id=True),
            field("Since__c", "date"),
            field("CreatedDate", "datetime", write=False),
            FieldDescribe("Origin__c", "string", createable=True),
            field("ParentId", "reference", reference_to=("Account",), relationship_name="Parent"),
        )
    },
)


class Known(Describes):
    """The describes of an org that has one object."""

    def __init__(self):
        pass

    def of(self, sobject):
        assert sobject.lower() == "account"
        return ACCOUNT


def plan(verb, header=None, fields=None, key=None):
    task = WriteTask(
        name="t",
        verb=verb,
        sobject="Account",
        index=0,
        source=FileSource(Path("/a.csv"), FileShape(FileFormat.CSV)),
        key=key,
        fields=None if fields is None else tuple(FieldMapping(*pair) for pair in fields.items()),
    )
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (task,))
    return plan_columns(job, task, header, Known())


def codes(problems):
    return [problem.code for problem in problems]


def test_the_header_names_the_fields_in_any_letter_case():
    planned, problems = plan(Verb.CREATE, ["NAME", "since__C", "sf__Row"])
    assert problems == ()
    assert [(c.field, c.expression, c.kind) for c in planned.columns] == [
        ("Name", None, FieldKind.TEXT),
        ("Since__c", None, FieldKind.DATE),
    ]


def test_relationship_columns_bring_their_reference_field():
    planned, problems = plan(Verb.UPDATE, fields={"Id": "a", "parent.erp_id__c": "b"})
    assert problems == ()
    assert [c.field for c in planned.columns] == ["Id", "Parent.ERP_Id__c"]
    assert planned.lookups == {"Parent.ERP_Id__c": "ParentId"}


@pytest.mark.parametrize(
    ("verb", "fields", "key", "found"),
    [
        (Verb.CREATE, {"Nmae": "a"}, None, ["org/unknown-field"]),
        (Verb.CREATE, {"CreatedDate": "a"}, None, ["org/read-only-field"]),
        (Verb.CREATE, {"Name": "a", "NAME": "b"}, None, ["org/field-twice"]),
        (Verb.CREATE, {"ParentId": "a", "Parent.ERP_Id__c": "b"}, None, ["org/field-twice"]),
        (Verb.CREATE, {"Parent.Id": "a", "Parent.ERP_Id__c": "b"}, None, ["org/field-twice"]),
        (Verb.UPSERT, {"Name": "a"}, "Name", ["org/not-a-key"]),
        (Verb.UPSERT, {"Name": "a"}, "Id", ["job/no-key-column"]),
        (Verb.UPSERT, {"Name": "a"}, "ERP_Id__c", ["job/no-key-column"]),
        (Verb.UPDATE, {"Name": "a"}, None, ["job/no-key-column"]),
        (Verb.UPSERT, {"Nope__c": "a"}, "Nope__c", ["org/unknown-field", "org/not-a-key"]),
        (Verb.UPSERT, {"Nmae": "a", "CreatedDate": "b"}, "Nope__c", None),
    ],
)
def test_what_the_org_would_refuse_is_a_problem(verb, fields, key, found):
    problems = plan(verb, fields=fields, key=key)[1]
    if found is None:
        assert len(problems) == 4, "all at once"
    else:
        assert codes(problems) == found


def test_a_lookup_filled_in_two_ways_is_told_with_both():
    (problem,) = plan(Verb.CREATE, ["ParentId", "Parent.ERP_Id__c"])[1]
    assert problem.message == "ParentId is filled twice: by ParentId and by Parent.ERP_Id__c"


def test_an_expression_over_a_column_that_is_not_there_is_a_problem():
    problems = plan(Verb.CREATE, header=["company"], fields={"Name": "trim(compny)"})[1]
    assert codes(problems) == ["job/unknown-column"]
    assert "did you mean `company`?" in problems[0].help
    assert plan(Verb.CREATE, header=["company"], fields={"Name": "trim(COMPANY)"})[1] == ()
    assert plan(Verb.CREATE, header=["a"], fields={"Name": "'a constant'"})[1] == ()


def test_a_misspelt_field_gets_a_suggestion():
    (problem,) = plan(Verb.CREATE, fields={"Nmae": "a"})[1]
    assert "did you mean `Name`?" in problem.help


def test_a_delete_takes_the_id_alone_whatever_else_the_rows_hold():
    planned, problems = plan(Verb.DELETE, ["Id", "Name", "CreatedDate"])
    assert problems == ()
    assert [(c.field, c.required) for c in planned.columns] == [("Id", True)]


def test_rows_without_their_key_fail_alone():
    planned, _ = plan(Verb.UPSERT, ["ERP_Id__c", "Name"], key="erp_id__c")
    assert [(c.field, c.required) for c in planned.columns] == [
        ("ERP_Id__c", True),
        ("Name", False),
    ]
    assert planned.key == "ERP_Id__c"


LABELLED = ObjectDescribe(
    "Account",
    {
        each.name.lower(): each
        for each in (
            field("Id", "id", write=False, id_lookup=True, label="Account ID"),
            field("Name", label="Account Name"),
            field("Description", label="Account Description"),
            field("Text__c", label="Description"),
            field("ERP_Id__c", external_id=True, label="ERP Id"),
            field("Region__c", label="Region"),
            field("Shown_Region__c", write=False, label="Region"),
            field("Type", label="Type"),
            field("Type__c", label="Type"),
            field("A__c", label="Twice"),
            field("B__c", label="Twice"),
        )
    },
)


def plan_by_header(monkeypatch, header, verb=Verb.UPSERT, **task):
    monkeypatch.setitem(globals(), "ACCOUNT", LABELLED)
    written = WriteTask(
        name="t",
        verb=verb,
        sobject="Account",
        index=0,
        source=FileSource(Path("/a.csv"), FileShape(FileFormat.CSV)),
        key="ERP_Id__c" if verb is Verb.UPSERT else None,
        **task,
    )
    job = Job("j", Path("/job.yaml"), Connection(Environment.LOCAL), (written,))
    return plan_columns(job, written, header, Known())


def test_labels_name_their_fields_and_other_names_are_api_names(monkeypatch):
    header = ["account  NAME", "Description", "erp id", "Region", "Type", "A__c"]
    planned, problems = plan_by_header(monkeypatch, header, headers=Headers.LABELS)
    assert problems == ()
    assert [(each.field, each.expression) for each in planned.columns] == [
        ("Name", '"account  NAME"'),
        ("Text__c", '"Description"'),
        ("ERP_Id__c", '"erp id"'),
        ("Region__c", '"Region"'),
        ("Type", '"Type"'),
        ("A__c", None),
    ]


def test_a_delete_finds_the_id_by_its_label(monkeypatch):
    header = ["Account ID", "Twice", "Else"]
    planned, problems = plan_by_header(monkeypatch, header, Verb.DELETE, headers=Headers.LABELS)
    assert (problems, [each.field for each in planned.columns]) == ((), ["Id"])


def test_a_label_of_several_fields_is_refused_also_where_unknown_columns_are_not(monkeypatch):
    options = {"headers": Headers.LABELS, "unknown_columns": UnknownColumns.IGNORE}
    _, problems = plan_by_header(monkeypatch, ["ERP Id", "Twice", "Else"], **options)
    assert [each.message for each in problems] == [
        "'Twice' is the label of A__c and B__c of Account"
    ]


def test_unknown_columns_are_left_out_and_named(monkeypatch):
    ignore = {"unknown_columns": UnknownColumns.IGNORE}
    header = ["ERP_Id__c", "Name", "Foo", "Bar.Baz__c", "Account Name"]
    planned, problems = plan_by_header(monkeypatch, header, **ignore)
    assert (problems, [each.field for each in planned.columns]) == ((), ["ERP_Id__c", "Name"])
    assert planned.notes == ("not fields of Account, not sent: Foo, Bar.Baz__c, Account Name",)
    _, problems = plan_by_header(monkeypatch, header)
    assert codes(problems) == ["org/unknown-field"] * 3


def test_a_source_without_any_known_column_is_refused(monkeypatch):
    ignore = {"unknown_columns": UnknownColumns.IGNORE}
    _, problems = plan_by_header(monkeypatch, ["Foo", "Bar"], Verb.CREATE, **ignore)
    assert [each.message for each in problems] == ["no column of the source is a field of Account"]


def test_a_label_in_a_header_of_names_is_recognized(monkeypatch):
    _, problems = plan_by_header(monkeypatch, ["ERP_Id__c", "Account Name", "Twice", "Foo"])
    assert [each.help for each in problems] == [
        "It is the label of Name: add `headers: labels` to the task.",
        "It is the label of several fields: map the column with `fields`.",
        "Check its API name, including `__c`, and the field's permissions.",
    ]


def test_a_field_of_creation_is_not_a_matter_of_permission():
    _, (problem,) = plan(Verb.UPDATE, ["Id", "Origin__c"])
    assert (problem.code, problem.help) == (
        "org/read-only-field",
        "Remove it, or use an upsert, which sends it for new records only.",
    )
