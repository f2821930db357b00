"""Secrets by reference: from an environment variable, a command's output or a file.

Token files belong to the token store; the files read here contain a key. Neither the secret nor
what a command printed is ever shown.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from runner.credentials import Secret, SecretReference
from runner.errors import SignInError

COMMAND_TIMEOUT_SECONDS = 60.0
LARGEST_BYTES = 1 << 20


def read_secret(
    reference: SecretReference,
    *,
    what: str = "the token",
    environ: Mapping[str, str] | None = None,
    timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> Secret:
    """Read the secret that a reference names, without white space around it.

    Args:
        reference: An `env`, a `command` or a `path` reference.
        what: What the secret is, for messages.
        environ: Environment variables; those of this process when None.
        timeout_seconds: How long a command may run.

    Raises:
        SignInError: The variable is unset or empty; the command fails or prints nothing; the file
            cannot be read, is empty, or other users may read it.
    """
    if reference.env is not None:
        return _of_variable(reference.env, os.environ if environ is None else environ, what)
    if reference.command is not None:
        return _of_command(reference.command, timeout_seconds, what)
    if reference.path is not None:
        return _of_file(reference.path, what)
    message = "a keyring is read by the token store"
    raise ValueError(message)


def _of_file(path: Path, what: str) -> Secret:
    """Read a file; one of this user must not be open to others, as ssh demands of keys."""
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            raise SignInError(
                f"{path} contains {what} and is open to other users "
                f"(mode {stat.S_IMODE(found.st_mode):04o}).",
                hint=f"Run `chmod 600 {shlex.quote(str(path))}`; replace the secret if somebody "
                "else may have read it.",
            )
        with path.open("rb") as stream:
            text = stream.read(LARGEST_BYTES).decode("utf-8", "replace").strip()
    except OSError as error:
        raise SignInError(
            f"{path}, the file of {what}, cannot be read: {error.strerror}.",
            hint="Check the path; one in a job or a connection is relative to that file.",
        ) from None
    if not text:
        raise SignInError(f"{path}, the file of {what}, is empty.", hint="Save the secret in it.")
    return Secret(text)


def _of_variable(name: str, environ: Mapping[str, str], what: str) -> Secret:
    text = environ.get(name, "").strip()
    if not text:
        state = "is empty" if name in environ else "is not set"
        raise SignInError(
            f"The environment variable {name}, which should contain {what}, {state}.",
            hint=f"Set {name}, or name another source in the connection.",
        )
    return Secret(text)


def _of_command(command: tuple[str, ...], timeout_seconds: float, what: str) -> Secret:
    import subprocess  # noqa: PLC0415 - not every start needs it

    program = command[0]
    try:
        # Its error messages go straight to our stderr; only stdout may contain the secret.
        ended = subprocess.run(  # noqa: S603 - the job's author names the program, without a shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout_seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failed(program, what, f"did not finish within {timeout_seconds:g} s") from None
    except OSError as error:
        raise _failed(program, what, f"cannot be started: {error.strerror}") from None
    if ended.returncode != 0:
        raise _failed(program, what, f"failed with exit code {ended.returncode}")
    text = ended.stdout.decode("utf-8", "replace").strip()
    if not text:
        raise _failed(program, what, "printed nothing")
    return Secret(text)


def _failed(program: str, what: str, how: str) -> SignInError:
    return SignInError(
        f"The command for {what} ({program}) {how}.",
        hint=f"Run it by hand as the same user; it must print only {what} and exit with 0.",
    )
