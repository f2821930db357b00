"""Redacts all output: no known secret reaches stdout or stderr.

Knows streams, and how GitHub Actions masks secrets in its logs. Knows nothing of what is printed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

from runner.redaction import LEAST_CHARACTERS, on_secret, redacted


class _Redacted:
    """A text stream that redacts every write; in all else the stream itself."""

    def __init__(self, stream: TextIO, *, shapes: bool) -> None:
        self._stream = stream
        self._shapes = shapes
        self.flush, self.isatty = stream.flush, stream.isatty
        self.encoding, self.errors = stream.encoding, stream.errors

    def write(self, text: str) -> int:
        self._stream.write(redacted(text, shapes=self._shapes))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


@contextmanager
def redacted_streams(environ: Mapping[str, str]) -> Iterator[None]:
    """Redact stdout and stderr while the block runs; have GitHub Actions mask secrets as well.

    stdout carries results, which another program may read: only known secrets are redacted there.
    On stderr, texts that merely look like a token are redacted too.
    """
    _mask_in_github_logs(environ)
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Redacted(before[0], shapes=False))
    sys.stderr = cast("TextIO", _Redacted(before[1], shapes=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _mask_in_github_logs(environ: Mapping[str, str]) -> None:
    """Have GitHub Actions mask in its logs every secret that this process learns from now on.

    The mask command goes to stderr, and only if that is a pipe: the Actions runner reads it from
    there and does not show it, while a file would store the secret.
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
