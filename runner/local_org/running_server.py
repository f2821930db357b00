"""The server of a folder: one at a time, found by the file it writes there.

Knows the lock and the file. Knows no socket and no org.
"""

from __future__ import annotations

import fcntl
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import IO

from msgspec import Struct
from msgspec.structs import asdict

FILE_NAME = "server.json"


class RunningServer(Struct, frozen=True):
    """A running server; the file contains exactly this, as JSON."""

    url: str
    access_token: str
    pid: int
    started: str
    """ISO 8601, UTC."""
    org_file: str | None = None
    """What `digest_of` gives for the org file."""


class FolderServedError(Exception):
    """Another server uses this folder."""

    def __init__(self, folder: Path, first: RunningServer | None) -> None:
        who = f"by process {first.pid} at {first.url}" if first else "by another process"
        super().__init__(f"{folder} is already served {who}; stop that server or use its URL")
        self.first = first


class FolderClaim:
    """This server's claim on a folder; an OS lock that ends with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _opened(folder / FILE_NAME)
        if not _locked(self._file):
            first = _read(self._file)
            self._file.close()
            raise FolderServedError(folder, first)

    def announce(self, server: RunningServer) -> None:
        """Write the file by which this server is found."""
        self._write(json.dumps(asdict(server)) + "\n")

    def release(self) -> None:
        """Release the folder and empty the file."""
        if not self._file.closed:
            self._write("")
            self._file.close()

    def _write(self, text: str) -> None:
        # In place: renaming would leave the lock on the old file.
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


def digest_of(org_file: Path | None) -> str | None:
    """A digest by which another process recognises the content of an org file."""
    return None if org_file is None else sha256(org_file.read_bytes()).hexdigest()


def find(folder: Path) -> RunningServer | None:
    """The server of a folder; None if none is running."""
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
