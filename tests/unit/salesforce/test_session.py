from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from msgspec.structs import replace

from runner.credentials import Secret
from runner.errors import (
    LimitError,
    LockHeldError,
    OrgError,
    SignInError,
    StateError,
    TransientError,
    TransportError,
)
from runner.job.model import RetryPolicy
from runner.salesforce.http.messages import OrgRequest
from runner.tables.staging.parts import FileSlice, PartContent

EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def bearer(asked):
    return asked.headers["authorization"].removeprefix("Bearer ")


def token_answer(world, access="new", **more):
    return {"access_token": access, "instance_url": world.org.url, "token_type": "Bearer", **more}


def test_a_path_is_relative_to_the_version_unless_it_is_whole(world):
    world.org.say(200, {})
    world.org.say(200, {})
    world.session.request("GET", "/sobjects")
    world.session.request("GET", "/services/data")
    assert world.org.paths() == ["GET /services/data/v66.0/sobjects", "GET /services/data"]


def test_a_request_says_who_asks(world):
    world.org.say(200, {})
    world.session.request("GET", "/limits")
    headers = world.org.asked[0].headers
    assert headers["authorization"] == "Bearer 00Dxx0000001gER!old"
    assert headers["accept"] == "application/json"
    assert headers["sforce-call-options"] == "client=sfrunner"


@pytest.mark.parametrize(
    "path", ["https://evil.example/services/data", "services/data", "@evil.example/x"]
)
def test_the_token_goes_nowhere_but_to_the_org(world, path):
    with pytest.raises(ValueError, match="path"):
        world.session.request("GET", path)
    assert world.org.asked == []


def test_json_is_sent_as_json(world):
    world.org.say(201, {"id": "1"})
    world.session.request("POST", "/sobjects/Account", json={"Name": "Größe"})
    assert world.org.asked[0].json == {"Name": "Größe"}
    assert world.org.asked[0].headers["content-type"] == "application/json"


def test_requests_are_counted(world):
    world.org.say(200, {})
    world.session.request("GET", "/limits")
    assert world.session.api_calls == 1


def test_a_request_that_is_no_longer_permitted_is_not_sent_again(world):
    allowed = [True]

    def permit():
        if not allowed.pop():
            raise LockHeldError("taken over")

    world.session.permit = permit
    world.org.say(503, [{"message": "busy", "errorCode": "SERVER_UNAVAILABLE"}])
    allowed[:] = [False, True]
    with pytest.raises(LockHeldError, match="taken over"):
        world.session.scoped(RetryPolicy()).request("GET", "/limits")
    assert len(world.org.asked) == 1


def test_an_expired_token_is_refreshed_saved_and_the_request_replayed_once(world):
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world, refresh_token="refresh-2"))
    world.org.say(201, {"id": "1"})
    answer = world.session.request("POST", "/sobjects/Account", json={"Name": "a"})
    assert answer.body == b'{"id": "1"}'
    assert [asked.path for asked in world.org.asked] == [
        "/services/data/v66.0/sobjects/Account",
        "/services/oauth2/token",
        "/services/data/v66.0/sobjects/Account",
    ]
    assert world.org.asked[1].body == (
        b"grant_type=refresh_token&refresh_token=refresh-1&client_id=3MVG9"
    )
    assert "authorization" not in world.org.asked[1].headers
    assert bearer(world.org.asked[2]) == "new"
    assert world.tokens.saved[-1].refresh_token == Secret("refresh-2")
    assert world.session.api_calls == 2


def test_a_rotated_refresh_token_is_saved_before_the_new_access_token_is_used(world):
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world, refresh_token="refresh-2"))
    used = []
    world.org.respond = lambda asked: (
        used.append((bearer(asked), world.tokens.saved[-1].access_token.reveal())),
        (200, {}),
    )[1]
    world.session.request("GET", "/limits")
    assert used == [("new", "new")]


def test_that_a_refresh_begins_is_kept_before_the_refresh_token_is_spent(world):
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world, refresh_token="refresh-2"))
    world.org.say(200, {})
    world.session.request("GET", "/limits")
    before, after = world.tokens.saved
    assert (before.refresh_token, before.access_token) == (
        Secret("refresh-1"),
        Secret("00Dxx0000001gER!old"),
    )
    assert before.renewal_began is not None
    assert (after.renewal_began, after.rotates) == (None, True)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"rotates": True}, "another copy of this token file was used"),
        ({"renewal_began": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}, "2026-01-02 03:04:05 UTC"),
    ],
)
def test_a_refresh_token_that_was_replaced_is_explained(world, facts, told):
    world.tokens.token = replace(world.tokens.token, **facts)
    world.org.say(401, EXPIRED)
    world.org.say(
        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    )
    with pytest.raises(SignInError, match=told) as refused:
        world.session.request("GET", "/limits")
    assert "runner login jobs/a.yaml" in refused.value.hint


