"""Whether git would commit a file: a token in a commit is public.

Knows git, which alone knows all its ignore files. Knows nothing of what the file contains.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_NOT_IGNORED = 1
PATIENCE_SECONDS = 10.0


def exposing_work_tree(path: Path) -> Path | None:
    """The git work tree that contains a file and does not ignore it; None if there is none.

    None too if git is not installed or cannot read the repository: then nobody commits here. A
    tracked file counts as not ignored, whatever the ignore files say.
    """
    folder = next((each for each in path.absolute().parents if each.is_dir()), None)
    root = _root_above(folder) if folder else None
    if folder is None or root is None:
        return None
    return root if _git(folder, "check-ignore", "-q", "--", str(path.absolute())) else None


def _root_above(folder: Path) -> Path | None:
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def _git(folder: Path, *words: str) -> bool:
    """Whether git says that a path is not ignored."""
    # A hook's GIT_DIR is another repository; and no setting of this one may start a program.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *words]
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed command and a path
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == _NOT_IGNORED
