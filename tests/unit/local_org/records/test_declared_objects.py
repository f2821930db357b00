"""Records of further objects of an org file: standard ones, events, custom metadata."""

import pytest

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.app import open_org
from runner.local_org.records import WriteCall, write
from runner.local_org.seeding import load_seeds
from runner.local_org.soql import prepare

DECLARED = {
    "version": 1,
    "objects": {
        "Solution": {"key_prefix": "501", "fields": {"SolutionName": {"type": "text"}}},
        "Shipment__c": {},
        "Low_Ink__e": {"fields": {"Serial__c": {"type": "text"}}},
        "Tax__mdt": {"fields": {"Rate__c": {"type": "number", "scale": 2}}},
    },
    "seed": {"Tax__mdt": "taxes.csv"},
}


@pytest.fixture
def org(tmp_path):
    (tmp_path / "taxes.csv").write_text("DeveloperName,MasterLabel,Rate__c\nDE,Germany,0.19\n")
    org = open_org(tmp_path / "org", DECLARED, None, tmp_path / "org.yaml")
    load_seeds(org)
    yield org
    org.store.close()


def _write(org, operation, sobject, **row):
    with org.store.writing() as conn:
        call = WriteCall(operation, org.catalog.sobject(sobject), [row], org.user)
        return write(org, conn, call)[0]


def _query(org, text, *, all_rows=False):
    prepared = prepare(org, text, user=org.user, version=60.0, all_rows=all_rows)
    with org.store.reading() as conn:
        return list(prepared.execute(conn))


def test_a_further_standard_object_is_written_and_queried(org):
    made = _write(org, "insert", "Solution", SolutionName="Restart")
    assert made.id.startswith("501")
    assert _write(org, "update", "Solution", Id=made.id, SolutionName="Wait").success
    assert [each["SolutionName"] for each in _query(org, "SELECT SolutionName FROM Solution")] == [
        "Wait"
    ]
    assert _write(org, "delete", "Solution", Id=made.id).success


def test_custom_metadata_comes_from_seeds_and_is_only_read(org):
    assert [each["Rate__c"] for each in _query(org, "SELECT Rate__c FROM Tax__mdt")] == [0.19]
    refused = _write(org, "insert", "Tax__mdt", DeveloperName="FR")
    assert refused.errors[0].code == "INVALID_TYPE_FOR_OPERATION"


def test_an_event_is_published_and_never_queried(org):
    assert _write(org, "insert", "Low_Ink__e", Serial__c="7").id.startswith("e00")
    with pytest.raises(ApiRefusal) as caught:
        _query(org, "SELECT Serial__c FROM Low_Ink__e")
    assert caught.value.errors[0].code == "INVALID_TYPE_FOR_OPERATION"


def test_a_task_is_about_a_record_of_a_custom_object(org):
    shipment = _write(org, "insert", "Shipment__c", Name="S-1")
    assert _write(org, "insert", "Task", Subject="Call", WhatId=shipment.id).success
    (found,) = _query(org, "SELECT (SELECT Subject FROM Tasks) FROM Shipment__c")
    assert found["Tasks"]["records"][0]["Subject"] == "Call"


def test_a_record_without_is_deleted_is_gone_for_query_all_too(org):
    role = _write(org, "insert", "UserRole", Name="CEO")
    assert _write(org, "delete", "UserRole", Id=role.id).success
    assert _query(org, "SELECT Id FROM UserRole", all_rows=True) == []