def test_a_token_that_cannot_be_kept_is_found_out_before_the_old_one_is_spent(world):
    world.org.say(401, EXPIRED)

    def full(_token):
        raise StateError("disk full")

    world.tokens.save = full
    with pytest.raises(StateError):
        world.session.request("GET", "/limits")
    assert len(world.org.asked) == 1


def test_a_token_that_could_not_be_saved_is_not_used(world):
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world, refresh_token="refresh-2"))
    save, full = world.tokens.save, iter([False, True])

    def save_once(token):
        if next(full):
            raise StateError("disk full")
        save(token)

    world.tokens.save = save_once
    with pytest.raises(StateError):
        world.session.request("GET", "/limits")
    assert world.session.token.access_token == Secret("00Dxx0000001gER!old")
    assert [asked.path for asked in world.org.asked][1:] == ["/services/oauth2/token"]


def test_custom_headers_and_a_file_survive_the_replay(world, tmp_path):
    file = tmp_path / "chunk.csv"
    file.write_bytes(b"a\n")
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world))
    world.org.say(201)
    headers = {"Content-Type": "text/csv", "Sforce-Auto-Assign": "FALSE"}
    part = PartContent(b"Name\n", (FileSlice(file, 0, 2),))
    world.session.send(OrgRequest("PUT", "/jobs/ingest/1/batches", headers, body=part))
    first, _, second = world.org.asked
    assert second.body == first.body == b"Name\na\n"
    assert second.headers["sforce-auto-assign"] == "FALSE"
    assert second.headers["content-type"] == "text/csv"


def test_a_token_that_another_process_renewed_is_taken_without_asking(world):
    world.tokens.token = replace(world.tokens.token, access_token=Secret("theirs"))
    world.org.say(401, EXPIRED)
    world.org.say(200, {})
    world.session.request("GET", "/limits")
    assert [bearer(asked) for asked in world.org.asked] == ["00Dxx0000001gER!old", "theirs"]
    assert world.tokens.saved == []


def test_a_renewed_token_of_another_process_may_be_stale_too(world):
    world.tokens.token = replace(world.tokens.token, access_token=Secret("theirs"))
    world.org.say(401, EXPIRED)
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world))
    world.org.say(200, {})
    world.session.request("GET", "/limits")
    assert bearer(world.org.asked[3]) == "new"


def test_a_new_token_that_is_refused_too_is_a_sign_in_error_and_no_loop(world):
    world.org.respond = lambda asked: (
        (200, token_answer(world)) if asked.path.endswith("/token") else (401, EXPIRED)
    )
    with pytest.raises(SignInError) as caught:
        world.session.request("GET", "/limits")
    assert len(world.org.asked) == 3
    assert "runner login jobs/a.yaml" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "Connected app is not attached to Agent",
        "This session is not valid for use with the REST API",
    ],
)
def test_a_session_of_the_wrong_kind_is_not_renewed(world, text):
    world.org.say(401, [{"message": text, "errorCode": "INVALID_SESSION_ID"}])
    with pytest.raises(SignInError, match=text):
        world.session.request("GET", "/limits")
    assert len(world.org.asked) == 1


def test_without_a_refresh_token_the_mending_command_is_told(world):
    world.tokens.token = replace(world.tokens.token, refresh_token=None)
    world.org.say(401, EXPIRED)
    with pytest.raises(SignInError) as caught:
        world.session.request("GET", "/limits")
    assert "tokens/acme.json" in caught.value.message
    assert caught.value.hint == "Run `runner login jobs/a.yaml`."


def test_a_dead_refresh_token_is_asked_with_once(world):
    world.org.say(401, EXPIRED)
    world.org.say(
        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    )
    with pytest.raises(SignInError) as caught:
        world.session.request("GET", "/limits")
    assert len(world.org.asked) == 2
    assert "invalid_grant" in caught.value.message
    assert "`runner login jobs/a.yaml`" in caught.value.hint
    assert "refresh-1" not in caught.value.message + caught.value.hint


