"""The contents of files: one file each on disk, named after its MD5.

A record holds a `Blob`, which is what is known of the content. Equal contents are stored once, and
stay when a record is deleted, until the org is reset. Knows nothing of records.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from runner.local_org.org import Org

_PIECE_BYTES = 256 * 1024
_MD5 = re.compile(r"[0-9a-f]{32}")


class Blob(Struct, frozen=True):
    """One content."""

    md5: str
    """In hexadecimal."""
    size: int
    """In bytes."""

    @property
    def stored(self) -> str:
        """How a record stores it."""
        return f"{self.md5} {self.size}"

    @classmethod
    def read(cls, stored: str) -> Blob:
        """Read it back from a record."""
        md5, size = stored.split()
        return cls(md5, int(size))


class Blobs:
    """The contents of one org's files."""

    def __init__(self, org: Org) -> None:
        self._folder = org.store.folder / "blobs"

    def save(self, pieces: Iterable[bytes]) -> Blob:
        """Save a content."""
        self._folder.mkdir(exist_ok=True)
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            for piece in pieces:
                digest.update(piece)
                size += file.write(piece)
        Path(file.name).replace(self._folder / digest.hexdigest())
        return Blob(digest.hexdigest(), size)

    def pieces(self, blob: Blob) -> Iterator[bytes]:
        """A content, piece by piece."""
        with (self._folder / blob.md5).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def files(self) -> list[Path]:
        """The files of all contents."""
        return [each for each in self._folder.glob("*") if _MD5.fullmatch(each.name)]

    def add(self, folder: Path) -> None:
        """Take over the files of another folder."""
        self._folder.mkdir(exist_ok=True)
        for file in folder.iterdir():
            file.replace(self._folder / file.name)

    def clear(self) -> None:
        """Delete every content."""
        shutil.rmtree(self._folder, ignore_errors=True)
