"""Folders that a job may write into, or take secrets from, although they are not its own.

An option of the person, never of a job file: who writes a job must not be able to overwrite files
of whoever runs it, nor use their tokens. Kept for whoever reads a job of this command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.job.path_policy import Reach

VARIABLE = "SFRUNNER_ALLOW_OUTSIDE"
_allowed: ContextVar[tuple[Path, ...] | None] = ContextVar("allowed_places", default=None)


def _remember(folders: list[Path] | None) -> list[Path] | None:
    _allowed.set(tuple(folder.expanduser().absolute() for folder in folders or ()))
    return folders


AllowOutside = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-outside",
        metavar="FOLDER",
        envvar=VARIABLE,
        callback=_remember,
        help="Jobs may write here too, and keep tokens here, besides their own folder; may be "
        "given again.",
    ),
]


def reach() -> Reach:
    """What `--allow-outside` says; for a verb without that option, its variable."""
    from runner.job.path_policy import Reach

    told = _allowed.get()
    if told is None:
        named = os.environ.get(VARIABLE, "").split(os.pathsep)
        told = tuple(Path(each).expanduser().absolute() for each in named if each)
    return Reach(told, tuple(_own_folders()))


def _own_folders() -> Iterator[Path]:
    """The user's folders of state and of settings, as far as this user has a home."""
    from runner.errors import StateError
    from runner.state.paths import state_root

    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or ".")
    with suppress(StateError, RuntimeError):
        yield state_root(None, os.environ)
        yield (xdg if xdg.is_absolute() else Path.home() / ".config") / "sfrunner"
