"""Proof Key for Code Exchange (RFC 7636, S256), and the state that guards a redirect.

Pure but for the system's randomness. Knows that the verifier stays in this process until the code
is exchanged, and that only its hash goes through the browser. Knows nothing of requests.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from msgspec import Struct

from runner.credentials import Secret

_BYTES = 64
"""86 characters when encoded; RFC 7636 allows 43 to 128."""


class Proof(Struct, frozen=True):
    """A verifier and its challenge."""

    verifier: Secret
    challenge: str

    @classmethod
    def of(cls, verifier: str) -> Proof:
        """The challenge of a verifier: BASE64URL(SHA256(verifier)) without padding."""
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        return cls(Secret(verifier), base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"))

    @classmethod
    def new(cls) -> Proof:
        """A random proof."""
        return cls.of(secrets.token_urlsafe(_BYTES))


def new_state() -> str:
    """A random state of 43 characters."""
    return secrets.token_urlsafe(32)
