"""The last gate before anything is shown: no secret that is known passes stdout or stderr.

Knows streams, and how GitHub Actions is told what to star out of its logs. Knows nothing of what is
printed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

from runner.credentials import LEAST_CHARACTERS, on_secret, redacted


class _Guarded:
    """A text stream whose every write is redacted first; in all else the stream itself."""

    def __init__(self, stream: TextIO, *, shapes: bool) -> None:
        self._stream = stream
        self._shapes = shapes

    def write(self, text: str) -> int:
        self._stream.write(redacted(text, shapes=self._shapes))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard stdout and stderr while the block runs.

    stdout carries results, which another program may read: only what is known to be secret is
    starred out there. On stderr what merely looks like a token is, too.
    """
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Guarded(before[0], shapes=False))
    sys.stderr = cast("TextIO", _Guarded(before[1], shapes=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def tell_github(environ: Mapping[str, str]) -> None:
    """Have GitHub Actions star out each secret that is met from now on, in all that follows.

    It is told on stderr, and only where that is a pipe: its runner reads the command there and
    shows it to nobody, while a file would keep it.
    """
    stream = sys.stderr
    if environ.get("GITHUB_ACTIONS") != "true" or not _is_pipe(stream):
        return

    def mask(secret: str) -> None:
        for line in secret.splitlines():
            if len(line) >= LEAST_CHARACTERS and not line.startswith(("-----", "Bearer ")):
                stream.write(f"::add-mask::{_escaped(line)}\n")
        stream.flush()

    on_secret(mask)


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D")
