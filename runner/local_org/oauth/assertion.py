"""JWT bearer: the user of a signed assertion.

Knows claims and keys (RS256, RSA of 2048 bits or more, as Salesforce). Knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from runner.local_org.oauth.refusal import OAuthRefusal

AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
MOST_SECONDS_AHEAD = 300
"""How far ahead `exp` may be, besides a clock skew of three minutes."""
SKEW_SECONDS = 180
_MILLISECONDS_FROM = 10**11
"""Larger times are milliseconds: the Salesforce CLI sends `Date.now() + 300`."""
_LEAST_KEY_BITS = 2048


def issuer_of(assertion: str) -> str:
    """The consumer key of an assertion, not verified yet.

    Raises:
        OAuthRefusal: invalid_grant.
    """
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise _invalid() from None
    return str(claims.get("iss", ""))


def subject_of(assertion: str, certificate: str, own_url: str, now: datetime) -> str:
    """The username that an assertion proves.

    Raises:
        OAuthRefusal: invalid_grant.
    """
    try:
        claims = jwt.decode(
            assertion,
            _key_of(certificate),
            algorithms=["RS256"],
            # Times are checked by the org's clock below.
            options={
                "verify_exp": False,
                "verify_aud": False,
                "verify_iat": False,
                "verify_nbf": False,
                "require": ["iss", "sub", "aud", "exp"],
            },
        )
    except (jwt.PyJWTError, ValueError, UnsupportedAlgorithm):
        raise _invalid() from None
    _check_time(claims, now)
    _check_audience(claims["aud"], own_url)
    return str(claims["sub"])


def _check_time(claims: Mapping[str, object], now: datetime) -> None:
    expires = _number(claims["exp"])
    grace = 0
    if expires > _MILLISECONDS_FROM:
        expires, grace = expires / 1000, SKEW_SECONDS
    ahead = expires - now.timestamp()
    if ahead + grace <= 0:
        raise OAuthRefusal("invalid_grant", "expired assertion")
    if not ahead <= MOST_SECONDS_AHEAD + SKEW_SECONDS:  # also refuses NaN
        raise _invalid()


def _number(value: object) -> float:
    """A NumericDate; Salesforce also accepts it as text, which simple-salesforce sends."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _invalid()
    try:
        return float(value)
    except ValueError:
        raise _invalid() from None


def _check_audience(audience: object, own_url: str) -> None:
    audiences = audience if isinstance(audience, list) else [audience]
    accepted = {*AUDIENCES, own_url}
    if not any(isinstance(each, str) and each.rstrip("/") in accepted for each in audiences):
        raise OAuthRefusal("invalid_grant", "Audience validation failed")


def _key_of(pem: str) -> RSAPublicKey:
    text = pem.encode()
    certified = "BEGIN CERTIFICATE" in pem
    key = load_pem_x509_certificate(text).public_key() if certified else load_pem_public_key(text)
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_KEY_BITS:
        raise ValueError("not an RSA key of 2048 bits or more")
    return key


def _invalid() -> OAuthRefusal:
    return OAuthRefusal("invalid_grant", "invalid assertion")
