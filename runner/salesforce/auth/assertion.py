"""The signed assertion of a JWT bearer sign-in.

Knows claims and RS256 (Salesforce accepts RSA keys of at least 2,048 bits, not elliptic curves).
Knows nothing of where the key is stored. Slow to import; only a JWT sign-in needs it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from runner.credentials import Secret
from runner.errors import SignInError

LIFETIME = timedelta(minutes=3)
"""Salesforce refuses assertions that are valid for more than five."""
LEAST_KEY_BITS = 2048


def signed(*, client_id: str, username: str, audience: str, key: Secret, now: datetime) -> Secret:
    """Sign an assertion.

    Args:
        client_id: The app's consumer key.
        username: The user to sign in.
        audience: The kind of org, `https://login.salesforce.com` or `https://test.salesforce.com`.
        key: The private key, PEM, without a passphrase; the app has its certificate.
        now: Aware.

    Raises:
        SignInError: The key cannot be used.
    """
    claims = {
        "iss": client_id,
        "sub": username,
        "aud": audience,
        "exp": int((now.astimezone(UTC) + LIFETIME).timestamp()),
    }
    return Secret(jwt.encode(claims, _private_key(key), algorithm="RS256"))


def _private_key(pem: Secret) -> RSAPrivateKey:
    # A variable set by hand often holds the two characters of an escaped line end.
    text = pem.reveal().replace("\\n", "\n").encode()
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError:
        raise _unusable("is protected by a passphrase", _DECRYPT) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable("is not a private key in PEM format", _GENERATE) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_KEY_BITS:
        raise _unusable("is not an RSA key of at least 2,048 bits", _GENERATE)
    return key


_DECRYPT = (
    "Provide it without a passphrase: from a secret store with `key: {command: [...]}`, or decrypt "
    "it once with `openssl rsa -in key.pem -out plain.pem` and `chmod 600 plain.pem`."
)
_GENERATE = (
    "It starts with -----BEGIN PRIVATE KEY-----. `openssl req -x509 -newkey rsa:2048 -nodes -days "
    "730 -keyout key.pem -out certificate.pem` creates one; upload the certificate to the app."
)


def _unusable(why: str, hint: str) -> SignInError:
    return SignInError(f"The key of the JWT sign-in {why}.", hint=hint)
