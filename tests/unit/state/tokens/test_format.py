import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runner.credentials import ClientCredentials, JwtBearer, Secret, SecretReference, Token
from runner.state.tokens.format import TokenFormatError, token_from_json, token_json

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "schemas" / "token.schema.json").read_text(encoding="utf-8")
)
FULL = Token(
    access_token=Secret("00D5g00000ABCDE!AQ.access"),
    instance_url="https://acme.my.salesforce.com",
    refresh_token=Secret("5Aep.refresh"),
    client_id="3MVG9.key",
    login_url="https://login.salesforce.com",
    org_id="00D5g00000ABCDEEA5",
    user_id="0055g00000ABCDEAA5",
    username="ada@acme.example",
    scopes=("api", "refresh_token"),
    issued_at=datetime(2026, 11, 23, 13, 5, 1, tzinfo=UTC),
    client_secret=Secret("0123456789ABCDEF"),
    grant=JwtBearer("ada@acme.example", SecretReference(env="ACME_KEY")),
    rotates=True,
    renewal_began=datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC),
)
GRANTS = (
    JwtBearer("ada@acme.example", SecretReference(path=Path("/keys/acme.pem"))),
    JwtBearer("ada@acme.example", SecretReference(command=("pass", "show", "acme"))),
    ClientCredentials(SecretReference(env="ACME_SECRET")),
)
LEAST = Token(Secret("00D!a"), "http://127.0.0.1:8123")


@pytest.mark.parametrize("token", [FULL, LEAST, *(replace(LEAST, grant=each) for each in GRANTS)])
def test_what_is_written_is_read_back_and_fits_the_schema(token):
    text = token_json(token)
    assert token_from_json(text) == token
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(text), SCHEMA)


def test_what_is_empty_is_left_out_so_that_it_can_be_read_back():
    token = Token(Secret("00D!a"), "https://a", username="", org_id="")
    assert token_from_json(token_json(token)) == Token(Secret("00D!a"), "https://a")


def test_the_schema_tells_every_member():
    assert set(json.loads(token_json(FULL))) == set(SCHEMA["properties"])
    assert all(member["description"] for member in SCHEMA["properties"].values())


def test_times_are_kept_in_utc():
    text = json.dumps(
        {**json.loads(token_json(LEAST)), "issued_at": "2026-11-23T14:05:01+01:00"},
    )
    assert token_from_json(text).issued_at == FULL.issued_at
    eastern = timezone(timedelta(hours=-5))
    token = Token(Secret("a"), "https://a", issued_at=FULL.issued_at.astimezone(eastern))
    assert json.loads(token_json(token))["issued_at"] == "2026-11-23T13:05:01+00:00"


def test_a_member_of_a_later_release_is_passed_over():
    assert token_from_json(json.dumps({**json.loads(token_json(LEAST)), "colour": "red"})) == LEAST


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": None}, 'no "version"'),
        ({"version": True}, 'no "version"'),
        ({"version": 2}, "version 2; this release reads version 1"),
        ({"access_token": None}, 'no "access_token"'),
        ({"access_token": ""}, '"access_token" that is empty or not a string'),
        ({"refresh_token": 7}, '"refresh_token" that is empty or not a string'),
        ({"instance_url": None}, 'no "instance_url"'),
        ({"instance_url": "acme.my.salesforce.com"}, "not an http or https URL"),
        ({"instance_url": "file:///etc/passwd"}, "not an http or https URL"),
        ({"instance_url": "https://[oops"}, "not an http or https URL"),
        ({"login_url": "ftp://x"}, '"login_url" that is not'),
        ({"scopes": "api"}, '"scopes"'),
        ({"scopes": [1]}, '"scopes"'),
        ({"grant": "jwt"}, '"grant" that this release does not know'),
        ({"grant": {"kind": "saml"}}, '"grant" that this release does not know'),
        ({"grant": {"kind": "client_credentials"}}, "does not say where"),
        (
            {"grant": {"kind": "client_credentials", "secret": {"command": []}}},
            "does not say where",
        ),
        ({"issued_at": "yesterday"}, '"issued_at" that is not a time'),
    ],
)
def test_what_is_wrong_is_told(change, reason):
    text = json.dumps({**json.loads(token_json(FULL)), **change})
    with pytest.raises(TokenFormatError, match=reason):
        token_from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"00D!token"', "[" * 100_000, "\0"])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(TokenFormatError):
        token_from_json(text)


@given(st.text() | st.from_regex(r'\{"version": ?1, ?"(access_token|scopes)": ?.*\}'))
def test_any_text_is_a_token_or_is_refused(text):
    with contextlib.suppress(TokenFormatError):
        token_from_json(text)


def test_the_reason_never_shows_the_token():
    broken = token_json(FULL)[:-5]
    with pytest.raises(TokenFormatError) as caught:
        token_from_json(broken)
    assert "5Aep" not in str(caught.value)
    assert caught.value.__cause__ is None
