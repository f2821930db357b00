"""Paths in the state folder.

Knows names and the order in which the folder is chosen. Knows nothing of what the files contain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from runner.errors import StateError
from runner.files import private_folder, real_path

VARIABLE = "SFRUNNER_STATE_DIR"
_READABLE = 40
_HASH_DIGITS = 12


def state_root(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Choose the state folder: the option, SFRUNNER_STATE_DIR, XDG_STATE_HOME, or the home folder.

    A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification says.

    Raises:
        StateError: None of them is set and this user has no home folder.
    """
    if given is not None:
        return given.absolute()
    if named := environ.get(VARIABLE):
        return Path(named).expanduser().absolute()
    xdg = Path(environ.get("XDG_STATE_HOME") or ".")
    return (xdg if xdg.is_absolute() else _home() / ".local" / "state") / "sfrunner"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise StateError(
            "There is no home folder for the runner's state.",
            hint=f"Name a folder with `--state-dir` or {VARIABLE}.",
        ) from error


class StateFolder(Struct, frozen=True):
    """The folder of everything that outlives a run; `root` is absolute."""

    root: Path

    def create(self) -> StateFolder:
        """Create the folder, and the one of the runs, with mode 0700, if they are missing.

        Rows in the runs' folders are private even if the state folder is shared.

        Raises:
            StateError: It cannot be created.
        """
        private_folder(self.runs)
        return self

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.root / "ledger.sqlite"

    @property
    def runs(self) -> Path:
        """The folders of the runs."""
        return self.root / "runs"

    @property
    def locks(self) -> Path:
        """The locks of the runs in progress."""
        return self.root / "locks"

    def local_org_users(self, folder: Path) -> Path:
        """Held by every run that uses the embedded org of a folder."""
        return self.locks / f"local_org.{_key_of(folder)}.users"

    def local_org_start(self, folder: Path) -> Path:
        """Held by the one run that finds or starts the embedded org of a folder."""
        return self.locks / f"local_org.{_key_of(folder)}.start"

    def local_org(self, folder: Path) -> Path:
        """Where the embedded org of a folder of jobs is stored."""
        return self.root / "local_org" / _key_of(folder)

    def run(self, run_id: str) -> Path:
        """A run's folder; it need not exist."""
        return self.runs / run_id


def _key_of(folder: Path) -> str:
    """A file name for a folder: its own name to read, a hash of its real path to tell it apart."""
    path = real_path(folder)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name)[:_READABLE] or "root"
    return f"{name}-{sha256(os.fsencode(path)).hexdigest()[:_HASH_DIGITS]}"
