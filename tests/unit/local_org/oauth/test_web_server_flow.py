"""The browser's flow: page, code, PKCE, token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta

import httpx
import pytest

from runner.local_org.org import now_utc

CALLBACK = "http://localhost:1717/callback"
APP = {"client_id": "3MVG9app", "client_secret": "s3cret", "callbacks": [CALLBACK]}


def refused(answer):
    assert answer.status_code == 400
    return answer.json()["error"], answer.json()["error_description"]


def test_approving_sends_a_code_and_the_state_to_the_callback(login):
    answer = login.authorize()
    assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
    assert login.told(answer)["state"] == "s t=1"


def test_denying_sends_access_denied(login):
    answer = login.authorize(press="deny")
    assert (
        "error=access_denied&error_description=end-user+denied+authorization"
        in (answer.headers["location"])
    )
    assert login.told(answer)["state"] == "s t=1"


def test_an_unknown_username_is_told_on_the_page(login):
    page = httpx.get(
        f"{login.url}/services/oauth2/authorize",
        params={"response_type": "code", "client_id": "c", "redirect_uri": CALLBACK},
    )
    again = login.press(page, "login", username="nobody@example.com")
    assert again.status_code == 200
    assert "check your username" in again.text
    assert 'id="login"' in again.text


def test_the_code_becomes_a_token_that_works(login):
    answer = login.by_code(login.code())
    token = answer.json()
    assert answer.status_code == 200
    assert set(token) == {
        "access_token",
        "refresh_token",
        "signature",
        "scope",
        "instance_url",
        "id",
        "token_type",
        "issued_at",
    }
    assert token["access_token"].startswith(token["id"].split("/")[-2][:15] + "!")
    assert token["token_type"] == "Bearer"
    assert token["scope"] == "api refresh_token"
    assert token["instance_url"] == login.url
    assert token["issued_at"].isdigit()
    assert len(token["issued_at"]) == 13
    assert login.works(token["access_token"])


def test_without_the_scope_for_it_there_is_no_refresh_token(login):
    assert "refresh_token" not in login.sign_in(scope="api")


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"code_verifier": "x" * 43}, ("invalid_grant", "invalid code verifier")),
        ({"code_verifier": ""}, ("invalid_grant", "invalid code verifier")),
        ({"code": "aPrxNothing=="}, ("invalid_grant", "invalid authorization code")),
        ({"client_id": ""}, ("invalid_client_id", "client identifier invalid")),
        ({"client_id": "other"}, ("invalid_grant", "invalid authorization code")),
        (
            {"redirect_uri": "http://localhost:1718/callback"},
            ("redirect_uri_mismatch", "redirect_uri must match configuration"),
        ),
        (
            {"redirect_uri": CALLBACK + "/"},
            ("redirect_uri_mismatch", "redirect_uri must match configuration"),
        ),
        ({"grant_type": "magic"}, ("unsupported_grant_type", "grant type not supported")),
        ({"grant_type": "password"}, ("invalid_grant", "authentication failure")),
    ],
)
def test_token_requests_that_are_wrong(login, form, refusal):
    assert refused(login.by_code(**{"code": login.code()} | form)) == refusal


def test_a_code_works_once(login):
    code = login.code()
    assert login.by_code(code).status_code == 200
    assert refused(login.by_code(code)) == ("invalid_grant", "expired authorization code")


def test_a_wrong_verifier_uses_the_code_up(login):
    code = login.code()
    login.by_code(code, code_verifier="y" * 50)
    assert refused(login.by_code(code)) == ("invalid_grant", "expired authorization code")


def test_a_code_dies_after_fifteen_minutes(served, login, tmp_path):
    now = [now_utc()]
    login.url = served(folder=tmp_path / "timed", clock=lambda: now[0]).server.url
    code = login.code()
    now[0] += timedelta(minutes=15)
    assert refused(login.by_code(code)) == ("invalid_grant", "expired authorization code")


def test_a_verifier_of_128_random_bytes_is_taken(login):
    verifier = "v" * 171
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    code = login.code(code_challenge=challenge.decode())
    assert login.by_code(code, code_verifier=verifier).status_code == 200


def test_a_challenge_without_a_method_means_s256(login):
    code = login.code(code_challenge_method="")
    assert login.by_code(code).status_code == 200


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "api everything"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_to_the_callback(login, asked, error):
    answer = login.told(login.authorize(**asked))
    assert answer["error"] == error
    assert answer["state"] == "s t=1"


class TestDeclaredApp:
    @pytest.fixture
    def login(self, served, login, tmp_path):
        login.url = served({"version": 1, "apps": [APP]}, folder=tmp_path / "apps").server.url
        login.client_id = "3MVG9app"
        return login

    def test_its_callback_must_match_letter_for_letter(self, login):
        for wrong in (
            "http://localhost:1718/callback",
            CALLBACK + "?x=1",
            "http://127.0.0.1:1717/callback",
        ):
            answer = login.authorize(redirect_uri=wrong)
            assert answer.status_code == 400
            assert "error=redirect_uri_mismatch" in answer.text
            assert "redirect_uri%20must%20match%20configuration" in answer.text

    def test_any_other_client_is_unknown(self, login):
        assert "invalid_client_id" in login.authorize(client_id="other").text
        assert refused(login.token(grant_type="refresh_token", client_id="other"))[0] == (
            "invalid_client_id"
        )

    def test_its_secret_is_asked_for(self, login):
        code = login.code()
        assert refused(login.by_code(code)) == ("invalid_client", "client secret required")
        assert refused(login.by_code(code, client_secret="no")) == (
            "invalid_client",
            "invalid client credentials",
        )
        token = login.by_code(code, client_secret="s3cret").json()
        signed = hmac.new(
            b"s3cret", (token["id"] + token["issued_at"]).encode(), hashlib.sha256
        ).digest()
        assert base64.b64decode(token["signature"]) == signed


def test_an_app_may_insist_on_pkce(served, login, tmp_path):
    app = {"client_id": "3MVG9local", "callbacks": [CALLBACK], "require_pkce": True}
    login.url = served({"version": 1, "apps": [app]}, folder=tmp_path / "pkce").server.url
    answer = login.told(login.authorize(code_challenge="", code_challenge_method=""))
    assert answer["error_description"] == "missing required code challenge"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}]
)
def test_a_page_of_another_origin_cannot_approve(login, headers):
    query = {"response_type": "code", "client_id": login.client_id, "redirect_uri": CALLBACK}
    form = {"step": "approve", "username": "admin@local.example"}
    url = f"{login.url}/services/oauth2/authorize"
    assert httpx.post(url, params=query, data=form).status_code == 302
    assert httpx.post(url, params=query, data=form, headers=headers).status_code == 403
