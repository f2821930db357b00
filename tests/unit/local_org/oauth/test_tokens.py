"""What becomes of tokens: refresh, rotation, revoking, looking into, time."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from runner.local_org.org import Settings, now_utc

DEAD = {"error": "invalid_grant", "error_description": "expired access/refresh token"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_refreshing_without_rotation_keeps_the_refresh_token(login):
    token = login.sign_in()
    for _ in range(2):
        answer = login.refresh(token["refresh_token"])
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()
        assert login.works(answer.json()["access_token"])
    assert login.works(token["access_token"])


@pytest.mark.parametrize("refresh_token", ["", "5Aep861nothing"])
def test_an_unknown_refresh_token_is_refused(login, refresh_token):
    answer = login.refresh(refresh_token)
    assert answer.status_code == 400
    assert answer.json() == DEAD


def test_a_refresh_token_is_its_clients_own(login):
    token = login.sign_in()
    assert login.refresh(token["refresh_token"], client_id="thief").json() == DEAD
    assert login.refresh(token["refresh_token"]).status_code == 200


def test_a_refresh_does_not_take_a_scope(login):
    token = login.sign_in()
    answer = login.refresh(token["refresh_token"], scope="api")
    assert answer.json()["error"] == "invalid_request"


class TestRotation:
    @pytest.fixture
    def login(self, served, login, tmp_path):
        settings = Settings(rotate_refresh_tokens=True)
        login.url = served(settings=settings, folder=tmp_path / "rotating").server.url
        return login

    def test_each_refresh_brings_the_next_refresh_token(self, login):
        first = login.sign_in()
        second = login.refresh(first["refresh_token"]).json()
        third = login.refresh(second["refresh_token"]).json()
        assert len({each["refresh_token"] for each in (first, second, third)}) == 3
        assert login.works(first["access_token"])

    def test_replaying_an_old_one_ends_the_whole_family(self, login):
        first = login.sign_in()
        other = login.sign_in()
        second = login.refresh(first["refresh_token"]).json()
        assert login.refresh(first["refresh_token"]).json() == DEAD
        assert login.refresh(second["refresh_token"]).json() == DEAD
        assert not login.works(first["access_token"])
        assert not login.works(second["access_token"])
        assert login.works(other["access_token"])


def test_a_sixth_approval_ends_the_first(login):
    tokens = [login.sign_in() for _ in range(6)]
    assert login.refresh(tokens[0]["refresh_token"]).json() == DEAD
    assert not login.works(tokens[0]["access_token"])
    assert login.refresh(tokens[1]["refresh_token"]).status_code == 200


def test_a_session_lives_on_while_it_is_used_and_dies_when_it_is_not(served, login, tmp_path):
    now = [now_utc()]
    login.url = served(
        settings=Settings(session_seconds=10), folder=tmp_path / "timed", clock=lambda: now[0]
    ).server.url
    token = login.sign_in()["access_token"]
    for _ in range(3):
        now[0] += timedelta(seconds=8)
        assert login.works(token)
    now[0] += timedelta(seconds=10)
    assert not login.works(token)


def test_tokens_survive_a_restart(served, login, tmp_path):
    first = served(folder=tmp_path / "kept")
    login.url = first.server.url
    token = login.sign_in()
    first.stop()
    login.url = served(folder=tmp_path / "kept").server.url
    assert login.works(token["access_token"])
    assert login.refresh(token["refresh_token"]).status_code == 200


def revoke(login, token):
    return httpx.post(f"{login.url}/services/oauth2/revoke", data={"token": token})


def test_revoking_a_refresh_token_ends_its_sessions(login):
    token = login.sign_in()
    answer = revoke(login, token["refresh_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert not login.works(token["access_token"])
    assert login.refresh(token["refresh_token"]).json() == DEAD


def test_revoking_an_access_token_ends_that_session(login):
    token = login.sign_in()
    assert revoke(login, token["access_token"]).status_code == 200
    assert not login.works(token["access_token"])
    assert login.refresh(token["refresh_token"]).status_code == 200


def test_revoking_nothing_is_refused(login):
    assert revoke(login, "nothing").status_code == 400


def introspect(login, token):
    form = {"token": token, "client_id": login.client_id}
    return httpx.post(f"{login.url}/services/oauth2/introspect", data=form).json()


def test_introspection_tells_live_tokens_from_dead_ones(login):
    token = login.sign_in()
    told = introspect(login, token["access_token"])
    assert told["active"] is True
    assert told["scope"] == "api refresh_token"
    assert told["client_id"] == login.client_id
    assert told["token_type"] == "access_token"
    assert told["sub"] == token["id"]
    assert told["exp"] - told["iat"] == 7200
    assert introspect(login, token["refresh_token"])["active"] is True
    revoke(login, token["refresh_token"])
    assert introspect(login, token["access_token"]) == {"active": False}


def test_userinfo_and_identity_tell_who_it_is(login):
    token = login.sign_in()
    headers = bearer(token["access_token"])
    info = httpx.get(f"{login.url}/services/oauth2/userinfo", headers=headers).json()
    card = httpx.get(token["id"], headers=headers).json()
    assert info["sub"] == card["id"] == token["id"]
    assert info["preferred_username"] == card["username"]
    assert info["organization_id"] == card["organization_id"]
    assert info["urls"]["rest"] == f"{login.url}/services/data/v{{version}}/"


def test_a_bad_token_at_userinfo_is_a_403_with_a_word(login):
    answer = httpx.get(f"{login.url}/services/oauth2/userinfo", headers=bearer("bad"))
    assert (answer.status_code, answer.text) == (403, "Bad_OAuth_Token")
    answer = httpx.get(f"{login.url}/services/oauth2/userinfo")
    assert (answer.status_code, answer.text) == (403, "Missing_OAuth_Token")