def test_a_lost_refresh_is_not_repeated_and_says_nothing_of_the_create_that_waits(world):
    world.org.say(401, EXPIRED)
    world.org.lose()
    with pytest.raises(TransportError) as caught:
        world.session.request("POST", "/sobjects/Account", json={})
    assert caught.value.may_have_arrived is False
    assert len(world.org.asked) == 2


def test_threads_share_one_refresh(world):
    together = Barrier(10)
    world.org.respond = lambda asked: (
        (200, token_answer(world, refresh_token="refresh-2"))
        if asked.path.endswith("/token")
        else ((200, {}) if bearer(asked) == "new" else (401, EXPIRED))
    )

    def ask(_):
        together.wait(5)
        return world.session.request("GET", "/limits").status

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(ask, range(10))) == {200}
    assert sum(asked.path.endswith("/token") for asked in world.org.asked) == 1
    assert len(world.tokens.saved) == 2, "that it begins, and what came of it"


def test_a_refusal_is_an_error_with_the_orgs_code(world):
    world.org.refuse(404, "NOT_FOUND", "The requested resource does not exist")
    with pytest.raises(OrgError) as caught:
        world.session.request("GET", "/sobjects/Nope/describe")
    assert (caught.value.status, caught.value.code) == (404, "NOT_FOUND")


def test_the_daily_limit_is_a_limit_error_at_once(world):
    world.org.refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    with pytest.raises(LimitError):
        world.session.request("GET", "/limits")
    assert world.waits == []


def test_a_create_whose_answer_was_lost_is_not_sent_again(world):
    world.org.lose()
    with pytest.raises(TransportError) as caught:
        world.session.request("POST", "/sobjects/Account", json={})
    assert caught.value.may_have_arrived is True
    assert len(world.org.asked) == 1


def test_a_question_whose_answer_was_lost_is_asked_again(world):
    world.org.lose(2)
    world.org.say(200, {})
    assert world.session.request("GET", "/limits").replayed is True
    assert world.session.api_calls == 3


def test_that_an_answer_was_lost_is_remembered_over_a_refresh(world):
    world.org.lose()
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world))
    world.org.say(204)
    assert world.session.request("DELETE", "/sobjects/Account/1").replayed is True


def test_a_download_that_breaks_off_begins_again(world):
    world.org.cut(b"half")
    world.org.say(200, b"whole")
    received = []
    answer = world.session.download(
        OrgRequest("GET", "/jobs/query/1/results"),
        lambda _, chunks: received.append(b"".join(chunks)),
    )
    assert received == [b"whole"]
    assert (answer.status, answer.body, answer.tries) == (200, b"", 2)


def test_a_refused_download_is_an_error_and_receives_nothing(world):
    world.org.refuse(400, "INVALIDJOBSTATE")
    with pytest.raises(OrgError, match="INVALIDJOBSTATE"):
        world.session.download(OrgRequest("GET", "/x"), lambda *_: pytest.fail("received"))


def test_a_versioned_path_needs_a_version(world):
    world.session.api_version = None
    with pytest.raises(ValueError, match="API version"):
        world.session.request("GET", "/limits")


def test_a_scope_has_a_patience_and_a_count_of_its_own(world):
    world.org.respond = lambda _: (503, b"")
    hasty = world.session.scoped(RetryPolicy(attempts=2))
    with pytest.raises(TransientError, match="tried 2 times"):
        hasty.request("GET", "/limits")
    with pytest.raises(TransientError, match="tried 4 times"):
        world.session.request("GET", "/limits")
    assert (hasty.api_calls, world.session.api_calls) == (2, 6)


def test_a_scope_shares_the_token(world):
    scope = world.session.scoped(RetryPolicy())
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world))
    world.org.say(200, {})
    world.org.say(200, {})
    scope.request("GET", "/limits")
    world.session.request("GET", "/limits")
    assert bearer(world.org.asked[3]) == "new"


def test_a_token_that_expires_before_a_download_is_renewed(world):
    world.org.say(401, EXPIRED)
    world.org.say(200, token_answer(world))
    world.org.say(200, b"Id\n1\n")
    received = []
    world.session.download(
        OrgRequest("GET", "/jobs/query/1/results"), lambda _, body: received.extend(body)
    )
    assert received == [b"Id\n1\n"]
