"""The signed assertion of a JWT bearer sign-in.

Knows claims and RS256 (Salesforce accepts RSA keys of at least 2,048 bits, not elliptic curves).
Knows nothing of where the key is stored. Slow to import; only a JWT sign-in needs it.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from runner.credentials import Secret
from runner.errors import SignInError
from runner.redaction import register_secret

LIFETIME = timedelta(minutes=3)
"""Salesforce refuses assertions that are valid for more than five."""
LEAST_KEY_BITS = 2048


def signed(  # noqa: PLR0913 - the claims, and what signs them
    *,
    client_id: str,
    username: str,
    audience: str,
    key: Secret,
    now: datetime,
    passphrase: Secret | None = None,
) -> Secret:
    """Sign an assertion.

    Args:
        client_id: The app's consumer key.
        username: The user to sign in.
        audience: The kind of org, `https://login.salesforce.com` or `https://test.salesforce.com`.
        key: The private key, PEM or that in base64; the app has its certificate.
        now: Aware.
        passphrase: What the key is encrypted with, if it is.

    Raises:
        SignInError: The key cannot be used.
    """
    claims = {
        "iss": client_id,
        "sub": username,
        "aud": audience,
        "exp": int((now.astimezone(UTC) + LIFETIME).timestamp()),
    }
    return Secret(jwt.encode(claims, _private_key(key, passphrase), algorithm="RS256"))


def _private_key(given: Secret, passphrase: Secret | None) -> RSAPrivateKey:
    password = passphrase.reveal().encode() if passphrase else None
    pem = _pem(given)
    is_encrypted = b"ENCRYPTED" in pem
    try:
        load = load_pem_private_key if b"-----BEGIN" in pem else load_der_private_key
        key = load(pem, password=password if is_encrypted else None)
    except TypeError:
        raise _unusable("is protected by a passphrase", _MISSING) from None
    except ValueError:
        if is_encrypted:
            raise _unusable("cannot be decrypted: the passphrase is not its own", _WRONG) from None
        raise _unusable("is not a private key in PEM format", _GENERATE) from None
    except UnsupportedAlgorithm:
        raise _unusable("is not a private key in PEM format", _GENERATE) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_KEY_BITS:
        raise _unusable("is not an RSA key of at least 2,048 bits", _GENERATE)
    return key


def _pem(given: Secret) -> bytes:
    """The key as PEM or DER, which some secret stores hold in base64."""
    # A variable set by hand often holds the two characters of an escaped line end.
    text = given.reveal().replace("\\n", "\n")
    if "-----BEGIN" not in text:
        try:
            decoded = b64decode("".join(text.split()), validate=True)
        except ValueError:
            return text.encode()
        if b"-----BEGIN" in decoded:
            register_secret(decoded.decode("utf-8", "replace"))
        return decoded
    return text.encode()


_MISSING = (
    "Write where its passphrase is: `passphrase: {env: NAME}` beside `key`, or `--passphrase-env`."
)
_WRONG = "Check what `passphrase` names."
_GENERATE = (
    "It starts with -----BEGIN PRIVATE KEY-----. `openssl req -x509 -newkey rsa:2048 -nodes -days "
    "730 -keyout key.pem -out certificate.pem` creates one; upload the certificate to the app."
)


def _unusable(why: str, hint: str) -> SignInError:
    return SignInError(f"The key of the JWT sign-in {why}.", hint=hint)
