"""Authorization codes: issued once, redeemed once, within fifteen minutes, with the right verifier.

Knows PKCE (RFC 7636, S256 only). Knows no page and no token. Codes do not outlive the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta
from threading import Lock

from msgspec import Struct

from runner.local_org.oauth.refusal import OAuthRefusal, wrong_callback
from runner.local_org.oauth.sessions import opaque
from runner.local_org.org import Org, User

LIFE = timedelta(minutes=15)
# RFC 7636 allows 128 characters; Salesforce accepts 128 random bytes, which are 171 characters
# (jsforce and the Salesforce CLI send that many).
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,172}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Approval(Struct, frozen=True):
    """What a user agreed to on the page."""

    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    """S256 challenge; empty if the client sent none."""
    user: User


def check_challenge(challenge: str, method: str, *, required: bool) -> None:
    """Refuse an unusable challenge; an absent method means S256.

    Raises:
        OAuthRefusal: invalid_request.
    """
    if not challenge:
        if required:
            raise OAuthRefusal("invalid_request", "missing required code challenge")
        return
    if method not in {"", "S256"}:
        raise OAuthRefusal("invalid_request", "code challenge method not supported")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthRefusal("invalid_request", "invalid code challenge")


class Codes:
    """The codes of an org."""

    def __init__(self, org: Org) -> None:
        self._clock = org.clock
        self._lock = Lock()
        self._open: dict[str, tuple[Approval, datetime]] = {}
        self._used: set[str] = set()

    def issue(self, approval: Approval) -> str:
        """A new code for an approval."""
        code = f"aPrx{opaque(76)}=="
        with self._lock:
            self._open[code] = (approval, self._clock() + LIFE)
        return code

    def redeem(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> Approval:
        """The approval of a code; the code is used up even if this fails.

        Raises:
            OAuthRefusal: invalid_grant, or redirect_uri_mismatch.
        """
        with self._lock:
            if code in self._used:
                raise OAuthRefusal("invalid_grant", "expired authorization code")
            found = self._open.pop(code, None)
            if found is None:
                raise OAuthRefusal("invalid_grant", "invalid authorization code")
            self._used.add(code)
        approval, dies = found
        if self._clock() >= dies:
            raise OAuthRefusal("invalid_grant", "expired authorization code")
        if client_id != approval.client_id:
            raise OAuthRefusal("invalid_grant", "invalid authorization code")
        if redirect_uri != approval.redirect_uri:
            raise wrong_callback()
        if not _proven(approval.challenge, verifier):
            raise OAuthRefusal("invalid_grant", "invalid code verifier")
        return approval


def _proven(challenge: str, verifier: str) -> bool:
    if not challenge:
        return True
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(made, challenge)
