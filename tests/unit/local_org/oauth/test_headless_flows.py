"""Flows without a browser: JWT bearer and client credentials."""

from __future__ import annotations

import functools

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.local_org.org import now_utc

USERNAME = "admin@local.example"


@functools.cache
def key(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(private):
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def app(**more):
    return {"client_id": "3MVG9jwt", "certificate": public_pem(key()), **more}


def start(served, tmp_path, login, **more):
    declared = {"version": 1, "apps": [app(**more)]}
    login.url = served(declared, folder=tmp_path / "jwt").server.url
    login.client_id = "3MVG9jwt"
    return login


def assertion(private=None, algorithm="RS256", **claims):
    told = {
        "iss": "3MVG9jwt",
        "sub": USERNAME,
        "aud": "https://login.salesforce.com",
        "exp": int(now_utc().timestamp()) + 180,
    } | claims
    return jwt.encode(
        {name: value for name, value in told.items() if value is not None},
        private or key(),
        algorithm=algorithm,
    )


def bear(login, text):
    return login.token(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=text)


def description(answer):
    assert answer.status_code == 400
    return answer.json()["error_description"]


def test_a_signed_assertion_gives_a_session_and_no_refresh_token(served, tmp_path, login):
    start(served, tmp_path, login, users_preauthorized=True)
    token = bear(login, assertion()).json()
    assert "refresh_token" not in token
    assert login.works(token["access_token"])


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "https://example.com"}, "Audience validation failed"),
        ({"exp": int(now_utc().timestamp()) - 10}, "expired assertion"),
        ({"exp": int(now_utc().timestamp()) + 3600}, "invalid assertion"),
        ({"exp": None}, "invalid assertion"),
        ({"sub": "nobody@example.com"}, "user hasn't approved this consumer"),
        ({"iss": "other"}, "client identifier invalid"),
    ],
)
def test_wrong_claims_are_refused(served, tmp_path, login, claims, words):
    start(served, tmp_path, login, users_preauthorized=True)
    assert description(bear(login, assertion(**claims))) == words


def test_milliseconds_are_taken_as_the_salesforce_cli_sends_them(served, tmp_path, login):
    start(served, tmp_path, login, users_preauthorized=True)
    now = int(now_utc().timestamp() * 1000)
    assert bear(login, assertion(exp=now + 300)).status_code == 200
    assert description(bear(login, assertion(exp=now - 600_000))) == "expired assertion"
    assert description(bear(login, assertion(exp=now + 3_600_000))) == "invalid assertion"


def test_a_key_that_is_not_registered_is_refused(served, tmp_path, login):
    start(served, tmp_path, login, users_preauthorized=True)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert description(bear(login, assertion(stranger))) == "invalid assertion"
    assert description(bear(login, assertion(algorithm="RS512"))) == "invalid assertion"
    assert description(bear(login, "not.a.token")) == "invalid assertion"


def test_a_user_who_never_approved_is_refused_until_they_do(served, tmp_path, login):
    start(served, tmp_path, login, callbacks=["http://localhost:1717/callback"])
    assert description(bear(login, assertion())) == "user hasn't approved this consumer"
    login.sign_in()
    assert bear(login, assertion()).status_code == 200


def test_client_credentials_act_for_the_configured_user(served, tmp_path, login):
    start(served, tmp_path, login, client_secret="s3cret", client_credentials_user=USERNAME)
    answer = login.token(grant_type="client_credentials", client_secret="s3cret")
    assert "refresh_token" not in answer.json()
    assert login.works(answer.json()["access_token"])
    wrong = login.token(grant_type="client_credentials", client_secret="no")
    assert wrong.json() == {
        "error": "invalid_client",
        "error_description": "invalid client credentials",
    }


def test_client_credentials_without_such_a_user_are_refused(served, tmp_path, login):
    start(served, tmp_path, login, client_secret="s3cret")
    answer = login.token(grant_type="client_credentials", client_secret="s3cret")
    assert description(answer) == "no client credentials user enabled"


def test_without_declared_apps_any_client_credentials_are_accepted(login):
    answer = login.token(grant_type="client_credentials", client_secret="anything")
    assert login.works(answer.json()["access_token"])
    missing = login.token(grant_type="client_credentials")
    assert description(missing) == "invalid client credentials"


def test_discovery_names_what_is_served_and_a_key(login):
    found = httpx.get(f"{login.url}/.well-known/openid-configuration").json()
    assert found["issuer"] == login.url
    assert found["token_endpoint"] == f"{login.url}/services/oauth2/token"
    (key,) = httpx.get(found["jwks_uri"]).json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert jwt.PyJWK(key).key.key_size == 2048
