"""Limits the disk space that the files of one run may use.

Counts bytes as they are written, and measures the files only when the count reaches the limit,
which also finds what was deleted meanwhile. Knows sizes. Knows nothing of what the files contain.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Protocol

from runner.errors import StorageError
from runner.wording import UNITS, format_size

_COUNTED_CHARACTERS = 1_000_000
_MOST_NAMED = 3


class Disk:
    """The disk space of one run; safe to share between threads."""

    def __init__(self, folder: Path, most_bytes: int | None) -> None:
        """Limit a run's folder to `most_bytes`; None for no limit."""
        self.most_bytes = most_bytes
        self._folder = folder
        self._lock = Lock()
        self._at_most: int | None = None
        """Upper bound of the bytes used: last measured, plus all written since."""
        self.make_room: Callable[[], bool] | None = None
        """Deletes what is not needed yet; whether there was any."""

    def add(self, count: int) -> None:
        """Count bytes that were written.

        Raises:
            StorageError: The files use more space than allowed.
        """
        if self.most_bytes is not None:
            self._checked(lambda: self.add_to_what_is_there(count))

    def measure(self) -> None:
        """Measure the files, after something else has written some; raises as `add` does."""
        if self.most_bytes is not None:
            self._checked(self.measure_what_is_there)

    def _checked(self, check: Callable[[], None]) -> None:
        try:
            check()
        except StorageError:
            if self.make_room is None or not self.make_room():
                raise
            self.measure_what_is_there()

    def add_to_what_is_there(self, count: int) -> None:
        """As `add`, but nothing is deleted."""
        if self.most_bytes is None:
            return
        with self._lock:
            if self._at_most is not None:
                self._at_most += count
            if self._at_most is None or self._at_most > self.most_bytes:
                self._measure(self.most_bytes)

    def measure_what_is_there(self) -> None:
        """As `measure`, but nothing is deleted."""
        if self.most_bytes is not None:
            with self._lock:
                self._measure(self.most_bytes)

    def has_room(self, count: int) -> bool:
        """Whether so many bytes more would still be allowed."""
        if self.most_bytes is None:
            return True
        with self._lock:
            used = sum(size for _, size in _sizes(self._folder))
        return used + count <= self.most_bytes

    def _measure(self, most: int) -> None:
        found = Counter[str]()
        for place, size in _sizes(self._folder):
            found[place] += size
        self._at_most = found.total()
        if self._at_most <= most:
            return
        parts = [f"{place} {format_size(size)}" for place, size in found.most_common(_MOST_NAMED)]
        raise StorageError(
            f"The run's files use {format_size(self._at_most)} in {self._folder}, and `max_disk`"
            f" is {format_size(most)}: {', '.join(parts)}.",
            hint=f"Allow more: `runner resume --max-disk {_twice(most)}`; or abandon the run and "
            "split its source.",
        )


class LentDisk(Disk):
    """The disk space of a run, for files that others may need the space of."""

    def __init__(self, disk: Disk) -> None:
        """Count what is written towards `disk`."""
        super().__init__(Path(), disk.most_bytes)
        self._disk = disk

    def add(self, count: int) -> None:
        """As `Disk.add`, but nothing is deleted for it."""
        self._disk.add_to_what_is_there(count)

    def measure(self) -> None:
        """As `Disk.measure`, but nothing is deleted for it."""
        self._disk.measure_what_is_there()

    def has_room(self, count: int) -> bool:
        """As `Disk.has_room`."""
        return self._disk.has_room(count)


UNBOUNDED = Disk(Path(), None)


class TextSink(Protocol):
    """A stream that accepts text."""

    def write(self, text: str, /) -> int:
        """Write text."""


class Metered:
    """A text stream that counts towards a run's disk space."""

    def __init__(self, stream: TextSink, disk: Disk) -> None:
        self._stream = stream
        self._disk = disk
        self._uncounted = 0

    def write(self, text: str, /) -> int:
        """Write; StorageError if the run's files use more space than allowed."""
        self._uncounted += len(text)
        if self._uncounted >= _COUNTED_CHARACTERS:
            self._disk.add(self._uncounted)
            self._uncounted = 0
        return self._stream.write(text)


def _twice(size_bytes: int) -> str:
    """Twice the size, as the option accepts it."""
    unit, word = next(each for each in UNITS if 2 * size_bytes >= each[0])
    return f"{-(-2 * size_bytes // unit)}{word}"


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """The size of every file, with its task and folder; a file of several names counts once."""
    seen: set[tuple[int, int]] = set()
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder).parts[:2]
        for name in names:
            try:
                found = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - many files
            except OSError:  # deleted meanwhile
                continue
            if found.st_nlink > 1:
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            yield "/".join(inside) or name, found.st_size
