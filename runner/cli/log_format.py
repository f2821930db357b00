"""stderr as JSON Lines: with `--log-format json` each line on it is one object.

Knows what asks for it. Knows nothing of what the verbs write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

from runner.cli.declare import Option

if TYPE_CHECKING:
    from types import FunctionType

VARIABLE = "SFRUNNER_LOG_FORMAT"


class LogFormat(StrEnum):
    """How lines on stderr are written."""

    TEXT = "text"
    JSON = "json"


def _of_all_verbs(
    *,
    log_format: Annotated[
        LogFormat,
        Option(
            "--log-format",
            envvar=VARIABLE,
            help="Write each line on stderr as text, or as a JSON object.",
        ),
    ] = LogFormat.TEXT,
) -> None:
    """Has the option that every verb gets; its value is read before any verb is."""


OF_ALL_VERBS = cast("FunctionType", _of_all_verbs)


def asks_for_json(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether a command line, or else the environment, asks for JSON."""
    given = [after for word, after in pairwise([*words, ""]) if word == "--log-format"]
    given += [word.partition("=")[2] for word in words if word.startswith("--log-format=")]
    return (given[-1] if given else environ.get(VARIABLE)) == LogFormat.JSON


class JsonLines:
    """stderr, each line that is written to it as the object of an event `message`."""

    def __init__(self, stream: TextIO) -> None:
        """Around a stream that redacts nothing: texts are redacted before they are JSON."""
        self._stream = stream
        self._rest = ""
        self._lock = Lock()
        self.encoding, self.errors = stream.encoding, stream.errors

    def isatty(self) -> bool:
        """No terminal reads it, so nothing is drawn."""
        return False

    def write(self, text: str) -> int:
        """Write the lines of a text that are whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        for each in lines:
            self._say(each)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several."""
        for each in lines:
            self.write(each)

    def flush(self) -> None:
        """Also write a line that has no end, as that of a question."""
        rest, self._rest = self._rest, ""
        self._say(rest)
        self._stream.flush()

    def emit(self, members: Mapping[str, object]) -> None:
        """Write an object as a line; threads take turns."""
        from runner.telemetry.document import line

        text = line(dict(members))
        with self._lock:
            self._stream.write(text)
            self._stream.flush()

    def say(self, name: str, level: str, message: str, **members: object) -> None:
        """Write an event that is not of a run."""
        from runner.telemetry.document import Level, document

        self.emit(document(name, Level(level), message, datetime.now(UTC), members))

    def _say(self, text: str) -> None:
        if text.strip():
            start = text.partition(":")[0].lower()
            level = start if start in {"error", "warning"} else "info"
            self.say("message", level, text.rstrip())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def json_lines() -> JsonLines | None:
    """stderr, if it is JSON Lines."""
    return sys.stderr if isinstance(sys.stderr, JsonLines) else None


@contextmanager
def logging_as_asked(stream: TextIO) -> Iterator[None]:
    """Make stderr JSON Lines while the block runs, if that is asked for.

    Args:
        stream: stderr as it is without redaction.
    """
    if not asks_for_json(sys.argv[1:], os.environ):
        yield
        return
    before, lines = sys.stderr, JsonLines(stream)
    sys.stderr = cast("TextIO", lines)
    try:
        yield
    finally:
        lines.flush()
        sys.stderr = before
