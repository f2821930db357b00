"""The assertion that a JWT bearer sign-in shows: who one is, signed with the app's key.

Knows claims and RS256 (Salesforce takes RSA of 2,048 bits or more, and no elliptic curves). Knows
nothing of where the key is kept. Slow to import; only who signs needs it.
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
"""Salesforce refuses assertions that would live for more than five."""
LEAST_KEY_BITS = 2048


def signed(*, client_id: str, username: str, audience: str, key: Secret, now: datetime) -> Secret:
    """Sign an assertion.

    Args:
        client_id: The app's consumer key.
        username: Whom to sign in.
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
        raise _unusable("is no private key in PEM", _GENERATE) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_KEY_BITS:
        raise _unusable("is no RSA key of 2,048 bits or more", _GENERATE)
    return key


_DECRYPT = (
    "Give it without one, from a secret store: `key: {command: [...]}`, or once "
    "`openssl rsa -in key.pem -out plain.pem` and `chmod 600 plain.pem`."
)
_GENERATE = (
    "It begins with -----BEGIN PRIVATE KEY-----; `openssl req -x509 -newkey rsa:2048 -nodes -days "
    "730 -keyout key.pem -out certificate.pem` makes one, and the certificate goes into the app."
)


def _unusable(why: str, hint: str) -> SignInError:
    return SignInError(f"The key of the JWT sign-in {why}.", hint=hint)
