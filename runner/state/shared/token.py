"""Tokens in the state that machines share, encrypted.

One machine at a time refreshes a token: the lock is a lease, and what is saved depends on it. Knows
nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from runner.credentials import Secret, SecretReference, Token
from runner.errors import LockHeldError, SignInError, StateError
from runner.job.secrets import read_secret
from runner.state.locks import REFRESH_PATIENCE_SECONDS, Holder
from runner.state.paths import StateFolder
from runner.state.shared.address import SharedAddress
from runner.state.shared.database import PostgresDatabase
from runner.state.shared.locks import leased
from runner.state.tokens.encryption import decrypt, encrypt
from runner.state.tokens.format import (
    DecryptionError,
    TokenFormatError,
    as_seeded,
    token_from_json,
    token_json,
)

_FIND = "SELECT sealed FROM tokens WHERE name = :name"
_SAVE = (
    "INSERT INTO tokens (name, sealed, updated) VALUES (:name, :sealed, now()) "
    "ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, updated = excluded.updated"
)
_REMOVE = "DELETE FROM tokens WHERE name = :name"


class SharedToken:
    """One token under one name."""

    def __init__(
        self,
        name: str,
        state: StateFolder,
        key: SecretReference,
        *,
        login_command: str,
        seed: Token | None = None,
    ) -> None:
        """Describe the token; nothing is read yet.

        Args:
            name: Its name in the state.
            state: The state, which is shared.
            key: Where the passphrase is.
            login_command: Makes a new token; quoted in every error.
            seed: The token to start with if there is none; how it signs in overrides the token.
        """
        self.name = name
        self._state = state
        self._key = key
        self._login_command = login_command
        self._seed = seed
        self._locked: PostgresDatabase | None = None

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: There is none, or it cannot be decrypted.
            StateError: The state cannot be used.
        """
        with self._opened() as database, database.reading() as connection:
            row = connection.execute(_FIND, {"name": self.name}).fetchone()
        if row is None and self._seed is not None:
            return self._seed
        if row is None:
            raise self._refused(f"There is no token {self.name} in the state.")
        try:
            token = token_from_json(decrypt(row["sealed"], self._passphrase()))
        except (TokenFormatError, DecryptionError) as error:
            raise self._refused(f"The token {self.name} in the state {error}.") from None
        return as_seeded(token, self._seed)

    def save(self, token: Token) -> None:
        """Replace the token.

        Raises:
            SignInError: The key cannot be read.
            StateError: The state cannot be used.
        """
        sealed = encrypt(token_json(token), self._passphrase())
        with self._opened() as database:
            database.execute(_SAVE, {"name": self.name, "sealed": sealed})

    def check_writable(self) -> None:
        """Check, before anyone signs in, that the key and the state can be used.

        Raises:
            SignInError: The key cannot be read.
            StateError: The state cannot be used.
        """
        self._passphrase()
        with self._opened():
            pass

    def remove(self) -> bool:
        """Delete the token; return whether there was one.

        Raises:
            StateError: The state cannot be used.
        """
        with self._opened() as database:
            return database.execute(_REMOVE, {"name": self.name}) > 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the token's lock: nobody else refreshes it meanwhile, on any machine.

        Raises:
            StateError: Another holds the lock for too long, or the state cannot be used.
        """
        with (
            self._opened() as database,
            leased(
                database,
                self._connect,
                f"token {self.name}",
                run_id="",
                since=datetime.now(UTC),
                wait_seconds=REFRESH_PATIENCE_SECONDS,
                refused=self._held,
            ),
        ):
            self._locked = database
            try:
                yield
            except LockHeldError as error:  # somebody else has refreshed it
                raise StateError(error.message, hint=error.hint) from error
            finally:
                self._locked = None

    def describe(self) -> str:
        """Where the token is, for messages."""
        return f"token {self.name} of the state {self._address.label}"

    @property
    def _address(self) -> SharedAddress:
        assert self._state.shared is not None  # noqa: S101 - as the class says
        return self._state.shared

    def _connect(self) -> PostgresDatabase:
        return PostgresDatabase(self._address, self._state.runs)

    @contextmanager
    def _opened(self) -> Iterator[PostgresDatabase]:
        """The database; while the lock is held that of the lock, so that writes depend on it."""
        if self._locked is not None:
            yield self._locked
            return
        database = self._connect()
        try:
            yield database
        finally:
            database.close()

    def _passphrase(self) -> Secret:
        return read_secret(self._key, what="the key of the token")

    def _refused(self, message: str) -> SignInError:
        return SignInError(message, hint=f"Run `{self._login_command}`.")

    def _held(self, holder: Holder | None) -> LockHeldError:  # noqa: ARG002 - a token has no run
        return LockHeldError(
            f"Another run has locked {self.describe()} for {REFRESH_PATIENCE_SECONDS:g} s.",
            hint="Find that run with `runner history`, end it, then run again.",
        )
