"""Who serves a folder: one server at a time, found by the file it leaves there.

Knows the lock and the file. Knows no socket and no org.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

FILE_NAME = "server.json"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What a running server tells of itself; the file holds just this, as JSON."""

    url: str
    access_token: str
    pid: int
    started: str
    """ISO 8601, UTC."""


class FolderServedError(Exception):
    """Another server has this folder."""

    def __init__(self, folder: Path, first: RunningServer | None) -> None:
        who = f"by process {first.pid} at {first.url}" if first else "by another process"
        super().__init__(f"{folder} is already served {who}; stop that one, or use its URL")
        self.first = first


class FolderClaim:
    """A folder held by this server; ends with the process at the latest (an OS lock)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _opened(folder / FILE_NAME)
        if not _locked(self._file):
            first = _read(self._file)
            self._file.close()
            raise FolderServedError(folder, first)

    def announce(self, presence: RunningServer) -> None:
        """Leave word of this server for those who look for one."""
        self._write(json.dumps(asdict(presence)) + "\n")

    def release(self) -> None:
        """Give the folder up and take the word away."""
        if not self._file.closed:
            self._write("")
            self._file.close()

    def _write(self, text: str) -> None:
        # In place: a renamed file would leave the lock on the old one.
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


def find(folder: Path) -> RunningServer | None:
    """The server that has a folder now; None when none runs."""
    try:
        file = (folder / FILE_NAME).open()
    except FileNotFoundError:
        return None
    with file:
        return None if _locked(file) else _read(file)


def _opened(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> RunningServer | None:
    file.seek(0)
    try:
        return RunningServer(**json.load(file))
    except (ValueError, TypeError):
        return None
