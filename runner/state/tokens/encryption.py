"""Encrypted token files: AES-256-GCM, with a key derived from a passphrase.

Pure: text to text. Knows the envelope and its cipher. Knows nothing of where the key is stored.
"""

from __future__ import annotations

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from runner.credentials import Secret
from runner.state.tokens.format import DecryptionError

CIPHER = "AES-256-GCM"
_PURPOSE = b"sfrunner token file, version 1"
"""Authenticated too: a text encrypted for another purpose is not accepted as a token."""
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_COST, _BLOCK_SIZE, _LANES = 1 << 15, 8, 1
"""32 MB and about 100 ms for each guess at a passphrase."""


def is_encrypted(text: str) -> bool:
    """Whether a text is an envelope, not a token in plain text."""
    return '"sealed"' in text[:200]


def encrypt(text: str, passphrase: Secret) -> str:
    """Encrypt a text into an envelope, one JSON object."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    ciphertext = AESGCM(_key(passphrase, salt)).encrypt(nonce, text.encode(), _PURPOSE)
    parts = {"salt": salt, "nonce": nonce, "ciphertext": ciphertext}
    coded = {name: base64.b64encode(part).decode("ascii") for name, part in parts.items()}
    return json.dumps({"version": 1, "sealed": {"cipher": CIPHER, **coded}}, indent=2) + "\n"


def decrypt(text: str, passphrase: Secret) -> str:
    """Decrypt the text in an envelope.

    Raises:
        DecryptionError: The key is wrong, or the envelope was changed.
    """
    salt, nonce, ciphertext = _parts(text)
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, ciphertext, _PURPOSE).decode()
    except (InvalidTag, ValueError):
        raise DecryptionError("cannot be decrypted with this key, or was changed") from None


def _parts(text: str) -> tuple[bytes, bytes, bytes]:
    try:
        envelope = json.loads(text)["sealed"]
        cipher = envelope["cipher"]
        salt, nonce, ciphertext = (
            base64.b64decode(envelope[name], validate=True)
            for name in ("salt", "nonce", "ciphertext")
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DecryptionError("is a damaged envelope") from None
    if cipher != CIPHER:
        raise DecryptionError("is encrypted with a cipher that this release does not know")
    return salt, nonce, ciphertext


def _key(passphrase: Secret, salt: bytes) -> bytes:
    kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=_COST, r=_BLOCK_SIZE, p=_LANES)
    return kdf.derive(passphrase.reveal().encode())
