import json

import pytest

from runner.errors import ExitCode, LimitError, OrgError, SignInError, TransportError
from runner.job.model import RetryPolicy, Verb
from runner.salesforce.rest.write import BrokenOffError, RecordResult, WriteRequest, write_batch
from tests.unit.salesforce.rest.writes import (
    CREATE,
    DELETE,
    LOCKED,
    UPDATE,
    UPSERT,
    account,
    done,
    failed,
    sizes,
)


def test_creates_go_together(world):
    world.org.say(200, [done(account(1)), failed("REQUIRED_FIELD_MISSING", "Required", ["Name"])])
    results = write_batch(world.session, CREATE, [{"Name": "a"}, {"Phone": "1"}])
    assert results == [
        RecordResult(account(1), success=True, created=True),
        RecordResult(
            None,
            success=False,
            created=None,
            code="REQUIRED_FIELD_MISSING",
            message="Required",
            fields=("Name",),
        ),
    ]
    asked = world.org.asked[0]
    assert (asked.method, asked.path) == ("POST", "/services/data/v66.0/composite/sobjects")
    assert asked.json == {
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "Account"}, "Name": "a"},
            {"attributes": {"type": "Account"}, "Phone": "1"},
        ],
    }
    assert asked.headers["sforce-auto-assign"] == "FALSE"


def test_updates_carry_their_ids(world):
    world.org.say(200, [done(account(7))])
    results = write_batch(
        world.session, UPDATE, [{"Id": account(7), "Name": "a", "Parent.ERP_Id__c": "P"}]
    )
    assert results == [RecordResult(account(7), success=True, created=False)]
    assert world.org.asked[0].method == "PATCH"
    assert world.org.asked[0].json["records"] == [
        {
            "attributes": {"type": "Account"},
            "id": account(7),
            "Name": "a",
            "Parent": {"ERP_Id__c": "P"},
        }
    ]


def test_upserts_name_their_key_in_the_path(world):
    world.org.say(200, [done(account(1), created=True), done(account(2), created=False)])
    results = write_batch(
        world.session, UPSERT, [{"ERP_Id__c": "a/1", "Name": "x"}, {"ERP_Id__c": "b"}]
    )
    assert [result.created for result in results] == [True, False]
    assert world.org.asked[0].path == "/services/data/v66.0/composite/sobjects/Account/ERP_Id__c"
    assert world.org.asked[0].json["records"][0]["ERP_Id__c"] == "a/1"


def test_deletes_name_their_ids(world):
    world.org.say(200, [done(account(1)), failed("ENTITY_IS_DELETED", "entity is deleted")])
    results = write_batch(world.session, DELETE, [{"Id": account(1)}, {"Id": account(2)}])
    assert world.org.paths() == [
        (
            "DELETE /services/data/v66.0/composite/sobjects"
            f"?ids={account(1)}%2C{account(2)}&allOrNone=false"
        )
    ]
    assert results[0] == RecordResult(account(1), success=True, created=False)
    assert (results[1].success, results[1].code) == (False, "ENTITY_IS_DELETED")


def test_a_malformed_id_is_never_sent_to_be_deleted(world):
    world.org.say(200, [done(account(1))])
    records = [{"Id": "001,002"}, {"Id": account(1)}, {"Id": ""}]
    results = write_batch(world.session, DELETE, records)
    assert [result.code for result in results] == ["MALFORMED_ID", None, "MALFORMED_ID"]
    assert len(world.org.asked) == 1


def test_a_replayed_delete_does_not_claim_a_gone_record(world):
    world.org.lose()
    world.org.say(200, [done(account(1)), failed("ENTITY_IS_DELETED", "entity is deleted")])
    results = write_batch(world.session, DELETE, [{"Id": account(1)}, {"Id": account(2)}])
    assert [result.success for result in results] == [True, False]
    assert [result.may_be_own for result in results] == [False, True]


def test_a_replayed_upsert_does_not_claim_to_know_what_it_created(world):
    world.org.lose()
    world.org.say(200, [done(account(1), created=False), done(account(2), created=True)])
    results = write_batch(world.session, UPSERT, [{"ERP_Id__c": "a"}, {"ERP_Id__c": "b"}])
    assert [result.created for result in results] == [None, True]


def test_a_request_carries_two_hundred(world):
    world.org.respond = lambda asked: (200, [done() for _ in asked.json["records"]])
    assert len(write_batch(world.session, CREATE, [{"Name": "x"}] * 450)) == 450
    assert sizes(world) == [200, 200, 50]


