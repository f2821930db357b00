"""What counts as equal when only changes are sent: simple-salesforce writes it over what is held.

Whoever writes a value that counts as equal must leave the record as it is; SystemModstamp aside.
"""

import pytest

from tests.unit.tables.equality_cases import CASES, PARENT

ORG_FILE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 60, external_id: true, unique: true}
  Thing__c:
    label: Thing
    plural_label: Things
    fields:
      Text__c: {type: text, label: Text, length: 60}
      Many__c: {type: multi_picklist, label: Many, values: [A, B, C]}
      Box__c: {type: checkbox, label: Box}
      Whole__c: {type: number, label: Whole, precision: 9, scale: 0}
      Number__c: {type: number, label: Number, precision: 18, scale: 2}
      Money__c: {type: currency, label: Money, precision: 18, scale: 2}
      Day__c: {type: date, label: Day}
      At__c: {type: datetime, label: At}
      Time__c: {type: time, label: Time}
      Account__c: {type: lookup, label: Account, to: Account, relationship: Account__r}
"""
FIELDS = {
    "text": "Text__c",
    "every field": "Text__c",
    "multi-select picklist": "Many__c",
    "checkbox": "Box__c",
    "whole number": "Whole__c",
    "number with 2 decimals": "Number__c",
    "currency with 2 decimals": "Money__c",
    "date": "Day__c",
    "datetime": "At__c",
    "time": "Time__c",
}
TOO_LONG = ("1.01", "1.005")
"""Sent, and held with more decimals than the field has: the local org rounds those."""
STORED = [case for case in CASES if case[0] in FIELDS and case[1:3] != TOO_LONG]


@pytest.fixture(scope="module")
def org_file():
    return ORG_FILE


def as_json(field, value, *, sent):
    """The value as a client sends it; `#N/A` and a blank are Bulk's words."""
    if value is None or (sent and value == "#N/A"):
        return None
    return value == "true" if field == "Box__c" else value


@pytest.mark.parametrize("case", STORED, ids=lambda case: f"{case[0]}-{case[1]!r}-{case[2]!r}")
def test_what_is_equal_leaves_the_record_as_it_is(sf, case):
    name, sent, held, is_equal, _ = case
    field = FIELDS[name]
    first = as_json(field, held, sent=False)
    record_id = sf.Thing__c.create({} if first is None else {field: first})["id"]
    before = sf.Thing__c.get(record_id)[field]
    if sent is not None:  # a blank that keeps its field is not sent
        sf.Thing__c.update(record_id, {field: as_json(field, sent, sent=True)})
    assert (sf.Thing__c.get(record_id)[field] == before) is is_equal


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == PARENT])
def test_an_equal_key_finds_the_parent_that_is_there(sf, tag, case):
    _, sent, held, is_equal, _ = case
    for key in {sent.strip().upper(), held.upper()}:
        sf.Account.create({"Name": key, "ERP_Id__c": f"{tag}{key}"})
    parent = {"Account__r": {"ERP_Id__c": f"{tag}{held}"}}
    record_id = sf.Thing__c.create(parent)["id"]
    before = sf.Thing__c.get(record_id)["Account__c"]
    sf.Thing__c.update(record_id, {"Account__r": {"ERP_Id__c": f"{tag}{sent}"}})
    assert (sf.Thing__c.get(record_id)["Account__c"] == before) is is_equal


def test_an_id_of_15_characters_is_that_of_18(sf, tag):
    account = sf.Account.create({"Name": tag})["id"]
    record_id = sf.Thing__c.create({"Account__c": account})["id"]
    sf.Thing__c.update(record_id, {"Account__c": account[:15]})
    assert sf.Thing__c.get(record_id)["Account__c"] == account
