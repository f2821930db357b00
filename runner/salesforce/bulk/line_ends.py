"""The line ends and commas of a CSV that end its records and values: all that are not in quotes.

Knows quotes, commas and line feeds. Knows nothing of pages.
"""

from __future__ import annotations

from pathlib import Path

from runner.luajit import address_of, compiled

_COUNT = Path(__file__).with_suffix(".lua")
_OTHERS = bytes(set(range(256)) - set(b'",\n'))
"""Every byte that neither quotes nor ends anything."""


class LineEnds:
    """Counts them in a text that comes in chunks."""

    def __init__(self) -> None:
        self.count = 0
        """How many there were so far."""
        self.commas = 0
        """How many commas, outside quotes, too."""
        self.in_quotes = False
        """Whether the text so far ends within quotes."""
        self._size = 0

    def add(self, chunk: bytes) -> int:
        """Count those of the next chunk, and return how many it has."""
        self._size += len(chunk)
        before = self.count
        function = compiled(_COUNT, self._size)
        if function is None:
            self._add(chunk)
        else:
            count, odd, commas = function(address_of(chunk), len(chunk), int(self.in_quotes))
            self.count += count
            self.commas += commas
            self.in_quotes = odd == 1
        return self.count - before

    def _add(self, chunk: bytes) -> None:
        marks = chunk.translate(None, _OTHERS)
        if self.in_quotes:
            marks = b'"' + marks
        while b'""' in marks:  # a value without line ends, or an escaped quote
            marks = marks.replace(b'""', b"")
        parts = marks.split(b'"')
        self.count += sum(part.count(b"\n") for part in parts[::2])
        self.commas += sum(part.count(b",") for part in parts[::2])
        self.in_quotes = len(parts) % 2 == 0
