"""How durations, shares, delimiters, formats and paths are written in a job.

Pure: from text that is valid by the schema to values. Knows nothing of tasks or of what exists on
disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePath

from runner.job.choices import MaxFailures
from runner.job.endpoints import Compression, FileFormat, SheetArea
from runner.job.rails import Amount, Limits, Rail

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
FORMATS = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".txt": FileFormat.CSV,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".json": FileFormat.JSON,
    ".parquet": FileFormat.PARQUET,
    ".xlsx": FileFormat.EXCEL,
    ".xml": FileFormat.XML,
}
COMPRESSIONS = {".gz": Compression.GZIP, ".zst": Compression.ZSTD}
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
IN_MEMORY = "memory://"
"""Data at such a URL is lost when the process ends."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_RANGE = re.compile(r"([A-Za-z]+)(\d+)?:([A-Za-z]+)(\d+)?")
_DAYS = {"daily": 1, "weekly": 7, "monthly": 30}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_seconds(text: str) -> float:
    """Seconds of `30s`, `5m`, `2h` or `1d`."""
    return float(text[:-1]) * _SECONDS[text[-1]]


def period_seconds(text: str) -> float:
    """Seconds of `daily`, `weekly`, `monthly` (30 days), or of a duration."""
    days = _DAYS.get(text)
    return duration_seconds(text) if days is None else float(days * _SECONDS["d"])


def max_failures(value: int | str) -> MaxFailures:
    """A number of rows, or a share such as `1%`."""
    if isinstance(value, str):
        return MaxFailures(percent=float(value.removesuffix("%")))
    return MaxFailures(rows=value)


def limits(values: Mapping[str, int | str]) -> Limits:
    """Limits by name: numbers, or shares such as `5%`."""
    return {
        Rail(name): Amount(percent=float(value.removesuffix("%")))
        if isinstance(value, str)
        else Amount(number=value)
        for name, value in values.items()
    }


def size_bytes(text: str) -> int:
    """Bytes of `100MB`: KB, MB and GB by thousands."""
    return int(text[:-2]) * _BYTES[text[-2:].upper()]


def format_of(path: PurePath) -> FileFormat | None:
    """The format by a file's extension; None if the extension is unknown."""
    return FORMATS.get(_unpacked(path).suffix.lower())


def compression_of(path: PurePath) -> Compression:
    """The compression by a file's last extension."""
    return COMPRESSIONS.get(path.suffix.lower(), Compression.NONE)


def delimiter(text: str | None, path: PurePath) -> str:
    """The character that a word or a character means; by the extension if `text` is None."""
    if text is None:
        return "\t" if _unpacked(path).suffix.lower() == ".tsv" else ","
    return DELIMITERS.get(text, text)


def sheet_area(text: str) -> SheetArea:
    """The part of a sheet that `B3:H` or `B3:H20` means; all of it for an empty text."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return SheetArea()
    left, top, right, bottom = found.groups()
    rows = int(top or 1), int(bottom) if bottom else None
    return SheetArea(*rows, column_place(left), column_place(right))


def column_place(letters: str) -> int:
    """The place of a sheet's column by its name: 0 for A, 26 for AA."""
    place = 0
    for letter in letters.upper():
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _unpacked(path: PurePath) -> PurePath:
    """`a.csv` for `a.csv.gz`."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


def is_url(text: str) -> bool:
    """Whether a file is given by its URL: `https://…`, `s3://…`."""
    return _URL.match(text) is not None


def is_pattern(path: PurePath) -> bool:
    """Whether a path is a pattern for many files."""
    return any(sign in str(path) for sign in "*?[")


def path_from(text: str, folder: Path) -> Path:
    """The absolute path that `text` means in a file in `folder`; `~` is the home folder."""
    return Path(os.path.abspath(folder / os.path.expanduser(text)))  # noqa: PTH100, PTH111 - these never raise, and keep symbolic links
