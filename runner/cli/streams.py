"""The standard streams of a process that nobody may be watching: none of them ends a run.

Knows streams. Knows nothing of what is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""In the order of their numbers."""


def open_closed_streams() -> None:
    """Put the null device where a stream is closed, as some schedulers leave them.

    Otherwise the next file that is opened gets its number, and whatever a library prints is written
    to that file. `sys.__stdout__` stays None, so that rows for standard output are not lost.
    """
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)  # by programs that this one starts
            setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8", errors="replace"))


def expect_no_reader() -> TextIO:
    """Make stderr one that loses what cannot be written; its reader may be gone, the disk full."""
    sys.stderr = cast("TextIO", _Stderr(sys.stderr))
    return sys.stderr


class _Stderr:
    """A text stream in which nothing fails; in all else the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        """Around the process's own."""
        self._stream = stream
        self.isatty, self.encoding, self.errors = stream.isatty, stream.encoding, stream.errors

    def write(self, text: str) -> int:
        """Write, or not."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is left, or not."""
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)
