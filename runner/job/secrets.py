"""Secrets by reference: from an environment variable or from a command's output.

Knows the two kinds of reference that hold a secret in text; token files are the token store's. The
text is never shown, and neither is what a command printed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from runner.credentials import Secret
from runner.errors import SignInError
from runner.job.model import SecretReference

COMMAND_TIMEOUT_SECONDS = 60.0


def read_secret(
    reference: SecretReference,
    *,
    environ: Mapping[str, str] | None = None,
    timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> Secret:
    """Read the secret that a reference names; without the line break at its end.

    Args:
        reference: An `env` or a `command` reference.
        environ: Environment variables; this process's own when None.
        timeout_seconds: How long a command may take.

    Raises:
        SignInError: The variable is unset or empty; the command fails or prints nothing.
    """
    if reference.env is not None:
        return _of_variable(reference.env, os.environ if environ is None else environ)
    if reference.command is not None:
        return _of_command(reference.command, timeout_seconds)
    message = "a path is read by the token store"
    raise ValueError(message)


def _of_variable(name: str, environ: Mapping[str, str]) -> Secret:
    text = environ.get(name, "").strip()
    if not text:
        state = "is empty" if name in environ else "is not set"
        raise SignInError(
            f"The environment variable {name}, which holds the token, {state}.",
            hint=f"Set {name}, or name another place in the connection's `token`.",
        )
    return Secret(text)


def _of_command(command: tuple[str, ...], timeout_seconds: float) -> Secret:
    program = command[0]
    try:
        # Its complaints go to our stderr by themselves; only stdout may hold the secret.
        ended = subprocess.run(  # noqa: S603 - the job's author names the program, without a shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout_seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failed(program, f"did not end within {timeout_seconds:g} s") from None
    except OSError as error:
        raise _failed(program, f"cannot be started: {error.strerror}") from None
    if ended.returncode != 0:
        raise _failed(program, f"ended with exit code {ended.returncode}")
    text = ended.stdout.decode("utf-8", "replace").strip()
    if not text:
        raise _failed(program, "printed nothing")
    return Secret(text)


def _failed(program: str, how: str) -> SignInError:
    return SignInError(
        f"The command that gives the token ({program}) {how}.",
        hint="Run it by hand as the same user; it must print the token, and nothing else, and "
        "end with 0.",
    )
