from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.credentials import Secret, Token
from runner.errors import ExitCode, SignInError, TransientError, UnexpectedAnswerError, UsageError
from runner.salesforce.auth import oauth
from runner.salesforce.http.messages import OrgResponse, json_body

CLIENT = oauth.Client("https://login.salesforce.com", "3MVG9")
GRANTED = {
    "access_token": "00Dx0000000BV7z!AR8AQ",
    "refresh_token": "5Aep861",
    "signature": "x",
    "scope": "refresh_token api",
    "instance_url": "https://na1.salesforce.com",
    "id": "https://login.salesforce.com/id/00Dx0000000BV7zEAM/005x00000012Q9PAAU",
    "token_type": "Bearer",
    "issued_at": "1278448832702",
}


def granted(**changes):
    return OrgResponse(200, {}, json_body({**GRANTED, **changes}))


def test_the_authorize_page_is_asked_with_pkce_and_state():
    url = oauth.authorize_url(
        CLIENT,
        redirect_uri="http://localhost:1717/OauthRedirect",
        state="s+t",
        code_challenge="c",
    )
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://login.salesforce.com/services/oauth2/authorize"
    )
    assert {name: values[0] for name, values in parse_qs(parts.query).items()} == {
        "response_type": "code",
        "client_id": "3MVG9",
        "redirect_uri": "http://localhost:1717/OauthRedirect",
        "scope": "api refresh_token",
        "state": "s+t",
        "code_challenge": "c",
        "code_challenge_method": "S256",
    }


def test_a_code_is_traded_with_its_verifier():
    request = oauth.code_exchange(
        CLIENT,
        redirect_uri="http://localhost:1717/x",
        code=Secret("aPrx=="),
        code_verifier=Secret("v"),
    )
    assert request.encoded_form() == (
        b"grant_type=authorization_code&code=aPrx%3D%3D&redirect_uri=http%3A%2F%2Flocalhost%3A1717%2Fx"
        b"&code_verifier=v&client_id=3MVG9"
    )
    assert request.repeatable is False
    assert "aPrx" not in repr(request)


def test_a_refresh_names_no_scopes_and_is_not_repeatable():
    request = oauth.refresh(CLIENT, Secret("5Aep861"))
    assert request.encoded_form() == (
        b"grant_type=refresh_token&refresh_token=5Aep861&client_id=3MVG9"
    )
    assert request.repeatable is False
    assert "5Aep861" not in repr(request)


def test_a_token_is_revoked_by_its_name():
    assert oauth.revoke("https://x", Secret("t")).encoded_form() == b"token=t"


def test_a_whole_token_is_read():
    assert oauth.token_of(granted(), CLIENT) == Token(
        access_token=Secret("00Dx0000000BV7z!AR8AQ"),
        instance_url="https://na1.salesforce.com",
        refresh_token=Secret("5Aep861"),
        client_id="3MVG9",
        login_url="https://login.salesforce.com",
        org_id="00Dx0000000BV7zEAM",
        user_id="005x00000012Q9PAAU",
        scopes=("refresh_token", "api"),
        issued_at=datetime(2010, 7, 6, 20, 40, 32, 702000, tzinfo=UTC),
    )


def test_a_refresh_keeps_what_the_answer_leaves_out():
    before = oauth.token_of(granted(), CLIENT)
    bare = OrgResponse(
        200, {}, json_body({"access_token": "new", "instance_url": "https://na2.salesforce.com"})
    )
    after = oauth.token_of(bare, CLIENT, previous=before)
    assert after.refresh_token == Secret("5Aep861")
    assert (after.access_token, after.instance_url) == (Secret("new"), "https://na2.salesforce.com")
    assert (after.org_id, after.scopes, after.issued_at) == (
        before.org_id,
        before.scopes,
        before.issued_at,
    )


def test_a_rotated_refresh_token_replaces_the_old_one():
    before = oauth.token_of(granted(), CLIENT)
    after = oauth.token_of(granted(refresh_token="next"), CLIENT, previous=before)
    assert after.refresh_token == Secret("next")


@pytest.mark.parametrize("body", [{}, {"access_token": "x"}, {"instance_url": "https://x"}])
def test_an_answer_without_a_token_is_unexpected(body):
    with pytest.raises(UnexpectedAnswerError):
        oauth.token_of(OrgResponse(200, {}, json_body(body)), CLIENT)


def test_a_token_for_a_plain_http_host_is_refused():
    with pytest.raises(UsageError):
        oauth.token_of(granted(instance_url="http://evil.example"), CLIENT)


@pytest.mark.parametrize("issued_at", [None, "soon", "9" * 30])
def test_an_odd_time_of_issue_is_no_reason_to_fail(issued_at):
    assert oauth.token_of(granted(issued_at=issued_at), CLIENT).issued_at is None


@pytest.mark.parametrize(
    ("code", "description", "advice"),
    [
        ("invalid_grant", "expired access/refresh token", "runner login"),
        ("invalid_grant", "expired authorization code", "15 minutes"),
        ("invalid_grant", "user hasn't approved this consumer", "pre-authorise"),
        ("invalid_grant", "Audience validation failed", "environment"),
        ("invalid_grant", "invalid assertion", "clock"),
        ("invalid_grant", "request not supported on this domain", "My Domain"),
        ("invalid_grant", "no client credentials user enabled", "run-as user"),
        ("invalid_grant", "authentication failure", "Login History"),
        ("invalid_grant", "something new", "runner login"),
        ("invalid_client_id", "client identifier invalid", "client_id"),
        ("invalid_client", "client secret required", "Require secret"),
        ("invalid_client", "invalid client credentials", "consumer key"),
        ("app_not_found", "External client app is not installed in this org", "Install"),
        ("inactive_user", "user is inactive", "activate"),
        ("inactive_org", "organization is inactive", "not active"),
        ("redirect_uri_mismatch", "redirect_uri must match configuration", "callback URL"),
        ("invalid_request", "missing required code challenge", "PKCE"),
        ("invalid_request", "refresh_token scope is required", "scopes"),
        ("unsupported_grant_type", "grant type not supported", "flow"),
        ("unsupported_response_type", "response type not supported", "flow"),
        ("invalid_scope", "the requested scope is not allowed", "scopes"),
        ("something_else", "x", "External Client App"),
    ],
)
def test_each_refusal_says_what_to_do(code, description, advice):
    answer = OrgResponse(400, {}, json_body({"error": code, "error_description": description}))
    with pytest.raises(SignInError) as caught:
        oauth.token_of(answer, CLIENT)
    assert code in caught.value.message
    assert description in caught.value.message
    assert advice in caught.value.hint
    assert caught.value.exit_code is ExitCode.SIGN_IN


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "rate_limit_exceeded", "error_description": "login rate exceeded"}),
        (400, {"error": "unknown_error", "error_description": "retry your request"}),
        (500, {"error": "server_error"}),
    ],
)
def test_what_may_pass_is_transient(status, body):
    with pytest.raises(TransientError):
        oauth.token_of(OrgResponse(status, {}, json_body(body)), CLIENT)


def test_a_web_page_is_no_refusal_of_the_sign_in():
    with pytest.raises(TransientError):
        oauth.token_of(OrgResponse(503, {}, b"<html><title>Maintenance</title></html>"), CLIENT)
