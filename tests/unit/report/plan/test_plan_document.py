import json

from jsonschema import Draft202012Validator

from runner.job.schema.files import schema_of
from runner.report.plan.document import plan_document
from runner.report.plan.masking import masked


def test_the_document_is_of_its_schema(plan):
    schema = schema_of("plan")
    Draft202012Validator.check_schema(schema)
    for each in (plan, masked(plan, ["Phone"])):
        Draft202012Validator(schema).validate(json.loads(json.dumps(plan_document(each))))


def test_it_has_every_count_and_the_values_before_and_after(plan):
    document = plan_document(plan)
    assert document["has_changes"] is True
    assert document["counts"]["delete"] == 31
    task = document["tasks"][0]
    assert task["fields"][0] == {"field": "Phone", "records": 312, "emptied": 14}
    assert (task["rows"][1]["cells"][0]["before"], task["rows"][1]["cells"][0]["after"]) == (
        "030 1",
        "030 2",
    )
