"""A file of records as a compiled function looks at it: a piece at a time, where it is in memory.

Knows bytes. Knows nothing of records.
"""

from __future__ import annotations

from re import Match, Pattern
from typing import Protocol

from runner.luajit import address_of


class _Stream(Protocol):
    def readinto(self, into: memoryview, /) -> int: ...


class Window:
    """What was read of a stream and is not used yet."""

    def __init__(self, stream: _Stream, size: int) -> None:
        """Read nothing yet, and later so many bytes at a time, unless a record is longer.

        They should be so few that they stay in the processor's cache, and that the C library does
        not keep megabytes for each thread.
        """
        self._stream = stream
        self._bytes = bytearray(size + 1)
        """With a zero at the end of what was read."""
        self.size = 0
        self.is_last = False
        """Whether nothing follows what was read."""

    @property
    def place(self) -> tuple[int, int, bool]:
        """Where it is in memory, its size, and whether nothing follows it. A zero does."""
        return address_of(self._bytes), self.size, self.is_last

    def read_on(self) -> bool:
        """Fill it; false if nothing is left."""
        with memoryview(self._bytes) as read:
            while not self.is_last and self.size < len(read) - 1:
                more = self._stream.readinto(read[self.size : -1])
                self.size += more
                self.is_last = not more
            read[self.size] = 0
        return self.size > 0

    def use(self, size: int) -> None:
        """Forget what it begins with."""
        self.size -= size
        self._bytes[: self.size] = self._bytes[size : size + self.size]

    def widen(self) -> None:
        """Read more at once: a record is longer than what is read."""
        self._bytes += bytes(len(self._bytes))

    def has(self, byte: bytes) -> bool:
        """Whether a byte is in it."""
        return self._bytes.find(byte, 0, self.size) >= 0

    def search(self, pattern: Pattern[bytes]) -> Match[bytes] | None:
        """Look for a pattern in it."""
        return pattern.search(self._bytes, 0, self.size)
