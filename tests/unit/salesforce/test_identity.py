import pytest

from runner.errors import TransientError, UnexpectedAnswerError
from runner.salesforce.identity import Identity, identity_of

CLAIMS = {
    "user_id": "005x00000012Q9PAAU",
    "organization_id": "00Dx0000000BV7z",
    "preferred_username": "a@b.c",
    "name": "Ada B",
}
ORGANIZATION = {"totalSize": 1, "done": True, "records": [{"Name": "Acme", "IsSandbox": True}]}


def test_the_user_info_and_the_organization_tell(world):
    world.org.say(200, CLAIMS)
    world.org.say(200, ORGANIZATION)
    assert identity_of(world.session) == Identity(
        "005x00000012Q9PAAU", "a@b.c", "Ada B", "00Dx0000000BV7zEAG", "Acme", is_sandbox=True
    )


def test_a_hidden_organization_is_no_reason_to_fail(world):
    world.org.say(200, CLAIMS)
    world.org.refuse(400, "INVALID_TYPE")
    found = identity_of(world.session)
    assert (found.org_name, found.is_sandbox) == (None, None)


def test_where_user_info_is_refused_the_users_own_record_tells(world):
    world.org.say(403, b"Bad_OAuth_Token")
    world.org.say(
        200,
        {"identity": "https://login.salesforce.com/id/00Dx0000000BV7zEAM/005x00000012Q9PAAU"},
    )
    world.org.say(
        200, {"totalSize": 1, "done": True, "records": [{"Username": "a@b.c", "Name": "Ada B"}]}
    )
    world.org.say(200, ORGANIZATION)
    found = identity_of(world.session)
    assert (found.user_id, found.username, found.org_id) == (
        "005x00000012Q9PAAU",
        "a@b.c",
        "00Dx0000000BV7zEAM",
    )
    assert "005x00000012Q9PAAU" in world.org.asked[2].path


def test_an_expired_token_is_renewed_though_user_info_says_403(world):
    world.org.say(403, b"Bad_OAuth_Token")
    world.org.say(
        401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    )
    world.org.say(200, {"access_token": "new", "instance_url": world.org.url})
    world.org.say(200, {"identity": f"{world.org.url}/id/00Dx0000000BV7zEAM/005x00000012Q9PAAU"})
    world.org.say(200, {"totalSize": 1, "done": True, "records": [{"Username": "a@b.c"}]})
    world.org.say(200, ORGANIZATION)
    assert identity_of(world.session).username == "a@b.c"


def test_an_org_that_tells_nothing_is_unexpected(world):
    world.org.say(403, b"x")
    world.org.say(200, {})
    with pytest.raises(UnexpectedAnswerError):
        identity_of(world.session)


def test_a_busy_org_is_not_taken_for_one_that_hides_itself(world):
    world.org.say(200, CLAIMS)
    world.org.respond = lambda _: (503, b"")
    with pytest.raises(TransientError):
        identity_of(world.session)
