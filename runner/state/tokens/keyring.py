"""Tokens in the operating system's keyring (the extra `sfrunner[keyring]`).

Knows the keyring library, which knows the Keychain, the Credential Locker, the Secret Service and
KWallet. Knows nothing of the wire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.credentials import Token
from runner.errors import SignInError, StateError
from runner.files import private_folder
from runner.state.locks import refresh_lock
from runner.state.tokens.format import (
    TokenFormatError,
    as_seeded,
    token_from_json,
    token_json,
)

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "sfrunner"


class KeyringToken:
    """One token under one name."""

    def __init__(
        self, name: str, *, login_command: str, lock_folder: Path, seed: Token | None = None
    ) -> None:
        """Describe the entry; nothing is read yet.

        Args:
            name: Of the entry, under the service `sfrunner`.
            login_command: Makes a new token; quoted in every error.
            lock_folder: Where the lock between processes is; a keyring has none.
            seed: The token to start with if there is no entry; how it signs in overrides the entry.
        """
        self.name = name
        self._login_command = login_command
        self._lock = lock_folder / f"keyring-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
        self._seed = seed
        self._backend = _backend()

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: There is none, the keyring cannot be opened, or the entry is damaged.
        """
        with _as_sign_in_errors(self.name):
            text = self._backend.get_password(SERVICE, self.name)
        if text is None and self._seed is not None:
            return self._seed
        if text is None:
            raise self._refused(f"There is no token {self.name} in the keyring.")
        try:
            token = token_from_json(text)
        except TokenFormatError as error:
            raise self._refused(
                f"The keyring's entry {self.name} is damaged: it {error}."
            ) from None
        return as_seeded(token, self._seed)

    def save(self, token: Token) -> None:
        """Replace the token.

        Raises:
            SignInError: The keyring cannot be opened.
        """
        with _as_sign_in_errors(self.name):
            self._backend.set_password(SERVICE, self.name, token_json(token))

    def check_writable(self) -> None:
        """Check, before anyone signs in, that the keyring can be opened.

        Raises:
            SignInError: It cannot.
        """
        with _as_sign_in_errors(self.name):
            self._backend.get_password(SERVICE, self.name)

    def remove(self) -> bool:
        """Delete the entry; return whether there was one.

        Raises:
            SignInError: The keyring cannot be opened.
        """
        with _as_sign_in_errors(self.name):
            if self._backend.get_password(SERVICE, self.name) is None:
                return False
            self._backend.delete_password(SERVICE, self.name)
        return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the token's lock: no other thread or process refreshes it meanwhile.

        Raises:
            StateError: Another holds the lock for too long, or the folder is read-only.
        """
        private_folder(self._lock.parent)
        with refresh_lock(self._lock, self.describe()):
            yield

    def describe(self) -> str:
        """Where the token is, for messages."""
        return f"keyring entry {self.name}"

    def _refused(self, message: str) -> SignInError:
        return SignInError(message, hint=f"Run `{self._login_command}`.")


def _backend() -> KeyringBackend:
    """The keyring of the operating system, as the library has chosen it.

    Raises:
        StateError: The library is missing, or would hold the token readable or not at all.
    """
    try:
        import keyring  # noqa: PLC0415 - an extra, which most installations do without
    except ImportError:
        raise StateError(
            "The token is in the operating system's keyring, but its library is not installed.",
            hint="Run `pip install 'sfrunner[keyring]'`, or keep the token in a file.",
        ) from None
    backend = keyring.get_keyring()
    # A chain would fall through to the next, which may be a plain file.
    backend = next(iter(getattr(backend, "backends", ())), backend)
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    if name.startswith(_NOT_OF_THE_SYSTEM) or "plaintext" in name.lower():
        raise StateError(
            f"{name} is not the operating system's keyring: it holds tokens in readable files, "
            "weakly encrypted, or not at all.",
            hint="Choose another backend (`python -m keyring --list-backends`), or keep the token "
            "in a file: `token: tokens/NAME.json`, which can be encrypted.",
        )
    return backend


_NOT_OF_THE_SYSTEM = ("keyrings.alt.", "keyring.backends.null.")


@contextmanager
def _as_sign_in_errors(name: str) -> Iterator[None]:
    from keyring.errors import KeyringError  # noqa: PLC0415 - as above

    try:
        yield
    except KeyringError as error:
        raise SignInError(
            f"The keyring cannot be opened for {name}: {type(error).__name__}.",
            hint="Unlock it, or install a backend (`python -m keyring --list-backends`); "
            "without a desktop session, keep the token in a file: `token: tokens/NAME.json`.",
        ) from None
