"""What this machine has of the files of a run, and under which names the store has them.

It is written beside them, so that the next process need not fetch them again, and sees which of
them somebody has changed. Knows nothing of the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from runner.files import Stamp, write_private
from runner.state.paths import WORKING_FOLDERS

_INDEX = ".stored.json"


class Stored(Struct, frozen=True):
    """A file in the store."""

    name: str
    """In the store, below the run's folder."""
    stamp: Stamp
    """Of the file on this machine that it was made of, or that was made of it."""


def read_stored(folder: Path) -> dict[str, Stored]:
    """The files of a run's folder that are in the store too, by their paths; none if unknown."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / _INDEX).read_bytes(), type=dict[str, Stored])
    return {}


def save_stored(folder: Path, stored: Mapping[str, Stored]) -> None:
    """Save what `read_stored` reads; without it the files are fetched again."""
    if folder.is_dir():
        write_private(folder / _INDEX, msgspec.json.encode(stored).decode())


def known_runs(runs: Path) -> list[str]:
    """The runs of which this machine has files that it has sent or fetched."""
    return [each.parent.name for each in runs.glob(f"*/{_INDEX}")]


def files_in(folder: Path) -> dict[str, Stamp]:
    """The files that another process can use, by their paths; links are left out."""
    return dict(_files_in(str(folder), ""))


def _files_in(folder: str, prefix: str) -> Iterator[tuple[str, Stamp]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name not in WORKING_FOLDERS:
                yield from _files_in(entry.path, f"{prefix}{entry.name}/")
            continue
        with suppress(FileNotFoundError):  # deleted meanwhile
            yield f"{prefix}{entry.name}", Stamp.of(entry.stat())
