"""Paths in the state folder.

Knows names and the order in which the folder is chosen. Knows nothing of what the files contain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.errors import StateError, UsageError
from runner.files import private_folder, real_path

if TYPE_CHECKING:
    from runner.state.shared.address import SharedAddress

VARIABLE = "SFRUNNER_STATE"
PROJECT_FILE = "sfrunner.yaml"
_READABLE = 40
_HASH_DIGITS = 12


def state_at(given: str | Path | None, environ: Mapping[str, str]) -> StateFolder:
    """Choose the state: the option, SFRUNNER_STATE, the project's file, or the user's own folder.

    Raises:
        UsageError: The address of a shared state is wrong.
        JobError: The project's file is wrong.
        StateError: None is named, and this user has no home folder.
    """
    file = None if given or environ.get(VARIABLE, "").strip() else project_file()
    if file is None:
        return user_state_at(given, environ)
    from runner.state.project_file import state_named_in  # noqa: PLC0415 - few have one

    named = state_named_in(file, environ)
    state = user_state_at(named.place, environ)
    return StateFolder(state.root, state.shared, file, named.variable)


def user_state_at(given: str | Path | None, environ: Mapping[str, str]) -> StateFolder:
    """As `state_at`, whatever the project's file says: that may not permit anything.

    Raises:
        UsageError: The address of a shared state is wrong.
        StateError: None is named, and this user has no home folder.
    """
    named = str(given or environ.get(VARIABLE) or "").strip()
    if "://" in named:
        from hashlib import sha256  # noqa: PLC0415 - not every start needs it

        from runner.state.shared.address import read_address  # noqa: PLC0415 - few have one

        address = read_address(named, project_folder())
        key = sha256(f"{address.label} {address.schema}".encode()).hexdigest()[:_HASH_DIGITS]
        return StateFolder(own_root(environ) / "shared" / key, address)
    return StateFolder(Path(named).expanduser().absolute() if named else own_root(environ))


def own_root(environ: Mapping[str, str]) -> Path:
    """The user's own state folder: below XDG_STATE_HOME, or the home folder.

    A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification says.

    Raises:
        StateError: This user has no home folder.
    """
    xdg = Path(environ.get("XDG_STATE_HOME") or ".")
    return (xdg if xdg.is_absolute() else _home() / ".local" / "state") / "sfrunner"


def user_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Folders of the user's own where tokens may be: the state's and the one of settings.

    None where the user has no home folder.
    """
    try:
        folders = [user_state_at(None, environ).root]
    except StateError:
        return ()
    xdg = Path(environ.get("XDG_CONFIG_HOME") or ".")
    with suppress(RuntimeError):
        folders.append((xdg if xdg.is_absolute() else Path.home() / ".config") / "sfrunner")
    return tuple(folders)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise StateError(
            "There is no home folder for the runner's state.",
            hint=f"Name a folder with `--state` or {VARIABLE}.",
        ) from error


def project_folder() -> Path:
    """The work tree that the current folder is in, or that folder."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), here)


def project_file() -> Path | None:
    """The project's file, also where it cannot be read; None if there is none.

    Raises:
        UsageError: There is one by a name that is not read; its state would not be used.
    """
    file = project_folder() / PROJECT_FILE
    if file.is_symlink() or file.exists():
        return file
    other = file.with_suffix(".yml")
    if other.exists():
        raise UsageError(
            f"{other} is not read: the project's file is {PROJECT_FILE}.",
            hint=f"Rename it, or name the state yourself, with `--state` or {VARIABLE}.",
        )
    return None


WORKING_FOLDERS = ("staging", "judged", "comparing")
"""In a task's folder; they mean nothing to another process."""


class StateFolder(Struct, frozen=True):
    """The folder of everything that outlives a run; `root` is absolute."""

    root: Path
    shared: SharedAddress | None = None
    """Where the ledger, the locks and the files of runs are, if machines share them; the folder has
    the files of runs while this machine uses them."""
    project_file: Path | None = None
    """The file that names it; None: the user does, or nobody."""
    variable: str | None = None
    """The user's variable that the project's file means; None: the file has the place itself."""

    @property
    def is_chosen_by_project(self) -> bool:
        """Whether only the project says where it is: no token may go there."""
        return self.project_file is not None and self.variable is None

    def create(self) -> StateFolder:
        """Create the folder, and the one of the runs, with mode 0700, if they are missing.

        Rows in the runs' folders are private even if the state folder is shared.

        Raises:
            StateError: It cannot be created.
        """
        private_folder(self.runs, _NO_STATE)
        return self

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.root / "ledger.sqlite"

    @property
    def is_new(self) -> bool:
        """Whether nothing has been recorded yet, as far as can be seen without opening it."""
        return self.shared is None and not self.ledger.exists()

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


_NO_STATE = (
    "Runs and their history are kept there: give this user access to it, or name another folder "
    f"with `--state` or {VARIABLE}."
)


def _key_of(folder: Path) -> str:
    """A file name for a folder: its own name to read, a hash of its real path to tell it apart."""
    path = real_path(folder)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name)[:_READABLE] or "root"
    from hashlib import sha256  # noqa: PLC0415 - not every start needs it

    return f"{name}-{sha256(os.fsencode(path)).hexdigest()[:_HASH_DIGITS]}"
