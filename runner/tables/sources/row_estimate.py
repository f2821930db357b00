"""How many rows a file has, where that takes no parsing. Knows nothing of what the rows hold."""

from __future__ import annotations

from pathlib import Path

from runner.job.endpoints import STANDARD_STREAM, Compression, FileFormat, FileSource

_MOST_BYTES = 1_000_000_000
"""A second or so; nobody waits longer for an estimate."""
_PIECE = 1 << 20
_LINES = frozenset({FileFormat.CSV, FileFormat.JSONL})


def estimated_rows(source: FileSource) -> int | None:
    """Rows by the lines of a file; None if it is another format, packed, or very large.

    Values with line breaks in them and blank lines count as lines.

    Raises:
        OSError: The file cannot be read.
    """
    shape = source.shape
    if source.url is not None or source.path == STANDARD_STREAM or not source.path.is_file():
        return None
    if shape.format not in _LINES or shape.compression is not Compression.NONE:
        return None
    if source.path.stat().st_size > _MOST_BYTES:
        return None
    lines = _lines_of(source.path)
    has_header = shape.format is FileFormat.CSV and not shape.header
    return max(0, lines - has_header - shape.skip_rows - shape.skip_last)


def _lines_of(path: Path) -> int:
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            lines += piece.count(b"\n")
            last = piece[-1:]
    return lines + (last != b"\n")
