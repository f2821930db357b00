"""Detects the delimiter and encoding of a CSV file, where the job declares none.

The encoding is detected only from a byte order mark: guessing it from letters could change names
silently. The delimiter is the one that splits the header and the first rows into equally many
cells, unless the first line names it, as Excel writes it: `sep=;`. Knows bytes. Opens no file.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace

from runner.job.endpoints import FileShape

START_BYTES = 64_000
"""How much of a file is examined."""
_DELIMITERS = (",", ";", "\t", "|")
"""In order of preference: the default first."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""
_ROWS = 20
_NAMES = {"\t": "tab"}


def detect(shape: FileShape, start: bytes) -> tuple[FileShape, str | None]:
    """Complete a shape from a file's first bytes.

    Args:
        shape: As the job declares it.
        start: The file's first START_BYTES or more, decompressed, or all of it.

    Returns:
        The shape, and a note of what was found if it is not the default.
    """
    start = start[:START_BYTES]
    found = replace(shape, undeclared=frozenset())
    if "encoding" in shape.undeclared:
        found = replace(found, encoding=_encoding(start) or shape.encoding)
    if "delimiter" in shape.undeclared:
        found = replace(found, delimiter=_delimiter(start, found))
    return found, _note(shape, found)


def _note(declared: FileShape, found: FileShape) -> str | None:
    news = []
    if found.delimiter != declared.delimiter:
        news.append(f"delimiter {_NAMES.get(found.delimiter, repr(found.delimiter))}")
    if found.encoding != declared.encoding:
        news.append(f"encoding {found.encoding}")
    return f"{' and '.join(news)} found" if news else None


def _encoding(start: bytes) -> str | None:
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _delimiter(start: bytes, shape: FileShape) -> str:
    try:
        # Not final: a character cut in two by the limit is not an error.
        decoder = codecs.getincrementaldecoder(shape.encoding)("replace")
    except LookupError:
        return shape.delimiter
    text = decoder.decode(start).removeprefix("\ufeff")
    if named := re.match("sep=([^\r\n])\r?\n", text):
        return named[1]
    lines = text.splitlines(keepends=True)
    text = "".join(lines[shape.skip_rows :]).lstrip("\r\n")
    is_cut = len(start) >= START_BYTES
    widths = {
        delimiter: width
        for delimiter in _DELIMITERS
        if delimiter != shape.quote and (width := _width(text, delimiter, shape, is_cut=is_cut)) > 1
    }
    return max(widths, key=lambda each: widths[each], default=shape.delimiter)


def _width(text: str, delimiter: str, shape: FileShape, *, is_cut: bool) -> int:
    """How many columns a delimiter gives; 0 if the header and the first rows differ."""
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
