"""Why a file that is named is not there: a name mistyped, or a symbolic link that leads nowhere.

Looks at names only. Knows nothing of what such a file would contain.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runner.suggest import closest

_MOST_COMPARED = 20_000
"""Of more names, comparing takes many seconds."""


def broken_link(file: Path) -> str | None:
    """Where a symbolic link leads, if no file is there; None if `file` is no such link."""
    try:
        return None if file.exists() else str(file.readlink())
    except (OSError, ValueError):  # no link, or one that leads to itself
        return str(os.readlink(file)) if os.path.islink(file) else None  # noqa: PTH114, PTH115


def similar_file(file: Path, fits: Callable[[os.DirEntry[str]], bool] | None = None) -> Path | None:
    """A file or folder beside `file` whose name it was most likely meant to be.

    Args:
        file: What is not there.
        fits: Which entries of its folder may be meant; all by default.

    Raises:
        OSError: Its folder cannot be listed: it is not there, for instance.
        ValueError: Its folder has a name that no folder can have.
    """
    with os.scandir(file.parent) as entries:
        names = [each.name for each in entries if each.name != file.name and _may_be(each, fits)]
    if len(names) > _MOST_COMPARED:
        return None
    # Endings are alike in most names, and would make any two of them alike.
    stem = closest(file.stem, {Path(name).stem for name in names})
    near = closest(file.name, [name for name in names if Path(name).stem == stem])
    return file.parent / near if near else None


def why_missing(file: Path, shown: Callable[[Path], str], folder: Path) -> tuple[str, str]:
    """Why a file of a job is not there, and what to do.

    Args:
        file: What is not there.
        shown: Gives a path as the job would write it.
        folder: The job's folder.
    """
    leads_to = broken_link(file)
    if leads_to is not None:
        message = f"{shown(file)} is a symbolic link to {leads_to}, where there is no file"
        return message, "correct the link, or name another file"
    message = f"there is no file {shown(file)}"
    try:
        near = similar_file(file)
    except (OSError, ValueError):
        hint = f"there is no folder {shown(file.parent)}; paths are relative to the job's folder"
        return message, hint
    if near:
        return message, f"did you mean `{shown(near)}`?"
    return message, f"paths are relative to the job's folder, {folder}"


def _may_be(entry: os.DirEntry[str], fits: Callable[[os.DirEntry[str]], bool] | None) -> bool:
    return not entry.name.startswith(".") and (fits is None or fits(entry))
