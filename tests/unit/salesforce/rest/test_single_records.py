"""Versions without collections write one record a request."""

import pytest

from runner.errors import LimitError, UsageError
from runner.job.model import Verb
from runner.salesforce.rest.write import BrokenOffError, RecordResult, WriteRequest, write_batch
from tests.unit.salesforce.rest.writes import CREATE, DELETE, LOCKED, UPDATE, UPSERT, account, done


class TestOneRecordARequest:
    """API versions without Collections."""

    @pytest.fixture(autouse=True)
    def old(self, world):
        world.session.api_version = "20.0"

    def test_create(self, world):
        world.org.say(201, done(account(1)))
        assert write_batch(world.session, CREATE, [{"Name": "a"}]) == [
            RecordResult(account(1), success=True, created=True)
        ]
        assert world.org.paths() == ["POST /services/data/v20.0/sobjects/Account"]
        assert world.org.asked[0].json == {"Name": "a"}

    def test_update_has_its_id_in_the_path_only(self, world):
        world.org.say(204)
        assert write_batch(world.session, UPDATE, [{"Id": account(1), "Name": "a"}]) == [
            RecordResult(account(1), success=True, created=False)
        ]
        assert world.org.paths() == [f"PATCH /services/data/v20.0/sobjects/Account/{account(1)}"]
        assert world.org.asked[0].json == {"Name": "a"}

    def test_delete(self, world):
        world.org.say(204)
        world.org.refuse(404, "ENTITY_IS_DELETED", "entity is deleted")
        results = write_batch(world.session, DELETE, [{"Id": account(1)}, {"Id": account(2)}])
        assert results[0] == RecordResult(account(1), success=True, created=False)
        assert (results[1].success, results[1].code) == (False, "ENTITY_IS_DELETED")

    def test_a_replayed_delete_does_not_claim_a_gone_record(self, world):
        world.org.lose()
        world.org.refuse(404, "ENTITY_IS_DELETED", "entity is deleted")
        (result,) = write_batch(world.session, DELETE, [{"Id": account(1)}])
        assert (result.success, result.may_be_own) == (False, True)

    @pytest.mark.parametrize(
        ("version", "status", "body", "expected"),
        [
            ("20.0", 201, {"id": "001A", "success": True, "errors": []}, ("001A", True)),
            ("20.0", 204, b"", (None, False)),
            ("45.0", 204, b"", (None, False)),
        ],
    )
    def test_upsert_answers_in_each_versions_own_way(self, world, version, status, body, expected):
        world.session.api_version = version
        world.org.say(status, body)
        result = write_batch(world.session, UPSERT, [{"ERP_Id__c": "a/b #1", "Name": "x"}])[0]
        assert (result.id, result.created) == expected
        assert world.org.asked[0].path.endswith("/sobjects/Account/ERP_Id__c/a%2Fb%20%231")
        assert world.org.asked[0].json == {"Name": "x"}

    @pytest.mark.parametrize(
        ("value", "segment"), [(12.0, "12"), (1.5, "1.5"), ("..", "%2E%2E"), ("ü", "%C3%BC")]
    )
    def test_a_keys_value_in_the_path(self, world, value, segment):
        world.org.say(204)
        write_batch(world.session, UPSERT, [{"ERP_Id__c": value}])
        assert world.org.asked[0].path.endswith(f"/ERP_Id__c/{segment}")

    def test_an_ambiguous_upsert_fails_with_the_code_of_the_other_apis(self, world):
        world.org.say(
            300,
            ["/services/data/v20.0/sobjects/Account/1", "/services/data/v20.0/sobjects/Account/2"],
        )
        result = write_batch(world.session, UPSERT, [{"ERP_Id__c": "a"}])[0]
        assert (result.success, result.code) == (False, "DUPLICATE_EXTERNAL_ID")

    def test_upsert_by_id_creates_where_there_is_none(self, world):
        world.org.say(201, done(account(1)))
        world.org.say(204)
        write = WriteRequest(Verb.UPSERT, "Account", key="Id")
        records = [{"Id": None, "Name": "a"}, {"Id": account(2), "Name": "b"}]
        results = write_batch(world.session, write, records)
        assert [(result.id, result.created) for result in results] == [
            (account(1), True),
            (account(2), False),
        ]
        assert [asked.method for asked in world.org.asked] == ["POST", "PATCH"]

    def test_a_refused_record_does_not_end_the_others(self, world):
        world.org.refuse(400, "STRING_TOO_LONG", "too long")
        world.org.say(201, done(account(2)))
        results = write_batch(world.session, CREATE, [{"Name": "a"}, {"Name": "b"}])
        assert [result.code for result in results] == ["STRING_TOO_LONG", None]

    def test_a_locked_record_is_tried_again(self, world):
        world.org.refuse(400, "UNABLE_TO_LOCK_ROW", LOCKED)
        world.org.say(204)
        assert write_batch(world.session, UPDATE, [{"Id": account(1), "Name": "a"}])[0].success
        assert world.waits == [1]

    def test_a_lost_create_keeps_what_went_before(self, world):
        world.org.say(201, done(account(1)))
        world.org.lose()
        with pytest.raises(BrokenOffError) as caught:
            write_batch(world.session, CREATE, [{"Name": "a"}, {"Name": "b"}, {"Name": "c"}])
        assert caught.value.in_doubt == (1,)
        assert [result is None for result in caught.value.results] == [False, True, True]

    def test_the_daily_limit_ends_the_write(self, world):
        world.org.say(201, done(account(1)))
        world.org.refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        with pytest.raises(BrokenOffError) as caught:
            write_batch(world.session, CREATE, [{"Name": "a"}, {"Name": "b"}])
        assert isinstance(caught.value.cause, LimitError)

    def test_a_web_page_is_not_blamed_on_a_record(self, world):
        world.org.say(404, b"<html><title>Nothing here</title></html>")
        with pytest.raises(BrokenOffError, match="Nothing here"):
            write_batch(world.session, CREATE, [{"Name": "a"}])

    @pytest.mark.parametrize("body", [b"<html>welcome to the hotel</html>", b"[]"])
    def test_a_success_that_no_org_gives_leaves_the_record_in_doubt(self, world, body):
        world.org.say(200, body)
        with pytest.raises(BrokenOffError) as caught:
            write_batch(world.session, CREATE, [{"Name": "a"}])
        assert caught.value.in_doubt == (0,)

    def test_all_or_none_needs_collections(self, world):
        write = WriteRequest(Verb.CREATE, "Account", all_or_none=True)
        with pytest.raises(UsageError, match=r"42\.0"):
            write_batch(world.session, write, [{"Name": "a"}])
