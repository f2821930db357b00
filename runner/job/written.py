"""How durations, shares, delimiters, formats and paths are written in a job.

Pure: from text that the schema has passed to values. Knows nothing of tasks or of what exists on
disk.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from runner.job.model import FileFormat, MaxFailures

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
FORMATS = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".txt": FileFormat.CSV,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_seconds(text: str) -> float:
    """Seconds of `30s`, `5m`, `2h` or `1d`."""
    return float(text[:-1]) * _SECONDS[text[-1]]


def max_failures(value: int | str) -> MaxFailures:
    """A number of rows, or a share such as `1%`."""
    if isinstance(value, str):
        return MaxFailures(percent=float(value.removesuffix("%")))
    return MaxFailures(rows=value)


def format_of(path: PurePath) -> FileFormat | None:
    """The format that a file's extension says; None where it says none."""
    return FORMATS.get(path.suffix.lower())


def delimiter(text: str | None, path: PurePath) -> str:
    """The character meant by a word or a character; by the extension where nothing is written."""
    if text is None:
        return "\t" if path.suffix.lower() == ".tsv" else ","
    return DELIMITERS.get(text, text)


def path_from(text: str, folder: Path) -> Path:
    """The absolute path that `text` means in a file in `folder`; `~` is the home folder."""
    return Path(os.path.abspath(folder / os.path.expanduser(text)))  # noqa: PTH100, PTH111 - these never raise, and keep symbolic links
