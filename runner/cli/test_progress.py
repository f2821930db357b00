"""How far `runner test` is, in one line at the end of a terminal.

Knows a stream. Knows nothing of tests.
"""

from __future__ import annotations

import os
from typing import TextIO

_CLEAR = "\r\x1b[2K"


class Progress:
    """A line that is written over, below what is printed; nothing where there is no terminal."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total = stream, total
        self._is_shown = total > 1 and stream.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, done: int, not_passed: int) -> None:
        """Say how many are done."""
        bad = f", {not_passed:,} not passed" if not_passed else ""
        self._write(f"{_CLEAR}{done:,} of {self._total:,} tests{bad}")

    def clear(self) -> None:
        """Remove the line, before something else is printed."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._is_shown:
            self._stream.write(text)
            self._stream.flush()
