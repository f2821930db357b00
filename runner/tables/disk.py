"""How much of the disk the files of one run may take.

Counts what is written as it is written, and looks at the files themselves only where the count
says that they may be too many: what was deleted meanwhile is found then. Knows sizes. Knows
nothing of what is in the files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Protocol

from runner.errors import StorageError

_METERED_CHARACTERS = 1_000_000
_MOST_NAMED = 3
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


class Disk:
    """The files of one run. Threads may share it."""

    def __init__(self, folder: Path, most_bytes: int | None) -> None:
        """Take the run's folder and how much it may hold; None for as much as there is room."""
        self.most_bytes = most_bytes
        self._folder = folder
        self._lock = Lock()
        self._at_most: int | None = None
        """Bytes there at most: what was measured last, and all that was written since."""

    def grew(self, count: int) -> None:
        """Take note of bytes that were written.

        Raises:
            StorageError: The files are more than they may be.
        """
        if self.most_bytes is None:
            return
        with self._lock:
            if self._at_most is not None:
                self._at_most += count
            if self._at_most is None or self._at_most > self.most_bytes:
                self._measure(self.most_bytes)

    def look(self) -> None:
        """Look at the files themselves, after somebody else has written some; as `grew`."""
        if self.most_bytes is not None:
            with self._lock:
                self._measure(self.most_bytes)

    def _measure(self, most: int) -> None:
        found = Counter[str]()
        for place, size in _sizes(self._folder):
            found[place] += size
        self._at_most = found.total()
        if self._at_most <= most:
            return
        parts = [f"{place} {in_words(size)}" for place, size in found.most_common(_MOST_NAMED)]
        raise StorageError(
            f"The run's files take {in_words(self._at_most)} in {self._folder}, and `max_disk` is "
            f"{in_words(most)}: {', '.join(parts)}.",
            hint=f"Let them take more: `runner resume --max-disk {_twice(most)}`; or give the run "
            "up and cut the source into smaller ones.",
        )


UNBOUNDED = Disk(Path(), None)


class Written(Protocol):
    """What text can be written to."""

    def write(self, text: str, /) -> int:
        """Take text in."""


class Metered:
    """A text stream whose bytes count."""

    def __init__(self, stream: Written, disk: Disk) -> None:
        self._stream = stream
        self._disk = disk
        self._untold = 0

    def write(self, text: str, /) -> int:
        """Write; StorageError where the run's files are more than they may be."""
        self._untold += len(text)
        if self._untold >= _METERED_CHARACTERS:
            self._disk.grew(self._untold)
            self._untold = 0
        return self._stream.write(text)


def in_words(size_bytes: int) -> str:
    """A size for people, `1.5 GB`."""
    for unit, word in _UNITS:
        if size_bytes >= unit:
            return f"{size_bytes / unit:.3g} {word}"
    return f"{size_bytes} bytes"


def _twice(size_bytes: int) -> str:
    """Twice as much, as the option takes it."""
    unit, word = next(each for each in _UNITS if 2 * size_bytes >= each[0])
    return f"{-(-2 * size_bytes // unit)}{word}"


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file's size, with the task and the folder of the task that it is in."""
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder).parts[:2]
        for name in names:
            try:
                yield "/".join(inside) or name, os.stat(os.path.join(place, name)).st_size  # noqa: PTH116, PTH118 - many files
            except OSError:  # gone meanwhile
                continue
