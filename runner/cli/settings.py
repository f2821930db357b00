"""What the user who runs a job decides: where the state is, what is permitted, which token.

Never decided by a job file: the author of a job must not be able to send the user's token
elsewhere or to overwrite the user's files. Reads the environment. Knows nothing of what a verb
does with the settings.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.credentials import SecretReference
    from runner.job.path_policy import Permissions
    from runner.runs.wiring import UserSettings
    from runner.state.paths import StateFolder

TOKEN = "SFRUNNER_TOKEN"  # noqa: S105 - a variable's name
TOKEN_FILE = "SFRUNNER_TOKEN_FILE"  # noqa: S105
TOKEN_COMMAND = "SFRUNNER_TOKEN_COMMAND"  # noqa: S105
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _check_hosts(hosts: list[str] | None) -> list[str] | None:
    wrong = next((host for host in hosts or () if not _HOST.fullmatch(host)), None)
    if wrong is not None:
        raise typer.BadParameter(
            f"{wrong} is not a host name; write gateway.acme.example, without https://."
        )
    return hosts


AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        envvar="SFRUNNER_ALLOW_HOST",
        callback=_check_hosts,
        help="Also send tokens to this host, besides Salesforce's own; repeatable.",
    ),
]
AllowOutside = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-outside",
        metavar="FOLDER",
        envvar="SFRUNNER_ALLOW_OUTSIDE",
        help="Also let jobs write to this folder and read tokens from it; repeatable.",
    ),
]


def user_settings(
    state_dir: Path | None, hosts: list[str] | None, folders: list[Path] | None
) -> UserSettings:
    """What the user decides, from options and the environment.

    Raises:
        StateError: No state folder is named, and the user has no home folder.
        UsageError: Two variables name two tokens.
    """
    from runner.runs.wiring import UserSettings

    return UserSettings(
        state_folder(state_dir), permissions(hosts, folders), token_override(), keyring_locks()
    )


def state_folder(given: Path | None) -> StateFolder:
    """The state folder that the option or the environment names; not created yet.

    Raises:
        StateError: None is named, and the user has no home folder.
    """
    from runner.state.paths import StateFolder, state_root

    return StateFolder(state_root(given, os.environ))


def keyring_locks() -> Path | None:
    """Where locks of tokens in the keyring are: one folder for all runs of this user.

    None where the user has no home folder.
    """
    from runner.errors import StateError

    try:
        return state_folder(None).locks
    except StateError:
        return None


def permissions(hosts: list[str] | None, folders: list[Path] | None) -> Permissions:
    """What `--allow-host` and `--allow-outside` permit."""
    from runner.job.path_policy import Permissions

    return Permissions(
        frozenset(host.lower() for host in hosts or ()),
        tuple(folder.expanduser().absolute() for folder in folders or ()),
        tuple(_own_folders()),
    )


def _own_folders() -> Iterator[Path]:
    """The user's state and settings folders, as far as this user has a home folder."""
    from runner.errors import StateError

    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or ".")
    with suppress(StateError, RuntimeError):
        yield state_folder(None).root
        yield (xdg if xdg.is_absolute() else Path.home() / ".config") / "sfrunner"


def token_override() -> SecretReference | None:
    """The token that the environment names instead of the connection's.

    Raises:
        UsageError: It names two.
    """
    from runner.credentials import SecretReference
    from runner.errors import UsageError

    names = [name for name in (TOKEN, TOKEN_FILE, TOKEN_COMMAND) if os.environ.get(name)]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} are both set.", hint="Set only one of them.")
    if not names:
        return None
    value = os.environ[names[0]]
    if names[0] == TOKEN:
        return SecretReference(env=TOKEN)
    if names[0] == TOKEN_FILE:
        return SecretReference(path=Path(value).expanduser().absolute())
    try:
        return SecretReference(command=tuple(shlex.split(value)))
    except ValueError:
        raise UsageError(
            f"{TOKEN_COMMAND} has an unclosed quote.", hint="Quote it as in a shell."
        ) from None
