import csv
import itertools
from pathlib import Path

import pytest

FIELD_MEMBERS = 57


def test_the_global_describe_lists_every_object_with_its_urls(rest):
    answer = rest.get("/sobjects").json()
    assert (answer["encoding"], answer["maxBatchSize"]) == ("UTF-8", 200)
    by_name = {each["name"]: each for each in answer["sobjects"]}
    assert {"Account", "Contact", "User", "Invoice__c"} <= set(by_name)
    assert by_name["Account"]["keyPrefix"] == "001"
    assert by_name["Invoice__c"]["custom"] is True
    assert by_name["Account"]["urls"]["rowTemplate"] == (
        "/services/data/v60.0/sobjects/Account/{ID}"
    )


def test_every_field_has_every_member(rest):
    for name in ("Account", "User", "Invoice__c"):
        described = rest.get(f"/sobjects/{name}/describe").json()
        assert {len(field) for field in described["fields"]} == {FIELD_MEMBERS}


def test_a_field_tells_what_a_loader_needs(rest):
    fields = {
        field["name"]: field for field in rest.get("/sobjects/Account/describe").json()["fields"]
    }
    name, key, parent = fields["Name"], fields["Ext__c"], fields["ParentId"]
    assert (name["nillable"], name["createable"], name["byteLength"]) == (False, True, 765)
    assert (key["externalId"], key["unique"], key["idLookup"]) == (True, True, True)
    assert (parent["referenceTo"], parent["relationshipName"]) == (["Account"], "Parent")
    assert fields["Industry"]["picklistValues"][0] == {
        "active": True,
        "defaultValue": False,
        "label": "Agriculture",
        "validFor": None,
        "value": "Agriculture",
    }


def test_children_and_record_types_are_listed(rest):
    described = rest.get("/sobjects/Account/describe").json()
    children = {
        (each["childSObject"], each["field"]): each for each in described["childRelationships"]
    }
    assert children["Contact", "AccountId"]["relationshipName"] == "Contacts"
    assert children["Invoice__c", "Account__c"]["cascadeDelete"] is True
    (master,) = described["recordTypeInfos"]
    assert (master["recordTypeId"], master["master"]) == ("012000000000000AAA", True)


def test_the_short_form_has_the_summary_and_recent_items(rest):
    answer = rest.get("/sobjects/Account").json()
    assert answer["objectDescribe"]["name"] == "Account"
    assert answer["recentItems"] == []


def test_who_has_it_already_is_told_so(rest):
    for path in ("/sobjects", "/sobjects/Account/describe"):
        modified = rest.get(path).headers["Last-Modified"]
        again = rest.get(path, headers={"If-Modified-Since": modified})
        assert (again.status_code, again.content) == (304, b"")
        older = {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
        assert rest.get(path, headers=older).status_code == 200


def test_an_unknown_object_is_not_found(rest):
    assert rest.get("/sobjects/Nope/describe").status_code == 404


RECORDED = Path(__file__).with_name("recorded_describes.csv")
"""Members of describe recorded from real orgs, as in CumulusCI's tests (API 48.0 to 59.0)."""
TEMPLATES = {"describe", "layouts", "compactLayouts", "quickActions", "rowTemplate", "sobject"}
PAGES = {"uiDetailTemplate", "uiEditTemplate", "uiNewRecord"}


def test_fields_are_described_as_recorded(rest):
    with RECORDED.open(encoding="utf-8", newline="") as file:
        recorded = list(csv.DictReader(file))
    for sobject, rows in itertools.groupby(recorded, lambda row: row.pop("object")):
        described = rest.get(f"/sobjects/{sobject}/describe").json()["fields"]
        ours = {field["name"]: field for field in described}
        for row in rows:
            name = row.pop("field")
            shown = {member: ours[name][member] for member in row}
            assert {m: "" if v is None else str(v) for m, v in shown.items()} == row, name


@pytest.mark.parametrize(
    ("sobject", "more"),
    [
        ("Contact", {"approvalLayouts", "listviews"}),
        (
            "Case",
            {
                "approvalLayouts",
                "listviews",
                "caseArticleSuggestions",
                "caseRowArticleSuggestions",
            },
        ),
        ("Event", {"eventSeriesUpdates"}),
        ("OpportunityContactRole", set()),
        ("Invoice__c", {"approvalLayouts"}),
    ],
)
def test_objects_have_the_recorded_urls(rest, sobject, more):
    urls = rest.get(f"/sobjects/{sobject}/describe").json()["urls"]
    assert set(urls) == TEMPLATES | PAGES | more
    assert urls["layouts"] == f"/services/data/v60.0/sobjects/{sobject}/describe/layouts"
    assert urls["uiDetailTemplate"] == f"{str(rest.client.base_url).rstrip('/')}/{{ID}}"
    summary = rest.get(f"/sobjects/{sobject}").json()["objectDescribe"]["urls"]
    assert set(summary) == TEMPLATES | more


def test_labels_of_picklist_values_are_the_recorded_ones(rest):
    answer = rest.get("/sobjects/Account/describe").json()["fields"]
    (status,) = [field for field in answer if field["name"] == "CleanStatus"]
    labels = {each["value"]: each["label"] for each in status["picklistValues"]}
    assert (labels["Matched"], labels["Inactive"]) == ("In Sync", "Inactive")


@pytest.mark.parametrize(
    ("name", "queryable", "field"),
    [
        ("EntityDefinition", True, "QualifiedApiName"),
        ("UserPermissionAccess", True, "PermissionsBulkApiHardDelete"),
        ("OpenActivity", False, "Subject"),
    ],
)
def test_objects_without_records_of_their_own_are_described(rest, name, queryable, field):
    described = rest.get(f"/sobjects/{name}/describe").json()
    assert (described["name"], described["queryable"]) == (name, queryable)
    assert not described["createable"]
    assert field in {each["name"] for each in described["fields"]}
    assert rest.get("/sobjects/NoSuchThing/describe").status_code == 404