def test_nothing_to_write_sends_nothing(world):
    assert write_batch(world.session, CREATE, []) == []
    assert world.org.asked == []


def test_one_bad_value_fails_its_record_only(world):
    """The org refuses a whole request when one value in it cannot be parsed."""

    def respond(asked):
        names = [record["Name"] for record in asked.json["records"]]
        if "bad" in names:
            return 400, [{"errorCode": "JSON_PARSER_ERROR", "message": "Cannot deserialize"}]
        return 200, [done() for _ in names]

    world.org.respond = respond
    records = [{"Name": "bad" if number == 137 else "x"} for number in range(200)]
    results = write_batch(world.session, CREATE, records)
    assert [at for at, result in enumerate(results) if not result.success] == [137]
    assert results[137].code == "JSON_PARSER_ERROR"
    assert len(world.org.asked) <= 17


def test_locked_records_are_tried_again_in_smaller_requests(world):
    """The first hundred are locked; each record gives way only when it comes alone."""

    def respond(asked):
        names = [record["Name"] for record in asked.json["records"]]
        alone = len(names) == 1
        return 200, [
            done(account(int(name)))
            if alone or int(name) >= 100
            else failed("UNABLE_TO_LOCK_ROW", LOCKED)
            for name in names
        ]

    world.org.respond = respond
    results = write_batch(world.session, CREATE, [{"Name": str(number)} for number in range(200)])
    assert [result.id for result in results] == [account(number) for number in range(200)]
    assert sizes(world) == [200] + [50] * 2 + [10] * 10 + [1] * 100
    assert world.waits == [1, 2, 4]


def test_locked_records_are_not_tried_again_after_a_wait_beyond_the_total_time(world):
    world.org.say(200, [failed("UNABLE_TO_LOCK_ROW", LOCKED)])
    hasty = world.session.scoped(RetryPolicy(attempts=4, total_seconds=0.5))
    (result,) = write_batch(hasty, UPDATE, [{"Id": account(1), "Name": "a"}])
    assert (result.success, result.code) == (False, "UNABLE_TO_LOCK_ROW")
    assert (len(world.org.asked), world.waits) == (1, [])


def test_records_that_stay_locked_fail_with_their_code(world):
    world.org.respond = lambda asked: (
        200,
        [failed("UNABLE_TO_LOCK_ROW", LOCKED) for _ in asked.json["records"]],
    )
    results = write_batch(world.session, CREATE, [{"Name": "x"}] * 20)
    assert {result.code for result in results} == {"UNABLE_TO_LOCK_ROW"}
    assert sizes(world) == [20] + [10] * 2 + [1] * 20 * 2


def test_companions_are_sent_again_without_the_guilty(world):
    rolled_back = failed("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back")
    world.org.say(200, [rolled_back, failed("FIELD_CUSTOM_VALIDATION_EXCEPTION"), rolled_back])
    world.org.say(200, [done(), done()])
    results = write_batch(world.session, CREATE, [{"Name": name} for name in "abc"])
    assert [result.success for result in results] == [True, False, True]
    assert sizes(world) == [3, 2]


def test_all_or_none_leaves_companions_alone(world):
    rolled_back = failed("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back")
    world.org.say(200, [rolled_back, failed("FIELD_CUSTOM_VALIDATION_EXCEPTION")])
    write = WriteRequest(Verb.CREATE, "Account", all_or_none=True)
    results = write_batch(world.session, write, [{"Name": "a"}, {"Name": "b"}])
    assert [result.code for result in results] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    ]
    assert world.org.asked[0].json["allOrNone"] is True


def test_all_or_none_that_met_a_lock_is_sent_again_as_a_whole(world):
    rolled_back = failed("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back")
    world.org.say(200, [rolled_back, failed("UNABLE_TO_LOCK_ROW", LOCKED)])
    world.org.say(200, [done(), done()])
    write = WriteRequest(Verb.CREATE, "Account", all_or_none=True)
    results = write_batch(world.session, write, [{"Name": "a"}, {"Name": "b"}])
    assert all(result.success for result in results)
    assert sizes(world) == [2, 2]


def test_all_or_none_that_cannot_be_parsed_fails_as_a_whole(world):
    world.org.refuse(400, "JSON_PARSER_ERROR")
    write = WriteRequest(Verb.CREATE, "Account", all_or_none=True)
    results = write_batch(world.session, write, [{"Name": "a"}, {"Name": "b"}])
    assert [result.code for result in results] == ["JSON_PARSER_ERROR"] * 2
    assert len(world.org.asked) == 1


