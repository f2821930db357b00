"""Proof Key for Code Exchange (RFC 7636, S256), and the state that guards a redirect.

Pure but for the system's randomness. The verifier stays in this process until the code is
exchanged; only its hash travels through the browser.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from runner.credentials import Secret

_BYTES = 64
"""86 characters once encoded; RFC 7636 wants 43 to 128."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A verifier and its challenge."""

    verifier: Secret
    challenge: str

    @classmethod
    def of(cls, verifier: str) -> Proof:
        """Make the challenge of a verifier: BASE64URL(SHA256(verifier)) without padding."""
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        return cls(Secret(verifier), base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"))

    @classmethod
    def new(cls) -> Proof:
        """Make a proof that nobody can guess."""
        return cls.of(secrets.token_urlsafe(_BYTES))


def new_state() -> str:
    """Make a state that nobody can guess, 43 characters."""
    return secrets.token_urlsafe(32)
