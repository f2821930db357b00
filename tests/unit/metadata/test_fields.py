"""A field of the Metadata API is declared as the org file has it."""

import pytest

from runner.metadata.fields import Context, declared_field
from runner.metadata.project import read_project
from tests.dx_project import document

OWN = {
    "valueSetDefinition": {
        "sorted": "false",
        "value": [
            {"fullName": "Gold", "default": "true", "label": "G"},
            {"fullName": "Old", "default": "false", "isActive": "false"},
            {"fullName": "Silver", "default": "false"},
        ],
    }
}
CASES = [
    ("Text", {"length": 20}, {"type": "text", "length": 20}),
    (
        "Text",
        {
            "length": 9,
            "unique": "true",
            "caseSensitive": "true",
            "externalId": "true",
            "required": "true",
        },
        {
            "type": "text",
            "required": True,
            "length": 9,
            "unique": True,
            "case_sensitive": True,
            "external_id": True,
        },
    ),
    (
        "Text",
        {"length": 9, "defaultValue": '"new"'},
        {"type": "text", "length": 9, "default": "new"},
    ),
    ("Text", {"length": 9, "defaultValue": "TEXT(NOW())"}, {"type": "text", "length": 9}),
    ("TextArea", {}, {"type": "long_text", "length": 255}),
    ("LongTextArea", {"length": 5000, "visibleLines": 3}, {"type": "long_text", "length": 5000}),
    ("Html", {"length": 5000}, {"type": "rich_text", "length": 5000}),
    ("EncryptedText", {"length": 50, "maskChar": "X"}, {"type": "encrypted_text", "length": 50}),
    ("Number", {"precision": 8, "scale": 0}, {"type": "number", "precision": 8, "scale": 0}),
    (
        "Currency",
        {"precision": 16, "scale": 2, "defaultValue": "1.5"},
        {"type": "currency", "precision": 16, "scale": 2, "default": 1.5},
    ),
    ("Percent", {"precision": 5, "scale": 2}, {"type": "percent", "precision": 5, "scale": 2}),
    ("Date", {}, {"type": "date"}),
    ("DateTime", {}, {"type": "datetime"}),
    ("Time", {}, {"type": "time"}),
    ("Checkbox", {"defaultValue": "true"}, {"type": "checkbox", "default": True}),
    ("Checkbox", {"defaultValue": "false"}, {"type": "checkbox"}),
    ("Email", {"unique": "true"}, {"type": "email", "unique": True}),
    ("Phone", {}, {"type": "phone"}),
    ("Url", {}, {"type": "url"}),
    (
        "Picklist",
        {"valueSet": {"restricted": "true", **OWN}},
        {"type": "picklist", "values": ["Gold", "Silver"], "restricted": True, "default": "Gold"},
    ),
    (
        "MultiselectPicklist",
        {"valueSet": {"valueSetName": "Tiers"}},
        {"type": "multi_picklist", "values": ["A", "B"]},
    ),
    (
        "Picklist",
        {"picklist": {"picklistValues": [{"fullName": "Old way", "default": "false"}]}},
        {"type": "picklist", "values": ["Old way"]},
    ),
    ("Picklist", {"valueSet": {"valueSetName": "Gone"}}, {"type": "text"}),
    (
        "Lookup",
        {"referenceTo": "Account", "relationshipName": "Bills", "deleteConstraint": "Restrict"},
        {
            "type": "lookup",
            "to": "Account",
            "child_relationship": "Bills__r",
            "on_delete": "restrict",
        },
    ),
    (
        "Lookup",
        {"referenceTo": "Account", "deleteConstraint": "SetNull"},
        {"type": "lookup", "to": "Account"},
    ),
    (
        "MasterDetail",
        {"referenceTo": "Account", "relationshipName": "Bills", "reparentableMasterDetail": "true"},
        {
            "type": "master_detail",
            "to": "Account",
            "child_relationship": "Bills__r",
            "reparentable": True,
        },
    ),
    (
        "Hierarchy",
        {"relationshipName": "Juniors"},
        {"type": "lookup", "to": "User", "child_relationship": "Juniors__r"},
    ),
    ("MetadataRelationship", {"referenceTo": "Rule__mdt"}, {"type": "lookup", "to": "Rule__mdt"}),
    ("MetadataRelationship", {"referenceTo": "EntityDefinition"}, {"type": "text"}),
    (
        "AutoNumber",
        {"displayFormat": "A-{000}", "externalId": "true"},
        {"type": "auto_number", "external_id": True, "format": "A-{000}"},
    ),
    (
        "Location",
        {"scale": 4, "displayLocationInDecimal": "true"},
        {"type": "location", "scale": 4},
    ),
    (
        "Number",
        {"formula": "1 + 1", "precision": 18, "scale": 1, "required": "false"},
        {"type": "number", "access": "read_only", "precision": 18, "scale": 1},
    ),
    ("Checkbox", {"formula": "TRUE"}, {"type": "checkbox", "access": "read_only"}),
    ("Summary", {"summaryOperation": "count"}, {"type": "number", "access": "read_only"}),
    (
        "Summary",
        {"summaryOperation": "max", "summarizedField": "Bill__c.At__c"},
        {"type": "date", "access": "read_only"},
    ),
    ("ExternalLookup", {"referenceTo": "Bill__x"}, {"type": "text"}),
    ("Address", {}, None),
]


