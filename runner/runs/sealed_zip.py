"""Zip files that say whether they are whole: what they are, a version and a digest in a last line.

A file that is cut short or edited is noticed before anything of it is used. Knows nothing of what
is in the file.
"""

from __future__ import annotations

import hashlib
import re
from os import SEEK_END
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from msgspec import Struct

from runner.files import unwritable

AT_ONCE = 1 << 20
_LONGEST_LINE = 100


class Seal(Struct, frozen=True):
    """The last line of a file."""

    version: int
    digest: str
    size: int
    """Bytes before it."""


def add_seal(file: Path, word: str, version: int) -> None:
    """Append the last line to a file of the kind that `word` names.

    Raises:
        OSError: It cannot be read or written.
    """
    with file.open("rb") as stream:
        digest = _digest(stream, file.stat().st_size)
    with file.open("ab") as stream:
        stream.write(f"\n{word} {version} {digest}\n".encode())


def seal_of(stream: BinaryIO, word: str) -> Seal | None:
    """The last line; None if the file is of another kind, or cut short."""
    size = stream.seek(0, SEEK_END)
    stream.seek(max(0, size - _LONGEST_LINE))
    line = rb"\n%s (\d{1,9}) ([0-9a-f]{64})\n\Z" % re.escape(word.encode())
    found = re.search(line, stream.read())
    if found is None:
        return None
    return Seal(int(found[1]), found[2].decode(), size - len(found[0]))


def may_replace(file: Path, word: str) -> bool:
    """Whether a file is missing, empty, or an earlier one of the kind that `word` names.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        if not S_ISREG(file.stat().st_mode):
            return False
        with file.open("rb") as stream:
            return not stream.read(1) or seal_of(stream, word) is not None
    except FileNotFoundError:
        return True
    except OSError as error:
        raise unwritable(file, error) from error


def is_whole(stream: BinaryIO, seal: Seal) -> bool:
    """Whether all bytes before the last line are as they were written."""
    stream.seek(0)
    return _digest(stream, seal.size) == seal.digest


def _digest(stream: BinaryIO, size: int) -> str:
    found = hashlib.sha256()
    while size > 0 and (some := stream.read(min(size, AT_ONCE))):
        found.update(some)
        size -= len(some)
    return found.hexdigest()
