"""Where tokens are kept: a private file, or the memory of this process.

Knows modes, owners and the lock between processes. Knows nothing of the wire: when a token is to
be refreshed is the session's business, which takes either store by its shape.
"""

from __future__ import annotations

import os
import shlex
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from runner.credentials import Secret, Token
from runner.errors import SignInError, StateError
from runner.state.files import PRIVATE_FILE, private_folder, write_atomic
from runner.state.token_format import TokenFormatError, token_from, token_text

LOCK_PATIENCE_SECONDS = 120.0
"""Longer than any one refresh takes, its retries included."""
LARGEST_BYTES = 1 << 20


class TokenFile:
    """One token in one file, mode 0600 in a folder that is made with mode 0700."""

    def __init__(
        self,
        path: Path,
        *,
        login_command: str,
        lock_patience_seconds: float = LOCK_PATIENCE_SECONDS,
    ) -> None:
        """Take the file's path and the command that makes a new one, told in every error."""
        self.path = path
        self._login_command = login_command
        self._lock_patience_seconds = lock_patience_seconds

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: The file is missing, unreadable, of another owner, open to others than
                its owner, or damaged.
        """
        try:
            return token_from(self._text())
        except TokenFormatError as error:
            raise self._refused(f"The token file {self.path} is damaged: it {error}.") from None

    def save(self, token: Token) -> None:
        """Replace the token; on return it is on the disk.

        Raises:
            StateError: The file cannot be written.
        """
        private_folder(self.path.parent)
        write_atomic(self.path, token_text(token), PRIVATE_FILE)

    def remove(self) -> bool:
        """Delete the file; tell whether there was one.

        Raises:
            StateError: It cannot be deleted.
        """
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StateError(
                f"The token file {self.path} cannot be deleted: {error.strerror}.",
                hint="Delete it by hand.",
            ) from error
        return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other thread and process from refreshing this token meanwhile.

        Raises:
            StateError: Another holds the lock for too long, or the folder is read-only.
        """
        private_folder(self.path.parent)
        lock = FileLock(f"{os.path.realpath(self.path)}.lock", mode=PRIVATE_FILE)
        try:
            lock.acquire(timeout=self._lock_patience_seconds)
        except Timeout as error:
            raise StateError(
                f"Another run has kept {self.path} locked for {self._lock_patience_seconds:g} s.",
                hint="See with `runner history` which run that is, end it, then run again.",
            ) from error
        except OSError as error:
            raise StateError(
                f"{self.path} cannot be locked for a refresh: {error.strerror}.",
                hint="Keep the token in a folder that this user may write to: the org may replace "
                "the refresh token each time it is used.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def describe(self) -> str:
        """Say where the token is."""
        return str(self.path)

    def _text(self) -> str:
        """Read the file; what is checked and what is read are the same open file."""
        try:
            # Without O_NONBLOCK a named pipe in the file's place would wait for a writer for ever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._refused(f"There is no token at {self.path}.") from None
        except OSError as error:
            raise self._refused(
                f"The token file {self.path} cannot be read: {error.strerror}."
            ) from error
        try:
            self._check(os.fstat(descriptor))
            content = os.read(descriptor, LARGEST_BYTES)
        finally:
            os.close(descriptor)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise self._refused(f"The token file {self.path} is damaged: it is no text.") from None

    def _check(self, found: os.stat_result) -> None:
        path = shlex.quote(str(self.path))
        if not stat.S_ISREG(found.st_mode):
            raise self._refused(f"{self.path} is no file; a token file was expected there.")
        if found.st_uid != os.geteuid():
            raise self._refused(
                f"The token file {self.path} belongs to user {found.st_uid}, not to the user who "
                f"runs this ({os.geteuid()}).",
                mend=f"chown {os.geteuid()} {path}",
            )
        if found.st_mode & 0o077:
            raise self._refused(
                f"The token file {self.path} is open to other users "
                f"(mode {stat.S_IMODE(found.st_mode):04o}).",
                mend=f"chmod 600 {path}",
            )

    def _refused(self, message: str, *, mend: str | None = None) -> SignInError:
        if mend is None:
            return SignInError(message, hint=f"Run `{self._login_command}`.")
        return SignInError(
            message,
            hint=f"Run `{mend}`, or, where somebody else may have used it, "
            f"`{self._login_command}` for a new one.",
        )


class FixedToken:
    """A token that came with the start of this process and is kept nowhere else."""

    def __init__(self, token: Token, *, origin: str) -> None:
        """Take the token and where it came from, such as `environment variable ACME_TOKEN`."""
        self._token = token
        self._origin = origin
        self._lock = threading.Lock()

    def load(self) -> Token:
        """Give the token, or the one that replaced it."""
        return self._token

    def save(self, token: Token) -> None:
        """Keep a new token for the rest of this process."""
        self._token = token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other threads from refreshing meanwhile."""
        with self._lock:
            yield

    def describe(self) -> str:
        """Say where the token came from."""
        return self._origin


def token_of(
    text: str, *, origin: str, login_command: str, instance_url: str | None = None
) -> Token:
    """Understand what an environment variable or a command gave: a token file's text, or a token.

    Args:
        text: The JSON of a token file, or the access token alone.
        origin: Where it came from, for the error.
        login_command: The command that makes a token.
        instance_url: Where a lone access token is to be used.

    Raises:
        SignInError: It is neither, or an access token alone and the org's address is not known.
    """
    text = text.strip()
    try:
        if text.startswith("{"):
            return token_from(text)
        return _lone_token(text, instance_url)
    except TokenFormatError as error:
        raise SignInError(
            f"The token from {origin} cannot be used: it {error}.",
            hint=f"Give the content of a token file, which `{login_command}` makes.",
        ) from None


def _lone_token(text: str, instance_url: str | None) -> Token:
    if not text:
        raise TokenFormatError("is empty")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise TokenFormatError("has spaces or line ends within")
    if instance_url is None:
        raise TokenFormatError(
            "is an access token alone, and without `domain` or `url` in the connection nothing "
            "says which org it is of"
        )
    return Token(Secret(text), instance_url)
