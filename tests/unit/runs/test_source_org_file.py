"""The metadata of a project becomes an org file, of standard objects only the differences."""

import pytest

from runner.errors import JobError
from runner.metadata.project import read_project
from runner.runs.source_catalog import catalog_of
from runner.runs.source_org_file import source_org
from runner.runs.source_rules import with_rules
from tests.dx_project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_custom_objects_are_declared_with_what_makes_them(project, tmp_path):
    name = {"type": "AutoNumber", "label": "Number", "displayFormat": "INV-{0000}"}
    project.object("Invoice__c", label="Bill", pluralLabel="Bills of sale", nameField=name)
    project.field("Invoice__c", "B__c", "MasterDetail", referenceTo="Lead", relationshipOrder=1)
    project.field("Invoice__c", "C__c", "MasterDetail", referenceTo="Account", relationshipOrder=0)
    project.field("Invoice__c", "A__c", "Date", label="A")
    project.record_type("Invoice__c", "Big_ones", label="Big ones", active="false")
    project.object("Rate__mdt", label="Rate", pluralLabel="Rates")
    project.field("Rate__mdt", "Of__c", "Percent", precision=5, scale=2)
    project.object("Low_Ink__e", label="Low Ink", pluralLabel="Low Ink")
    project.object("Set__c", label="Set", customSettingsType="Hierarchy")
    project.object("Log__b", label="Log")
    found = source_org(read_project(tmp_path))
    assert found.objects == {
        "Invoice__c": {
            "label": "Bill",
            "plural_label": "Bills of sale",
            "name_field": {"type": "auto_number", "label": "Number", "format": "INV-{0000}"},
            "fields": {
                "C__c": {"type": "master_detail", "to": "Account"},
                "B__c": {"type": "master_detail", "to": "Lead"},
                "A__c": {"type": "date"},
            },
            "record_types": {"Big_ones": {"active": False}},
        },
        "Low_Ink__e": {"plural_label": "Low Ink"},
        "Rate__mdt": {"fields": {"Of__c": {"type": "percent", "precision": 5, "scale": 2}}},
        "Set__c": {},
    }
    assert found.left_out == ("Log__b",)
    assert found.custom_settings == ("Set__c",)
    assert [*found.objects["Invoice__c"]["fields"]] == ["C__c", "B__c", "A__c"]
    made = catalog_of(found.objects, found.components).sobject("Invoice__c")
    assert made.field("C__c").master_detail_order == 0


def test_standard_objects_have_only_what_is_different(project, tmp_path):
    project.object("Account", label="Customer", enableHistory="true")
    project.field("Account", "Phone", "Phone", trackHistory="true")
    project.field("Account", "Industry", "Picklist", required="true")
    project.field("Account", "Strange", "Text", length=3)
    project.field("Account", "X__c", "Date")
    project.object("Unknown", label="Unknown")
    project.field("Solution", "SolutionName", "Text", length=80)
    project.field("Solution", "Mine__c", "Date")
    project.value_set("LeadStatus", "New", "Closed", kind="Standard")
    project.value_set("IdeaStatus", "New", kind="Standard")
    project.record_type("PersonAccount", "Person")
    found = source_org(read_project(tmp_path))
    assert found.objects == {
        "Account": {
            "fields": {"Industry": {"required": True}, "X__c": {"type": "date"}},
            "record_types": {"Person": {"person": True}},
        },
        "Lead": {"fields": {"Status": {"values": ["New", "Closed"]}}},
        "Solution": {
            "fields": {
                "Mine__c": {"type": "date"},
                "SolutionName": {"type": "text", "length": 80},
            }
        },
    }
    assert found.left_out == ("Account.Strange", "Unknown", "the standard value set IdeaStatus")
    assert catalog_of(found.objects, found.components).sobject("Account").field("IsPersonAccount")


def test_what_lookups_refer_to_and_is_not_there(project, tmp_path):
    project.object("Invoice__c", label="Invoice")
    for name, to in (("A__c", "Gone__c"), ("B__c", "Outside__x"), ("C__c", "Solution")):
        project.field("Invoice__c", name, "Lookup", referenceTo=to)
    project.field("np__Part__c", "D__c", "Date")
    found = source_org(read_project(tmp_path))
    assert [*found.objects["Invoice__c"]["fields"]] == ["A__c", "C__c"]
    assert (found.objects["Gone__c"], found.objects["Solution"]) == ({}, {"fields": {}})
    assert found.left_out == ("Invoice__c.B__c",)
    assert found.bare == ("Gone__c (Invoice__c.A__c)", "Solution (Invoice__c.C__c)", "np__Part__c")
    catalog_of(found.objects, found.components)


