"""What the user who runs a job decides: where the state is, what is permitted, which token.

Nothing but the state is ever decided by a file of the project: the author of a job must not be able
to send the user's token elsewhere or to overwrite the user's files. Reads the environment. Knows
nothing of what a verb does with the settings.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.terminal import echo

if TYPE_CHECKING:
    from runner.credentials import SecretReference
    from runner.job.permissions import Permissions
    from runner.runs.wiring import UserSettings
    from runner.state.paths import StateFolder

TOKEN = "SFRUNNER_TOKEN"  # noqa: S105 - a variable's name
TOKEN_FILE = "SFRUNNER_TOKEN_FILE"  # noqa: S105
TOKEN_COMMAND = "SFRUNNER_TOKEN_COMMAND"  # noqa: S105
_OLD_STATE = "SFRUNNER_STATE_DIR"
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


AllowHost = Annotated[
    list[str] | None,
    Option(
        "--allow-host",
        metavar="HOST",
        envvar="SFRUNNER_ALLOW_HOST",
        help="Also send tokens to this host, besides Salesforce's own; repeatable.",
    ),
]
AllowOutside = Annotated[
    list[Path] | None,
    Option(
        "--allow-outside",
        metavar="FOLDER",
        envvar="SFRUNNER_ALLOW_OUTSIDE",
        help="Also let jobs write to this folder and read tokens from it; repeatable.",
    ),
]


def user_settings(
    state_dir: str | None, hosts: list[str] | None, folders: list[Path] | None
) -> UserSettings:
    """What the user decides, from options and the environment.

    Raises:
        StateError: No state folder is named, and the user has no home folder.
        UsageError: A host is not one, or two variables name two tokens.
    """
    from runner.runs.wiring import UserSettings

    own, state = user_state(), state_folder(state_dir)
    return UserSettings(
        state, permissions(hosts, folders, own), token_override(), own.locks if own else None
    )


def state_folder(given: str | None) -> StateFolder:
    """The state that the option, the environment or the project names; not created yet.

    Raises:
        JobError: The project's file is wrong.
        StateError: None is named, and the user has no home folder.
    """
    from runner.state.paths import state_at

    if given is None:
        _tell_old_name()
    return state_at(given, os.environ)


@cache
def _tell_old_name() -> None:
    """Warn, once, if only the former name of the variable is set."""
    from runner.state.paths import VARIABLE

    if os.environ.get(_OLD_STATE) and not os.environ.get(VARIABLE):
        echo(f"warning: {_OLD_STATE} is ignored; it has been renamed to {VARIABLE}.", err=True)


def user_state() -> StateFolder | None:
    """The state folder without option and project: it has the locks of the user's keyring tokens.

    None if the user has no home folder.
    """
    from runner.errors import StateError
    from runner.state.paths import user_state_at

    _tell_old_name()
    try:
        return user_state_at(None, os.environ)
    except StateError:
        return None


def permissions(
    hosts: list[str] | None, folders: list[Path] | None, own: StateFolder | None
) -> Permissions:
    """What `--allow-host` and `--allow-outside` permit; tokens may also be in the user's folders.

    Raises:
        UsageError: A host is not one.
    """
    from runner.errors import UsageError
    from runner.job.permissions import Permissions
    from runner.state.paths import user_folders

    wrong = next((host for host in hosts or () if not _HOST.fullmatch(host)), None)
    if wrong is not None:
        raise UsageError(
            f"--allow-host {wrong} is not a host name.",
            hint="Write it like gateway.acme.example, without https://.",
        )
    return Permissions(
        frozenset(host.lower() for host in hosts or ()),
        tuple(folder.expanduser().absolute() for folder in folders or ()),
        () if own is None else user_folders(os.environ),
    )


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
    import shlex

    try:
        return SecretReference(command=tuple(shlex.split(value)))
    except ValueError:
        raise UsageError(
            f"{TOKEN_COMMAND} has an unclosed quote.", hint="Quote it as in a shell."
        ) from None
