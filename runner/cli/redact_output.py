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

_READ_BY_CI = ("GITHUB_ACTIONS", "TF_BUILD")
"""Variables of the services whose agents look for commands in a job's output."""
_OWN_COMMANDS = ("::error file=", "::warning file=", "##vso[task.logissue ")


class _Redacted:
    """A text stream that redacts every write; in all else the stream itself."""

    def __init__(self, stream: TextIO, *, shapes: bool, is_read_by_ci: bool) -> None:
        self._stream = stream
        self._shapes = shapes
        self._is_read_by_ci = is_read_by_ci
        self.flush, self.isatty = stream.flush, stream.isatty
        self.encoding, self.errors = stream.encoding, stream.errors

    def write(self, text: str) -> int:
        safe = redacted(text, shapes=self._shapes)
        self._stream.write(without_commands(safe) if self._is_read_by_ci else safe)
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
    by_ci = any(environ.get(name) for name in _READ_BY_CI)
    sys.stdout = cast("TextIO", _Redacted(before[0], shapes=False, is_read_by_ci=by_ci))
    sys.stderr = cast("TextIO", _Redacted(before[1], shapes=True, is_read_by_ci=by_ci))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def without_commands(text: str) -> str:
    """The text without commands to a CI agent that come from rows or an org's messages.

    GitHub's agent executes lines that begin with `::NAME` or contain `##[`, that of Azure what
    begins with `##vso[` anywhere. The runner's own annotations stay; they can only show a message.
    In a JSON document the same characters are written as escapes.
    """
    if "##" not in text and "::" not in text:
        return text
    if text[:1] in {"{", "["}:
        return text.replace("##vso[", "#\\u0023vso[").replace("##[", "#\\u0023[")
    return "".join(map(_without_command, text.splitlines(keepends=True)))


def _without_command(line: str) -> str:
    if line.startswith(_OWN_COMMANDS):
        return line
    inert = line.replace("##vso[", "## vso[").replace("##[", "## [")
    start = len(inert) - len(inert.lstrip())
    return f"{inert[:start]} {inert[start:]}" if inert[start:].startswith("::") else inert


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
