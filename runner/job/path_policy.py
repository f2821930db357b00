"""Paths outside its folder that a job may use.

Pure but for symbolic links, which are followed. Knows nothing of what the job does at a path.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reach:
    """Folders besides the job's own; absolute."""

    folders: tuple[Path, ...] = ()
    """May be written, and secrets may be read from them."""
    secret_folders: tuple[Path, ...] = ()
    """Secrets may be read from them: the runner's folders of the user."""

    def covers(self, path: Path, home: Path, *, secret: bool = False) -> bool:
        """Whether a job in the folder `home` may use a path, after following its links."""
        real = Path(os.path.realpath(path))
        folders = (home, *self.folders, *(self.secret_folders if secret else ()))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


NOWHERE_ELSE = Reach()
