"""Records as they are now: which calls ask for them, and as which texts they come."""

import json
from urllib.parse import unquote

import pytest

from runner.errors import OrgError, UnexpectedAnswerError
from runner.salesforce.rest.query import ShortResultError
from runner.salesforce.rest.retrieve import find_by_key, find_deleted, read_by_id

FIELDS = ["Name", "Score__c", "Active__c"]


def ids(count):
    return [f"001{number:012}AAA" for number in range(count)]


def test_values_come_as_texts_with_every_digit(world):
    world.org.say(
        200,
        b'[{"attributes":{},"Id":"1","Name":null,"Score__c":12345678901234.5678,"Active__c":true},'
        b"null]",
    )
    found = read_by_id(world.session, "Account", ["1", "2"], FIELDS)
    assert found == [
        {"Id": "1", "Name": None, "Score__c": "12345678901234.5678", "Active__c": "true"}
    ]
    asked = world.org.asked[0]
    assert (asked.method, asked.path) == (
        "POST",
        "/services/data/v66.0/composite/sobjects/Account",
    )
    assert asked.json == {"ids": ["1", "2"], "fields": ["Id", *FIELDS]}


def test_2000_records_take_one_request(world):
    world.org.respond = lambda asked: (200, [{"Id": each} for each in asked.json["ids"]])
    assert len(read_by_id(world.session, "Account", ids(4001), ["Name"])) == 4001
    assert [len(asked.json["ids"]) for asked in world.org.asked] == [2000, 2000, 1]


def test_an_id_that_the_org_does_not_take_hides_no_other(world):
    def respond(asked):
        wanted = asked.json["ids"]
        if "bad" in wanted:
            return 400, [{"errorCode": "MALFORMED_ID", "message": "malformed id bad"}]
        return 200, [{"Id": each} for each in wanted]

    world.org.respond = respond
    found = read_by_id(world.session, "Account", ["a", "bad", "c", "d"], [])
    assert [each["Id"] for each in found] == ["a", "c", "d"]


def test_an_unknown_field_is_an_error(world):
    world.org.refuse(400, "INVALID_FIELD")
    with pytest.raises(OrgError):
        read_by_id(world.session, "Account", ["a", "b"], ["Nope__c"])


def test_keys_are_asked_for_in_pieces_that_fit_a_url(world):
    keys = [f"{number:04}'{'x' * 200}" for number in range(300)]

    def respond(_asked):
        return 200, {"totalSize": 1, "done": True, "records": [{"Id": "1", "Ext__c": keys[0]}]}

    world.org.respond = respond
    found = list(find_by_key(world.session, "Account", "Ext__c", keys))
    assert found[0] == ("1", keys[0])
    assert 4 < len(found) == len(world.org.asked) < 30
    assert all(len(asked.path) < 12_500 for asked in world.org.asked)


def test_numbers_stand_bare_in_a_query(world):
    world.org.say(200, {"totalSize": 0, "done": True, "records": []})
    assert list(find_by_key(world.session, "Account", "No__c", ["1", "2"], quoted=False)) == []
    assert unquote(world.org.paths()[0]).endswith("WHERE No__c IN (1,2)")


def test_the_recycle_bin_is_looked_into(world):
    records = [{"Id": "1", "IsDeleted": True}, {"Id": "2", "IsDeleted": False}]
    world.org.say(200, json.loads(json.dumps({"totalSize": 2, "done": True, "records": records})))
    assert dict(find_deleted(world.session, "Account", ["1", "2"])) == {"1": True, "2": False}
    assert "/queryAll?" in world.org.paths()[0]


def test_records_without_their_id_or_key_are_an_error_that_says_so(world):
    """Nobody knows whose key it is: called missing, an upsert would take the row for a new one."""
    for record, what in (
        ({"Id": "1"}, "lacks Ext__c in [0]"),
        ({"Ext__c": "a"}, "lacks Id in [0]"),
        ({"Id": None, "Ext__c": "a"}, "`null` at [0].Id"),
        ({"Id": "1", "Ext__c": ["a"]}, "`array` at [0].Ext__c"),
    ):
        world.org.say(200, {"totalSize": 1, "done": True, "records": [record]})
        with pytest.raises(UnexpectedAnswerError) as raised:
            list(find_by_key(world.session, "Account", "Ext__c", ["a"]))
        assert "/services/data/v66.0/query" in str(raised.value)
        assert what in str(raised.value)
    world.org.say(200, [{"Name": "a"}])
    with pytest.raises(UnexpectedAnswerError, match="lacks Id"):
        read_by_id(world.session, "Account", ["1"], ["Name"])


def test_records_that_did_not_arrive_are_asked_for_once_more(world):
    whole = {"totalSize": 1, "done": True, "records": [{"Id": "1", "Ext__c": "a"}]}
    said = [{**whole, "totalSize": 2}, whole]
    world.org.respond = lambda _asked: (200, said.pop(0))
    assert list(find_by_key(world.session, "Account", "Ext__c", ["a"])) == [("1", "a")]
    world.org.respond = lambda _asked: (200, {**whole, "totalSize": 2})
    with pytest.raises(ShortResultError):
        list(find_by_key(world.session, "Account", "Ext__c", ["a"]))
