"""What a CSV file's first bytes tell of its delimiter and encoding, where the job says nothing.

An encoding is told by a byte order mark alone: to guess one from letters would turn names into
others without a word. A delimiter is what splits the header, and the first rows into as many cells.
Knows bytes. Opens no file.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import replace

from runner.job.endpoints import FileShape

START_BYTES = 64_000
"""So much of a file is looked at."""
_DELIMITERS = (",", ";", "\t", "|")
"""In this order where several would do: the default first."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The mark of UTF-16 begins that of UTF-32, so it is looked for later."""
_ROWS = 20
_WORDS = {"\t": "tab"}


def sniffed(shape: FileShape, start: bytes) -> FileShape:
    """Fill in what the job leaves to the file.

    Args:
        shape: As the job has it.
        start: The file's first START_BYTES, unpacked, or all of it.
    """
    if "encoding" in shape.undeclared:
        shape = replace(shape, encoding=_encoding(start) or shape.encoding)
    if "delimiter" in shape.undeclared:
        shape = replace(shape, delimiter=_delimiter(start, shape))
    return replace(shape, undeclared=frozenset())


def noticed(declared: FileShape, found: FileShape) -> str | None:
    """Say what was found that is not the default; None where nothing was."""
    told = []
    if found.delimiter != declared.delimiter:
        told.append(f"delimiter {_WORDS.get(found.delimiter, repr(found.delimiter))}")
    if found.encoding != declared.encoding:
        told.append(f"encoding {found.encoding}")
    return f"{' and '.join(told)} found" if told else None


def _encoding(start: bytes) -> str | None:
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _delimiter(start: bytes, shape: FileShape) -> str:
    try:
        # Not final: a character that the limit cuts in two is no mistake of the file's.
        decoder = codecs.getincrementaldecoder(shape.encoding)("replace")
    except LookupError:
        return shape.delimiter
    text = decoder.decode(start).removeprefix("\ufeff").lstrip("\r\n")
    is_cut = len(start) >= START_BYTES
    widths = {
        delimiter: width
        for delimiter in _DELIMITERS
        if delimiter != shape.quote and (width := _width(text, delimiter, shape, is_cut=is_cut)) > 1
    }
    return max(widths, key=lambda each: widths[each], default=shape.delimiter)


def _width(text: str, delimiter: str, shape: FileShape, *, is_cut: bool) -> int:
    """Columns that a delimiter makes of the header; 0 where the first rows do not agree."""
    if delimiter not in text:
        return 0
    rows = list(_rows(text, delimiter, shape))
    if is_cut and 1 < len(rows) <= _ROWS:
        rows.pop()
    widths = {len(row) for row in rows if row}
    if shape.header:
        widths.add(len(shape.header))
    return widths.pop() if len(widths) == 1 else 0


def _rows(text: str, delimiter: str, shape: FileShape) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=shape.quote)
    try:
        for _ in range(_ROWS + 1):
            yield next(reader)
    except (StopIteration, csv.Error):
        return
