"""Files that are no text, by how they begin: often exports that have the wrong ending.

Knows the first bytes of a few formats. Knows nothing of what follows.
"""

from __future__ import annotations

import re
from pathlib import Path

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape

_DECLARED = "Say so in `from`: {{file: {}, {}}}."
_SIGNATURES = (
    (b"\x1f\x8b", "a gzip file", "compression: gzip"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "compression: zstd"),
    (b"PK\x03\x04", "a ZIP archive, as Excel files are", "format: excel"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file of an old version", "format: excel"),
    (b"PAR1\x15", "a Parquet file", "format: parquet"),
)
"""None of them can begin a text: each has a control character, or is no UTF-8."""
_SQLITE = b"SQLite format 3\0"
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)


def refuse_other_format(path: Path, start: bytes, shape: FileShape) -> None:
    """Refuse a file that is not the text that it is declared to be.

    Args:
        path: The file.
        start: What it begins with, decompressed.
        shape: As declared.

    Raises:
        SourceError: It is in another format; says in which.
    """
    found = next((each for each in _SIGNATURES if start.startswith(each[0])), None)
    if found is not None:
        _, what, declared = found
        raise _other(path, shape, what, _DECLARED.format(path.name, declared))
    if start.startswith(_SQLITE):
        hint = "Read it with `database` and `table` in `from`."
        raise _other(path, shape, "a SQLite database", hint)
    if shape.format is not FileFormat.XML and _WEB_PAGE.match(start):
        hint = "A page for signing in, or an error, may have been saved in its place; open it."
        raise _other(path, shape, "a web page", hint)


def _other(path: Path, shape: FileShape, what: str, hint: str) -> SourceError:
    return SourceError(f"{path} is {what}, not {shape.format.value}.", hint=hint)
