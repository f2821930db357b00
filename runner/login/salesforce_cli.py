"""Imports a sign-in from the Salesforce CLI on this machine.

Knows the CLI's commands: its files are encrypted with a key in the system's keychain, and their
format is undocumented. Since May 2026 the CLI masks tokens in every output, JSON included, except
that of `org auth show-sfdx-auth-url`; older releases give the URL by `org display --verbose`.
Knows nothing of how the token is used.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from runner.credentials import Secret
from runner.errors import SignInError
from runner.state.tokens.parsing import without_colour

VARIABLE = "SFRUNNER_SF"
PATIENCE_SECONDS = 120.0
_COMMANDS = (
    ("org", "auth", "show-sfdx-auth-url"),
    ("org", "display", "--verbose"),
)


def auth_url(alias: str, environ: Mapping[str, str]) -> Secret:
    """Ask the CLI for the sign-in URL of an org.

    Args:
        alias: Alias or username, as the CLI knows it.
        environ: SFRUNNER_SF names the command if it is not `sf`.

    Raises:
        SignInError: There is no CLI, it does not know the org, or it has no refresh token for it.
    """
    if alias.startswith("-"):
        raise SignInError(
            f"{alias} is not an alias of the Salesforce CLI.", hint="See `sf org list`."
        )
    command = shlex.split(environ.get(VARIABLE, "")) or ["sf"]
    message = ""
    for arguments in _COMMANDS:
        words = [*command, *arguments, "--target-org", alias, "--json"]
        answer = _ask(words, {**environ, **_WITHOUT_COLOUR})
        url = _member(answer.get("result"), "sfdxAuthUrl")
        if url.startswith("force://"):
            return Secret(url)
        message = message or _member(answer, "message")
    raise SignInError(
        f"The Salesforce CLI has no sign-in URL for {alias}: {message or 'no reason given'}",
        hint="Only a sign-in in the browser has one: `sf org login web --alias "
        f"{alias}`. If the CLI signs in with a key, use the key here too: `runner login --jwt`.",
    )


_WITHOUT_COLOUR = {"FORCE_COLOR": "0", "CLICOLOR_FORCE": "0", "NO_COLOR": "1"}


def _ask(command: Sequence[str], environ: Mapping[str, str]) -> Mapping[str, object]:
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own CLI
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS, check=False, env=environ,
        )  # fmt: skip
    except FileNotFoundError:
        raise SignInError(
            f"{command[0]} is not installed on this machine.",
            hint=f"Install the Salesforce CLI, or set {VARIABLE} to its command; or sign in with "
            "`runner login`.",
        ) from None
    except (OSError, subprocess.TimeoutExpired):
        raise SignInError(
            f"{command[0]} did not answer.", hint="Run `sf org list` to see whether it works."
        ) from None
    try:
        answer = json.loads(without_colour(ended.stdout.decode("utf-8", "replace")))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _member(mapping: object, name: str) -> str:
    value = mapping.get(name) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else ""
