from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from runner.credentials import Secret
from runner.errors import SignInError
from runner.salesforce.auth.assertion import signed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def pem(key, passphrase=None):
    cipher = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, cipher).decode()


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def assertion(text):
    return signed(
        client_id="3MVG9",
        username="jobs@acme.example",
        audience="https://login.salesforce.com",
        key=Secret(text),
        now=NOW,
    )


@pytest.mark.parametrize("written", [str, lambda text: text.replace("\n", "\\n")])
def test_an_assertion_says_who_and_for_how_long(key, written):
    claims = jwt.decode(
        assertion(written(pem(key))).reveal(),
        key.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    assert claims == {
        "iss": "3MVG9",
        "sub": "jobs@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(NOW.timestamp()) + 180,
    }


def test_a_key_that_cannot_sign_is_told_and_not_shown(key):
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is to be refused
    curve = ec.generate_private_key(ec.SECP256R1())
    for text, told in (
        ("garbage", "not a private key in PEM"),
        (pem(key, b"secret"), "passphrase"),
        (pem(small), "2,048 bits"),
        (pem(curve), "2,048 bits"),
    ):
        with pytest.raises(SignInError, match=told) as refused:
            assertion(text)
        assert text not in f"{refused.value.message} {refused.value.hint}"