def test_a_roll_up_has_the_type_of_what_it_sums_up(project, tmp_path):
    sums = {"summaryOperation": "sum", "summaryForeignKey": "Invoice__c.Account__c"}
    project.field("Account", "Sum__c", "Summary", summarizedField="Invoice__c.Amount__c", **sums)
    project.field("Account", "Worth__c", "Summary", summarizedField="Opportunity.Amount", **sums)
    project.field("Invoice__c", "Amount__c", "Currency", precision=12, scale=3)
    project.field("Account", "Two__c", "Summary", summarizedField="Account.Sum__c", **sums)
    project.field("Account", "Lost__c", "Summary", summarizedField="Gone__c.A__c", **sums)
    project.field("Lead", "Round__c", "Summary", summarizedField="Lead.Round__c", **sums)
    found = source_org(read_project(tmp_path))
    made = found.objects["Account"]["fields"]
    assert made["Sum__c"] == {
        "type": "currency",
        "access": "read_only",
        "precision": 12,
        "scale": 3,
    }
    assert made["Worth__c"]["type"] == made["Two__c"]["type"] == "currency"
    assert made["Lost__c"] == {"type": "number", "access": "read_only"}
    assert found.approximate == ("Account.Lost__c", "Lead.Round__c")
    assert ("Account", "Sum__c") in found.calculated


def test_what_an_org_cannot_have_is_told_where_it_is_written(project, tmp_path):
    project.object("Invoice__c", label="Invoice")
    long = project.field("Invoice__c", "Long__c", "Text", length=300)
    for name in ("A__c", "B__c"):
        values = {"referenceTo": "Account", "relationshipName": "Invoices"}
        project.field("Invoice__c", name, "Lookup", **values)
    found = source_org(read_project(tmp_path))
    with pytest.raises(JobError) as raised:
        catalog_of(found.objects, found.components)
    problems = raised.value.diagnostics
    assert {each.code for each in problems} == {"metadata/impossible"}
    assert [each.file.name[:4] for each in problems] == ["A__c", "B__c", "Long"]
    assert problems[2].file == long
    assert "length: must be a whole number from 1 to 255" in problems[2].message
    assert problems[2].line_text == "<length>300</length>"
    assert "Invoices__r is already used by another field" in problems[0].message


def test_rules_that_the_local_org_can_check_are_declared(project, tmp_path):
    project.object("Invoice__c", label="Invoice")
    project.field("Invoice__c", "Amount__c", "Currency", precision=9, scale=2)
    project.field("Invoice__c", "Twice__c", "Currency", precision=9, scale=2, formula="1")
    project.rule("Invoice__c", "Full", "ISBLANK(amount__c)", errorDisplayField="amount__c")
    project.rule("Invoice__c", "Some", "OR(ISBLANK(Amount__c), Amount__c > 9)")
    project.rule("Invoice__c", "Off", "ISBLANK(Amount__c)", active="false")
    project.rule("Invoice__c", "Never", "FALSE")
    project.rule("Invoice__c", "Always", "TRUE")
    project.rule("Invoice__c", "Computed", "Twice__c > 1")
    read = read_project(tmp_path)
    found = source_org(read)
    catalog = catalog_of(found.objects, found.components)
    made = with_rules(read, found.objects, catalog, found.calculated)
    assert made.objects["Invoice__c"]["validation_rules"] == {
        "Full": {"when": {"Amount__c": None}, "message": "No.", "field": "Amount__c"},
        "Some": {"when": [{"Amount__c": None}, {"Amount__c": {"above": 9}}], "message": "No."},
    }
    assert made.left_out == ("Invoice__c.Always (TRUE)", "Invoice__c.Computed (Twice__c)")
    catalog_of(made.objects, made.components)

    file = project.rule("Invoice__c", "Mute", "ISBLANK(Amount__c)", errorMessage="")
    with pytest.raises(JobError) as raised:
        with_rules(read_project(tmp_path), found.objects, catalog, found.calculated)
    (problem,) = raised.value.diagnostics
    assert (problem.code, problem.file) == ("metadata/missing", file)


def test_what_an_org_file_cannot_have_is_told_where_it_is_written(project, tmp_path):
    bad = {"referenceTo": "Account", "relationshipName": "é"}
    field = project.field("Lead", "A__c", "Lookup", **bad)
    values = project.value_set("LeadStatus", "x" * 300, kind="Standard")
    found = source_org(read_project(tmp_path))
    with pytest.raises(JobError) as raised:
        catalog_of(found.objects, found.components)
    problems = raised.value.diagnostics
    assert [(each.code, each.file) for each in problems] == [
        ("metadata/impossible", field),
        ("metadata/impossible", values),
    ]
    assert problems[0].message.startswith("relationshipName: ")
    assert problems[0].line_text == "<relationshipName>é</relationshipName>"
