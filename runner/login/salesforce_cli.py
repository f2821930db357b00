"""Taking over a sign-in that the Salesforce CLI has on this machine.

Asks the CLI by its own command: its files are encrypted with a key in the system's keychain, and
their form is nobody's promise. Since May 2026 the CLI stars tokens out of every other answer, JSON
included, and gives them by `org auth show-sfdx-auth-url` alone; older ones give the URL by
`org display --verbose`. Knows nothing of what the token is good for.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from runner.credentials import Secret
from runner.errors import SignInError

VARIABLE = "SFRUNNER_SF"
PATIENCE_SECONDS = 120.0
_QUESTIONS = (
    ("org", "auth", "show-sfdx-auth-url"),
    ("org", "display", "--verbose"),
)


def auth_url(alias: str, environ: Mapping[str, str]) -> Secret:
    """Ask the CLI for the sign-in URL of an org.

    Args:
        alias: Alias or username, as the CLI knows it.
        environ: SFRUNNER_SF names the command where it is not `sf`.

    Raises:
        SignInError: There is no CLI, it does not know the org, or it has no refresh token for it.
    """
    if alias.startswith("-"):
        raise SignInError(f"{alias} is no alias of the Salesforce CLI.", hint="See `sf org list`.")
    command = shlex.split(environ.get(VARIABLE, "")) or ["sf"]
    said = ""
    for question in _QUESTIONS:
        answer = _asked([*command, *question, "--target-org", alias, "--json"])
        url = _member(answer.get("result"), "sfdxAuthUrl")
        if url.startswith("force://"):
            return Secret(url)
        said = said or _member(answer, "message")
    raise SignInError(
        f"The Salesforce CLI gives no sign-in URL for {alias}: {said or 'it told none'}",
        hint="Only orgs that were signed in to in a browser have one: `sf org login web --alias "
        f"{alias}`. Where the CLI signs in with a key, use it here too: `runner login --jwt`.",
    )


def _asked(command: Sequence[str]) -> Mapping[str, object]:
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own CLI
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise SignInError(
            f"There is no {command[0]} on this machine.",
            hint=f"Install the Salesforce CLI, or name its command in {VARIABLE}; or sign in with "
            "`runner login`.",
        ) from None
    except (OSError, subprocess.TimeoutExpired):
        raise SignInError(
            f"{command[0]} did not answer.", hint="Run `sf org list` to see whether it works."
        ) from None
    try:
        answer = json.loads(ended.stdout)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _member(mapping: object, name: str) -> str:
    value = mapping.get(name) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else ""
