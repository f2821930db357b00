"""Which places outside its own folder a job may name, by the word of who runs it.

Pure but for symbolic links, which are followed. Knows nothing of what the job does at a place.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reach:
    """Folders besides the job's own; absolute."""

    folders: tuple[Path, ...] = ()
    """May be written, and hold secrets."""
    secret_folders: tuple[Path, ...] = ()
    """May hold secrets: the user's own folders of the runner."""

    def covers(self, place: Path, home: Path, *, secret: bool = False) -> bool:
        """Whether a job in the folder `home` may name a place, wherever links lead it."""
        real = Path(os.path.realpath(place))
        folders = (home, *self.folders, *(self.secret_folders if secret else ()))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


NOWHERE_ELSE = Reach()
