"""simple-salesforce signs in for itself by the flows that the local org has."""

import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

USER = "admin@local.example"
APPS = """\
version: 1
apps:
  - client_id: machine
    client_secret: pretend
    client_credentials_user: admin@local.example
  - client_id: signer
    users_preauthorized: true
    certificate: |
{certificate}
  - client_id: unapproved
    certificate: |
{certificate}
"""


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def org_file(key):
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return APPS.format(certificate=textwrap.indent(pem, " " * 6))


@pytest.fixture
def sign_in(session, key, tmp_path):
    """Sign in as a user with an app's key."""
    file = tmp_path / "app.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def sign_in(consumer_key, username=USER):
        named = {"username": username, "consumer_key": consumer_key}
        return Salesforce(**named, privatekey_file=str(file), session=session)

    return sign_in


def test_with_a_signed_assertion(sign_in):
    sf = sign_in("signer")
    assert sf.auth_type == "jwt-bearer"
    assert sf.query("SELECT Username FROM User")["records"][0]["Username"] == USER


def test_a_session_that_has_ended_is_begun_again(sign_in):
    sf = sign_in("signer")
    sf.oauth2("revoke", params={"token": sf.session_id}, method="POST")
    assert sf.query("SELECT Id FROM User")["totalSize"] == 1


def test_an_app_that_nobody_approved_is_refused(sign_in):
    with (
        pytest.warns(UserWarning, match="self-authorize"),
        pytest.raises(SalesforceAuthenticationFailed) as refused,
    ):
        sign_in("unapproved")
    assert refused.value.code == "invalid_grant"


def test_with_client_credentials(session):
    given = {"consumer_key": "machine", "domain": "acme.my", "session": session}
    sf = Salesforce(**given, consumer_secret="pretend")
    assert sf.auth_type == "client-credentials"
    assert sf.query("SELECT Id FROM User")["totalSize"] == 1
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(**given, consumer_secret="guessed")
    assert refused.value.code == "invalid_client"


def test_no_password_signs_in_here(session):
    """The org has no passwords and no SOAP; Salesforce itself is ending both flows."""
    with pytest.raises(SalesforceAuthenticationFailed):
        Salesforce(username=USER, password="x", security_token="y", session=session)
    connected_app = {"consumer_key": "machine", "consumer_secret": "pretend"}
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(username=USER, password="x", **connected_app, session=session)
    assert refused.value.code == "invalid_grant"
