"""Tokens in private files, plain or encrypted.

Knows modes, owners, git work trees and the lock between processes. Knows nothing of the wire: the
session decides when a token is refreshed.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.credentials import Secret, SecretReference, Token
from runner.errors import SignInError, StateError
from runner.files import private_folder, write_private
from runner.job.secrets import read_secret
from runner.state.locks import REFRESH_PATIENCE_SECONDS, refresh_lock
from runner.state.tokens.format import (
    DecryptionError,
    TokenFormatError,
    as_seeded,
    token_from_json,
    token_json,
)
from runner.state.tokens.git_guard import exposing_work_tree

LARGEST_BYTES = 1 << 20


class TokenFile:
    """One token in one file of mode 0600; a missing folder is created with mode 0700."""

    def __init__(
        self,
        path: Path,
        *,
        login_command: str,
        key: SecretReference | None = None,
        seed: Token | None = None,
        lock_patience_seconds: float = REFRESH_PATIENCE_SECONDS,
    ) -> None:
        """Describe the file; nothing is read yet.

        Args:
            path: The file; it need not exist.
            login_command: Makes a new token; quoted in every error.
            key: Where the passphrase is, if the file is encrypted.
            seed: The token to start with if there is no file: a grant that signs in by itself. How
                it signs in overrides the file.
            lock_patience_seconds: How long to wait for another process.
        """
        self.path = path
        self._key = key
        self._seed = seed
        self._login_command = login_command
        self._lock_patience_seconds = lock_patience_seconds

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: The file is missing, unreadable, owned by another user, readable by
                others, in a git work tree that does not ignore it, or damaged.
        """
        if self._seed is not None and not self.path.exists():
            return self._seed
        try:
            token = token_from_json(self._decrypted(self._text()))
        except (TokenFormatError, DecryptionError) as error:
            raise self._refused(f"The token file {self.path} is damaged: it {error}.") from None
        return as_seeded(token, self._seed)

    def save(self, token: Token) -> None:
        """Replace the token; on return it is on the disk.

        Raises:
            StateError: The file cannot be written.
            SignInError: Git would commit it.
        """
        self._refuse_in_work_tree()
        private_folder(self.path.parent)
        text = token_json(token)
        if self._key is not None:
            from runner.state.tokens.encryption import encrypt  # noqa: PLC0415 - slow to import

            text = encrypt(text, self._passphrase(self._key))
        write_private(self.path, text)

    def check_writable(self) -> None:
        """Check, before anyone signs in, that a token can be saved here.

        Raises:
            SignInError: Git would commit it, or its key cannot be read.
            StateError: There is another file in its place, or the folder is read-only.
        """
        self._refuse_in_work_tree()
        if self._key is not None:
            self._passphrase(self._key)
        if self.path.exists() and not self._looks_like_a_token_file():
            raise StateError(
                f"{self.path} is not a token file, so it is not overwritten.",
                hint="Correct the connection's `token`, or move that file.",
            )
        with self.locked():
            pass

    def _looks_like_a_token_file(self) -> bool:
        try:
            beginning = self.path.read_bytes()[:LARGEST_BYTES].strip()
        except OSError:
            return False
        return not beginning or (beginning[:1] == b"{" and b'"version"' in beginning)

    def _refuse_in_work_tree(self) -> None:
        root = exposing_work_tree(self.path)
        if root is None:
            return
        inside = self.path.absolute().relative_to(root)
        folder = f"{inside.parent}/" if inside.parent != Path() else str(inside)
        raise SignInError(
            f"The token file {self.path} is in the git work tree {root}, which does not ignore it: "
            "the next commit could publish it.",
            hint=f"Run `echo {shlex.quote('/' + folder)} >> "
            f"{shlex.quote(str(root / '.gitignore'))}`, or keep the token elsewhere. If it is "
            f"already committed: `git rm --cached {shlex.quote(str(inside))}`, `runner logout`, "
            f"`{self._login_command}`.",
        )

    def _decrypted(self, text: str) -> str:
        if self._key is None:
            if '"sealed"' in text[:200]:
                raise TokenFormatError(
                    "is encrypted, but the connection names no key: write "
                    "`token: {file: …, key: {env: NAME}}`"
                )
            return text
        from runner.state.tokens.encryption import decrypt, is_encrypted  # noqa: PLC0415 - slow to import

        return decrypt(text, self._passphrase(self._key)) if is_encrypted(text) else text

    def _passphrase(self, key: SecretReference) -> Secret:
        return read_secret(key, what="the key of the token file")

    def remove(self) -> bool:
        """Delete the file; return whether there was one.

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
        """Hold the token's lock: no other thread or process refreshes it meanwhile.

        Raises:
            StateError: Another holds the lock for too long, or the folder is read-only.
        """
        private_folder(self.path.parent)
        lock = Path(f"{os.path.realpath(self.path)}.lock")
        with refresh_lock(lock, str(self.path), self._lock_patience_seconds):
            yield

    def describe(self) -> str:
        """Where the token is, for messages."""
        return str(self.path)

    def _text(self) -> str:
        """Read the file; the checks are on the same open file."""
        try:
            # Without O_NONBLOCK a named pipe would wait for a writer forever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._refused(f"There is no token at {self.path}.") from None
        except OSError as error:
            raise self._refused(
                f"The token file {self.path} cannot be read: {error.strerror}."
            ) from error
        try:
            self._check(os.fstat(descriptor))
            self._refuse_in_work_tree()
            content = os.read(descriptor, LARGEST_BYTES)
        finally:
            os.close(descriptor)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise self._refused(f"The token file {self.path} is damaged: it is not text.") from None

    def _check(self, found: os.stat_result) -> None:
        path = shlex.quote(str(self.path))
        if not stat.S_ISREG(found.st_mode):
            raise self._refused(f"{self.path} is not a file; a token file was expected.")
        if found.st_uid != os.geteuid():
            raise self._refused(
                f"The token file {self.path} belongs to user {found.st_uid}, not to the user of "
                f"this process ({os.geteuid()}).",
                fix=f"chown {os.geteuid()} {path}",
            )
        if found.st_mode & 0o077:
            raise self._refused(
                f"The token file {self.path} is open to other users "
                f"(mode {stat.S_IMODE(found.st_mode):04o}).",
                fix=f"chmod 600 {path}",
            )

    def _refused(self, message: str, *, fix: str | None = None) -> SignInError:
        if fix is None:
            return SignInError(message, hint=f"Run `{self._login_command}`.")
        return SignInError(
            message,
            hint=f"Run `{fix}`; or, if somebody else may have used the token, "
            f"`{self._login_command}` for a new one.",
        )
