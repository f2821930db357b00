"""What a job may do beyond its own folder, as permitted by the person who runs it.

Pure but for symbolic links, which are followed. Knows nothing of what the job does at a path.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct


class Permissions(Struct, frozen=True):
    """Permitted by the person who runs a job, never by the job file."""

    hosts: frozenset[str] = frozenset()
    """Lower-case names of hosts that may be sent tokens, besides Salesforce's own."""
    folders: tuple[Path, ...] = ()
    """Absolute; a job may write to them and read secrets from them, besides its own folder."""
    secret_folders: tuple[Path, ...] = ()
    """Absolute; a job may read secrets from them: the user's own folders of the runner."""

    def covers(self, path: Path, home: Path, *, secret: bool = False) -> bool:
        """Whether a job in the folder `home` may use a path, wherever symbolic links lead."""
        real = Path(os.path.realpath(path))
        folders = (home, *self.folders, *(self.secret_folders if secret else ()))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


NO_PERMISSIONS = Permissions()
