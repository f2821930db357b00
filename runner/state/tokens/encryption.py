"""A token file that only who has the key can read: AES-256-GCM, the key made of a passphrase.

Pure: text to text. Knows the envelope and its cipher. Knows nothing of where the key is kept.
"""

from __future__ import annotations

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from runner.credentials import Secret
from runner.state.tokens.format import SealError

CIPHER = "AES-256-GCM"
_PURPOSE = b"sfrunner token file, version 1"
"""Authenticated along: a text sealed for anything else does not open as a token."""
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_COST, _BLOCK_SIZE, _LANES = 1 << 15, 8, 1
"""32 MB and some 100 ms for each guess at a passphrase."""


def is_sealed(text: str) -> bool:
    """Whether a text is an envelope rather than a token in clear."""
    return '"sealed"' in text[:200]


def sealed(text: str, passphrase: Secret) -> str:
    """Put a text into an envelope: one JSON object."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    ciphertext = AESGCM(_key(passphrase, salt)).encrypt(nonce, text.encode(), _PURPOSE)
    parts = {"salt": salt, "nonce": nonce, "ciphertext": ciphertext}
    coded = {name: base64.b64encode(part).decode("ascii") for name, part in parts.items()}
    return json.dumps({"version": 1, "sealed": {"cipher": CIPHER, **coded}}, indent=2) + "\n"


def opened(text: str, passphrase: Secret) -> str:
    """Take a text out of its envelope.

    Raises:
        SealError: The key is another, or the envelope is not as it was made.
    """
    salt, nonce, ciphertext = _parts(text)
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, ciphertext, _PURPOSE).decode()
    except (InvalidTag, ValueError):
        raise SealError("does not open with this key, or was changed") from None


def _parts(text: str) -> tuple[bytes, bytes, bytes]:
    try:
        envelope = json.loads(text)["sealed"]
        cipher = envelope["cipher"]
        salt, nonce, ciphertext = (
            base64.b64decode(envelope[name], validate=True)
            for name in ("salt", "nonce", "ciphertext")
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SealError("is a damaged envelope") from None
    if cipher != CIPHER:
        raise SealError("is encrypted in a way that this release does not know")
    return salt, nonce, ciphertext


def _key(passphrase: Secret, salt: bytes) -> bytes:
    kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=_COST, r=_BLOCK_SIZE, p=_LANES)
    return kdf.derive(passphrase.reveal().encode())
