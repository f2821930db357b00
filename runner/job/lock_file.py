"""Where the lock of a job's org is.

Knows file names. Knows nothing of what is in a lock.
"""

from __future__ import annotations

from pathlib import Path

LOCK_NAME = "org.lock.json"


def find_lock(file: Path) -> Path | None:
    """The lock beside a job or in a folder above it, up to that of the git repository, if any."""
    for folder in file.absolute().parents:
        if (folder / LOCK_NAME).is_file():
            return folder / LOCK_NAME
        if (folder / ".git").exists():
            return None
    return None