def test_a_request_that_ran_too_long_is_made_smaller(world):
    def respond(asked):
        count = len(asked.json["records"])
        long = [{"errorCode": "REQUEST_RUNNING_TOO_LONG", "message": "stopped"}]
        return (400, long) if count > 50 else (200, [done()] * count)

    world.org.respond = respond
    results = write_batch(world.session, CREATE, [{"Name": "x"}] * 100)
    assert all(result.success for result in results)
    assert sizes(world) == [100, 50, 50]


def test_a_lost_create_breaks_off_with_what_is_known(world):
    world.org.say(200, [done()] * 200)
    world.org.lose()
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "x"}] * 450)
    broken = caught.value
    assert isinstance(broken.cause, TransportError)
    assert broken.cause.may_have_arrived is True
    assert broken.in_doubt == tuple(range(200, 400))
    assert [result is not None for result in broken.results] == [True] * 200 + [False] * 250
    assert broken.exit_code is ExitCode.TEMPORARY
    assert len(world.org.asked) == 2


def test_a_create_in_doubt_forgets_that_it_once_failed(world):
    world.org.say(200, [failed("UNABLE_TO_LOCK_ROW", LOCKED), done()])
    world.org.lose()
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "a"}, {"Name": "b"}])
    assert caught.value.in_doubt == (0,)
    assert caught.value.results[0] is None
    assert caught.value.results[1].success


def test_a_create_that_never_left_is_not_in_doubt(world):
    world.org.close()
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "a"}])
    assert caught.value.in_doubt == ()


def test_a_dead_token_breaks_off_with_its_own_exit_code(world):
    world.org.say(401, [{"errorCode": "INVALID_SESSION_ID", "message": "expired"}])
    world.org.say(
        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    )
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "a"}])
    assert isinstance(caught.value.cause, SignInError)
    assert caught.value.exit_code is ExitCode.SIGN_IN
    assert caught.value.in_doubt == ()


def test_rows_that_met_the_daily_limit_were_not_carried_out(world):
    spent = failed("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    world.org.say(200, [done(), spent, spent])
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "x"}] * 3)
    assert isinstance(caught.value.cause, LimitError)
    assert [result is None for result in caught.value.results] == [False, True, True]
    assert caught.value.in_doubt == ()


@pytest.mark.parametrize(
    ("status", "code"), [(403, "INSUFFICIENT_ACCESS"), (404, "NOT_FOUND"), (400, "INVALID_TYPE")]
)
def test_a_refusal_of_the_whole_write_is_not_blamed_on_its_records(world, status, code):
    world.org.refuse(status, code, "no")
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, UPSERT, [{"ERP_Id__c": "a"}, {"ERP_Id__c": "b"}])
    assert isinstance(caught.value.cause, OrgError)
    assert caught.value.cause.code == code
    assert caught.value.exit_code is ExitCode.FAILED
    assert len(world.org.asked) == 1


def test_an_answer_for_another_number_of_records_leaves_them_in_doubt(world):
    world.org.say(200, [done()])
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, CREATE, [{"Name": "a"}, {"Name": "b"}])
    assert caught.value.in_doubt == (0, 1)


def test_collections_upsert_comes_later_than_the_others(world):
    world.session.api_version = "45.0"
    world.org.say(200, [done()])
    world.org.say(204)
    write_batch(world.session, CREATE, [{"Name": "a"}])
    write_batch(world.session, UPSERT, [{"ERP_Id__c": "a"}])
    assert ["composite" in asked.path for asked in world.org.asked] == [True, False]


def test_upsert_by_id_in_collections_is_not_repeated_where_it_may_create(world):
    world.org.lose()
    write = WriteRequest(Verb.UPSERT, "Account", key="Id")
    with pytest.raises(BrokenOffError) as caught:
        write_batch(world.session, write, [{"Id": None, "Name": "a"}, {"Id": account(2)}])
    assert caught.value.in_doubt == (0, 1)
    assert json.loads(world.org.asked[0].body)["records"][0]["Id"] is None


@pytest.mark.parametrize(
    "value", ['Zoë \u2028 "\\\n', "\ud83d half", 10**30, -(2**63), 0.1, 1e22, True, None]
)
def test_a_value_arrives_as_it_is(world, value):
    world.org.say(200, [done()])
    write_batch(world.session, CREATE, [{"Name": value}])
    sent = world.org.asked[0].json["records"][0]["Name"]
    assert (sent, type(sent)) == (value, type(value))
