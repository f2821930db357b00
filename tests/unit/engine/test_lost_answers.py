"""Records whose answer was lost are looked for before they are sent again."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from runner.engine import lost_answers
from runner.engine.columns import ColumnPlan
from runner.engine.lost_answers import LostAnswers
from runner.job.model import Verb
from runner.salesforce.rest.write import RecordResult, WriteRequest

SENT = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
READ_ONLY = "INVALID_FIELD_FOR_INSERT_UPDATE"
USER = "005000000000001AAA"


class Org:
    """Finds these records, notes each query, and writes nothing."""

    def __init__(self, monkeypatch, found=(), results=()):
        self.queries = []
        self.written = []
        self._found, self._results = found, results
        monkeypatch.setattr(lost_answers, "found_records", self._find)
        monkeypatch.setattr(lost_answers, "write_once", self._write)

    def _find(self, _session, soql, _names, **_options):
        self.queries.append(soql)
        return self._found

    def _write(self, _session, _write, records):
        self.written += records
        return list(self._results)


def answers(verb, offset=timedelta(0), key=None, on_create=()):
    session = SimpleNamespace(clock_offset=offset)
    plan = ColumnPlan((), None, {}, frozenset(on_create), ("ERP_Id__c",))
    return LostAnswers(session, WriteRequest(verb, "Account", key), plan, USER)


@pytest.mark.parametrize(
    ("offset", "since"),
    [
        (timedelta(0), "2026-05-01T12:00:00Z"),
        (timedelta(minutes=-10), "2026-05-01T11:50:00Z"),
        (timedelta(hours=1), "2026-05-01T13:00:00Z"),
    ],
)
def test_a_lost_create_is_looked_for_by_the_clock_of_the_org(monkeypatch, offset, since):
    org = Org(monkeypatch, found=[{"Id": "001A", "ERP_Id__c": "E1"}])
    (found,) = answers(Verb.CREATE, offset).write_again([{"ERP_Id__c": "E1"}], SENT)
    assert found == RecordResult("001A", success=True, created=True)
    assert org.written == []
    (soql,) = org.queries
    assert f"CreatedDate >= {since}" in soql
    assert f"CreatedById = '{USER}'" in soql


def test_a_create_that_is_not_found_is_sent_again(monkeypatch):
    done = RecordResult("001B", success=True, created=True)
    org = Org(monkeypatch, results=[done])
    assert answers(Verb.CREATE).write_again([{"ERP_Id__c": "E1"}], SENT) == [done]
    assert org.written == [{"ERP_Id__c": "E1"}]


def test_only_a_create_without_a_unique_value_cannot_be_found():
    assert answers(Verb.CREATE).can_find({"ERP_Id__c": "E1"})
    assert not answers(Verb.CREATE).can_find({"ERP_Id__c": "", "Name": "a"})
    assert answers(Verb.UPDATE).can_find({"Name": "a"})


def test_an_upsert_by_id_looks_for_what_it_may_have_created(monkeypatch):
    updated = RecordResult("001B", success=True, created=False)
    org = Org(monkeypatch, found=[{"Id": "001A", "ERP_Id__c": "e1"}], results=[updated])
    lost = answers(Verb.UPSERT, key="Id")
    rows = [{"Id": "001B", "ERP_Id__c": "E2"}, {"ERP_Id__c": " E1"}]
    assert all(map(lost.can_find, rows))
    assert not lost.can_find({"Name": "a"})
    results = lost.write_again(rows, SENT)
    assert results == [updated, RecordResult("001A", success=True, created=True)]
    assert org.written == rows[:1]
    assert "ERP_Id__c IN ('E1')" in org.queries[0]


def test_a_row_whose_record_exists_by_now_is_sent_without_fields_of_creation(monkeypatch):
    refused = RecordResult(None, success=False, created=None, code=READ_ONLY)
    updated = RecordResult("001A", success=True, created=False)
    other = RecordResult("001B", success=True, created=True)
    org = Org(monkeypatch, found=[{"Id": "001A"}], results=[updated])
    lost = answers(Verb.UPSERT, key="Key__c", on_create={"Thing__r.Key__c"})
    rows = [{"Key__c": "K1"}, {"Key__c": "K2", "Thing__r.Key__c": "T1", "Name": "a"}]
    results = lost.find_own([other, refused], rows, SENT)
    assert results == [other, replace(updated, created=True)]
    assert org.written == [{"Key__c": "K2", "Name": "a"}]


@pytest.mark.parametrize(("found", "success"), [([{"Id": "001A"}], True), ([], False)])
def test_an_undelete_is_its_own_success_only_if_the_record_came_back_since(
    monkeypatch, found, success
):
    """A record that is still deleted, or came back before, stays refused with its reason."""
    org = Org(monkeypatch, found=found)
    refused = RecordResult(None, success=False, created=None, code="UNDELETE_FAILED")
    refused = replace(refused, may_be_own=True)
    (result,) = answers(Verb.UNDELETE).find_own([refused], [{"Id": "001A"}], SENT)
    assert result.success is success
    assert result.code == (None if success else "UNDELETE_FAILED")
    (soql,) = org.queries
    assert "SystemModstamp >= 2026-05-01T12:00:00Z" in soql
    assert f"(LastModifiedById = '{USER}' OR LastModifiedDate < 2026-05-01T12:00:00Z)" in soql
    assert org.written == []


def test_of_merges_only_those_are_sent_again_whose_losers_are_not_merged(monkeypatch):
    gone = [{"Id": f"001{each}", "MasterRecordId": "001M"} for each in "ABC"]
    failed = RecordResult(None, success=False, created=None, code="ENTITY_IS_DELETED")
    org = Org(monkeypatch, found=gone, results=[failed, failed])
    rows = [
        {"master": "001M", "loser": "001A", "second loser": "001B"},
        {"master": "001M", "loser": "001C", "second loser": "001D"},
        {"master": "001N", "loser": "001A"},
    ]
    found = answers(Verb.MERGE).write_again(rows, SENT)
    assert found == [RecordResult("001M", success=True, created=False), failed, failed]
    assert org.written == rows[1:]
    assert len(org.queries) == 2


def test_a_merge_that_took_effect_while_it_was_sent_again_is_a_success(monkeypatch):
    failed = RecordResult(None, success=False, created=None, code="ENTITY_IS_DELETED")
    org = Org(monkeypatch, results=[failed])
    monkeypatch.setattr(
        lost_answers,
        "write_once",
        lambda *_: setattr(org, "_found", [{"Id": "001A", "MasterRecordId": "001M"}]) or [failed],
    )
    (found,) = answers(Verb.MERGE).write_again([{"master": "001M", "loser": "001A"}], SENT)
    assert found == RecordResult("001M", success=True, created=False)