def made_of(project, folder, kind, values, name="X__c"):
    project.value_set("Tiers", "A", "B")
    project.field("Bill__c", name, kind, **values)
    found = read_project(folder)
    context = Context(
        found.value_sets, lambda path: {"type": "date"} if path == "Bill__c.At__c" else None
    )
    component = next(iter(found.object("Bill__c").fields.values()))
    return declared_field("Bill__c", component, context), context


@pytest.mark.parametrize(("kind", "values", "declared"), CASES)
def test_each_type_is_declared(project, tmp_path, kind, values, declared):
    made, context = made_of(project, tmp_path, kind, values)
    assert made == declared
    assert context.problems == []
    gone = values.get("valueSet", {}).get("valueSetName") == "Gone"
    assert context.without_values == (["Bill__c.X__c (Gone)"] if gone else [])
    is_like = gone or kind == "ExternalLookup" or values.get("referenceTo") == "EntityDefinition"
    assert context.approximate == (["Bill__c.X__c"] if is_like else [])


def test_labels_help_and_namespaces(project, tmp_path):
    values = {"label": "Ours", "inlineHelpText": "Say <why>", "referenceTo": "Account"}
    made, _ = made_of(
        project, tmp_path, "Lookup", {**values, "relationshipName": "Bills"}, "np__X__c"
    )
    assert made["label"] == "Ours"
    assert made["help"] == "Say <why>"
    assert made["child_relationship"] == "np__Bills__r"


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "hint"),
    [
        ("<type>Txt</type>", "unknown-type", 4, "no field type Txt", "`Text`"),
        ("<label>X</label>", "missing", 2, "X__c has no type", None),
        (
            "<type>Text</type><length>many</length>",
            "wrong-value",
            4,
            "'many', not a whole number",
            None,
        ),
        ("<type>Text</type><required>yes</required>", "wrong-value", 4, "not true or false", None),
        ("<type>Lookup</type>", "missing", 2, "has no referenceTo", None),
    ],
)
def test_what_is_wrong_with_a_field(project, tmp_path, text, code, line, message, hint):
    whole = document("CustomField", fullName="X__c").replace(
        "</CustomField>", f"{text}</CustomField>"
    )
    project.write("objects/Bill__c/fields/X__c.field-meta.xml", whole)
    found = read_project(tmp_path)
    context = Context(found.value_sets, lambda _: None)
    declared_field("Bill__c", found.object("Bill__c").fields["x__c"], context)
    (problem,) = context.problems
    assert problem.code == f"metadata/{code}"
    assert problem.position.line == line
    assert message in problem.message
    assert hint is None or hint in problem.help
