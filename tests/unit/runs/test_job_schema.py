"""The job schema of an org: what it takes and refuses, as any validator of JSON Schema reads it."""

import json

import pytest
from jsonschema import Draft202012Validator

from runner.runs.job_schema import job_schema
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.salesforce.org_lock import OrgLock


def described(name, *fields, **more):
    own = (FieldDescribe("Id", "id", id_lookup=True), *fields)
    flags = {"createable": True, "updateable": True, "deletable": True} | more
    return ObjectDescribe(name, {each.name.lower(): each for each in own}, **flags)


def field(name, kind="string", **more):
    return FieldDescribe(name, kind, createable=True, updateable=True, **more)


ACCOUNT = described(
    "Account",
    field("Name"),
    field("A__c", "picklist", choices=("Größe", "It's", "a.b")),
    field("Free__c", "picklist", values=("x",)),
    field("Many__c", "multipicklist", choices=("A", "B")),
    field("Key__c", external_id=True),
    field("ParentId", "reference", reference_to=("Account",), relationship_name="Parent"),
    field("Other__c", "reference", reference_to=("Gone__c",), relationship_name="Other__r"),
    field("WhoId", "reference", reference_to=("Account", "Gone__c"), relationship_name="Who"),
    FieldDescribe("Sum__c", "double", calculated=True),
    mergeable=True,
)
LOCK = OrgLock.of("00D000000000001AAA", "66.0", {"Account": ACCOUNT, "User": described("User")})


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(job_schema(LOCK))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def takes(validator, verb="upsert", **task):
    known = {"name": "one", verb: "Account", "from": "a.csv"}
    known |= {"upsert": {"key": "Key__c"}, "mirror": {"key": "Key__c", "scope": "x = 1"}}.get(
        verb, {}
    )
    connection = {"environment": "local"}
    job = {"version": 1, "name": "j", "connection": connection, "tasks": [known | task]}
    return validator.is_valid(job)


@pytest.mark.parametrize(
    "fields",
    [
        {"Name": "x", "name": "y", "Id": "z"},
        {"A__c": "'größe'"},
        {"A__c": " 'It''s' "},
        {"a__C": "''"},
        {"A__c": "'a.b'"},
        {"A__c": "concat('a', 'b')"},
        {"A__c": "'x' || 'y'"},
        {"Free__c": "'anything'"},
        {"Many__c": "'b;A'"},
        {"Parent.Key__c": "x", "PARENT.id": "y", "Account:Parent.Key__c": "z"},
        {"Other__r.Anything": "x", "Account:Who.Key__c": "x", "Gone__c:Who.Any__c": "y"},
        {"ParentId": {"lookup": "Account", "by": "Name", "value": "x"}},
        {"ParentId": {"lookup": "user", "by": ["ID", "Id"], "value": ["x", "y"]}},
        {"Name": {"record_type": "x"}, "Free__c": {"owner": "x"}, "Key__c": {"file": "x"}},
    ],
)  # fmt: skip
def test_fields_of_the_object_are_taken(validator, fields):
    assert takes(validator, fields=fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"Nam": "x"},
        {"Sum__c": "x"},
        {"A__c": "'Groesse'"},
        {"A__c": "'axb'"},
        {"Many__c": "'A;C'"},
        {"Parent.Name": "x"},
        {"Parents.Key__c": "x"},
        {"User:Parent.Key__c": "x"},
        {"ParentId": {"lookup": "Gone__c", "by": "Name", "value": "x"}},
        {"ParentId": {"lookup": "Account", "by": "Nam", "value": "x"}},
        {"ParentId": {"lookup": "Account", "by": ["Name", "Nam"], "value": ["x", "y"]}},
        {"Name": 5},
    ],
)  # fmt: skip
def test_what_the_object_lacks_is_refused(validator, fields):
    assert not takes(validator, fields=fields)
    assert takes(validator, fields={"Name": "x"})


@pytest.mark.parametrize(
    ("verb", "task", "expected"),
    [
        ("create", {"create": "Gone__c"}, False),
        ("create", {"create": "ACCOUNT", "fields": {"Nam": "x"}}, False),
        ("create", {"create": "{o}", "for_each": {"o": ["A"]}, "fields": {"B": "x"}}, True),
        ("upsert", {"key": "Name"}, False),
        ("upsert", {"key": "key__C"}, True),
        ("upsert", {"key": "{object}_Key__c"}, True),
        ("upsert", {"on_create": ["a column", "Name"]}, True),
        ("update", {"key": "Name"}, False),
        ("delete", {"key": "Name"}, False),
        ("delete", {"fields": {"Id": "x", "Anything": "y"}}, True),
        ("delete", {"delete": "Gone__c", "enabled": False, "fields": {"B": "x"}}, True),
        ("delete", {"delete": "Gone__c", "enabled": {"targets": ["prod"]}}, True),
        ("delete", {"delete": "Gone__c", "enabled": True}, False),
        ("mirror", {"owner_field": "NAME", "missing": {"set": {"name": None}}}, True),
        ("mirror", {"owner_field": "Nam"}, False),
        ("merge", {"master": "a", "losers": "b", "fill": ["NAME"]}, True),
        ("merge", {"master": "a", "losers": "b", "fill": ["Nam"]}, False),
    ],
)  # fmt: skip
def test_other_names_in_a_task(validator, verb, task, expected):
    assert takes(validator, verb, **task) is expected


def test_every_definition_is_written_on_lines_that_diffs_can_show():
    lines = job_schema(LOCK).splitlines()
    (line,) = [each for each in lines if '"title": "Sum__c"' in each and "doNotSuggest" in each]
    assert line.strip().startswith('"Sum__c": {')
    assert "Number; calculated; read only." in line
