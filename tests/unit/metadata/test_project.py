"""Files of a project become objects with their parts; what is wrong has its position."""

import pytest

from runner.errors import JobError, UsageError
from runner.metadata.project import read_project
from tests.dx_project import HEAD, NAMESPACE, document

INVOICE = document(
    "CustomObject",
    label="Invoice",
    fields=[{"fullName": "Amount__c", "type": "Currency"}, {"fullName": "At__c", "type": "Date"}],
    recordTypes={"fullName": "Big", "active": "true"},
    validationRules={"fullName": "Named", "active": "true"},
)


def parts_of(found):
    return {
        each.name: (
            sorted(field.name for field in each.fields.values()),
            sorted(kind.name for kind in each.record_types.values()),
            sorted(rule.name for rule in each.rules.values()),
        )
        for each in found.objects.values()
    }


def test_both_layouts_have_the_same_objects(project, tmp_path):
    project.object("Invoice__c", label="Invoice")
    project.field("Invoice__c", "Amount__c", "Currency")
    project.field("Invoice__c", "At__c", "Date")
    project.record_type("Invoice__c", "Big")
    project.rule("Invoice__c", "Named", "ISBLANK(Name)")
    project.value_set("Tiers", "Gold")
    project.value_set("LeadSource", "Web", kind="Standard")
    found = read_project(tmp_path)
    assert parts_of(found) == {"Invoice__c": (["Amount__c", "At__c"], ["Big"], ["Named"])}
    assert [*found.value_sets] == ["tiers"]
    assert [*found.standard_value_sets] == ["leadsource"]
    assert found.api_version == "62.0"

    src = tmp_path / "src"
    (src / "objects").mkdir(parents=True)
    (src / "package.xml").write_text(document("Package"))
    (src / "objects/Invoice__c.object").write_text(INVOICE)
    assert parts_of(read_project(src)) == parts_of(found)


def test_package_directories_add_up_and_others_are_not_read(project, tmp_path):
    project.field("Account", "One__c", "Date")
    project.write(
        "../../../sfdx-project.json",
        '{"packageDirectories": [{"path": "force-app"}, {"path": "b"}]}',
    )
    for name in ("b", "c"):
        file = tmp_path / name / f"objects/Account/fields/{name.upper()}__c.field-meta.xml"
        file.parent.mkdir(parents=True)
        file.write_text(document("CustomField", fullName=f"{name.upper()}__c", type="Date"))
    found = read_project(tmp_path)
    assert [field.name for field in found.object("account").fields.values()] == ["One__c", "B__c"]


def test_custom_fields_of_activities_are_those_of_tasks_and_events(project, tmp_path):
    project.field("Activity", "Plan__c", "Date")
    assert [*read_project(tmp_path).objects] == ["event", "task"]


def test_tokens_of_cumulusci_stand_for_no_namespace(project, tmp_path):
    project.field("Account", "%%%NAMESPACE%%%A__c", "Date")
    assert [*read_project(tmp_path).object("Account").fields] == ["a__c"]


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'


@pytest.mark.parametrize(
    ("text", "at", "code", "message"),
    [
        (
            f"{HEAD}<CustomField>\n<type>Text</typ>\n</CustomField>",
            (3, 13),
            "not-xml",
            "mismatched tag",
        ),
        (f"{HEAD}", (2, 1), "not-xml", "no element found"),
        ("not XML at all", (1, 1), "not-xml", "syntax error"),
        (
            f"{HEAD}{BOMB}<CustomField><type>&c;</type></CustomField>",
            (2, 13),
            "document-type",
            "entities",
        ),
        (
            f"{HEAD}<CustomField><type>&x;</type></CustomField>",
            (2, 20),
            "not-xml",
            "undefined entity",
        ),
        (f"{HEAD}{'<a>' * 60}", (2, 151), "not-xml", "more than 50 elements"),
        ('<?xml version="1.0" encoding="foo"?><a/>', (1, 1), "not-xml", "unknown encoding"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', (1, 1), "not-xml", "multi-byte"),
        (f'{HEAD}<Flow xmlns="{NAMESPACE}"/>', (2, 1), "unknown-type", "the root element is Flow"),
    ],
)
def test_a_file_that_is_no_metadata(project, tmp_path, text, at, code, message):
    file = project.write("objects/Account/fields/X__c.field-meta.xml", text)
    with pytest.raises(JobError) as raised:
        read_project(tmp_path)
    (found,) = raised.value.diagnostics
    assert (found.code, found.file) == (f"metadata/{code}", file)
    assert (found.position.line, found.position.column) == at
    assert message in found.message


def test_what_is_declared_twice_is_told_with_both_places(project, tmp_path):
    project.field("Account", "X__c", "Date")
    second = project.write(
        "other/objects/account/fields/x.field-meta.xml",
        document("CustomField", fullName="x__C", type="Date"),
    )
    project.object("Bill__c", label="Bill")
    project.write(
        "other/objects/Bill__c/Bill__c.object-meta.xml", document("CustomObject", label="Bill")
    )
    project.object("Lead", label="Lead")
    project.write("other/objects/Lead/Lead.object-meta.xml", document("CustomObject", label="Lead"))
    with pytest.raises(JobError) as raised:
        read_project(tmp_path)
    one, two = raised.value.diagnostics
    assert (one.code, two.code) == ("metadata/duplicate",) * 2
    assert "Bill__c is declared twice" in one.message
    assert two.file == second
    assert "fields/X__c.field-meta.xml:2:1" in two.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must have an object"),
        ("{}", "must list folders"),
        ('{"packageDirectories": [{"path": "gone"}]}', "gone does not exist"),
        ('{"packageDirectories": [{"path": ".."}]}', "outside the project"),
    ],
)
def test_a_wrong_file_of_the_project(project, tmp_path, text, message):
    project.write("../../../sfdx-project.json", text)
    with pytest.raises(JobError) as raised:
        read_project(tmp_path)
    assert message in raised.value.diagnostics[0].message
    assert raised.value.diagnostics[0].code == "metadata/project"


def test_a_folder_without_metadata_and_none_at_all(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/.sfdx").mkdir()
    (tmp_path / "there/.sfdx/Account.object").write_text(INVOICE)
    for name, message in (("there", "no object, field or value set"), ("gone", "does not exist")):
        with pytest.raises(UsageError, match=message):
            read_project(tmp_path / name)
