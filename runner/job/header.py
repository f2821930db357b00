"""The header of a CSV file, read as far as needed and no further.

Tolerant: what cannot be read gives None, since reading sources rightly is another layer's promise
and this is only an early look.
"""

from __future__ import annotations

import codecs
import csv
import io

from runner.job.endpoints import FileSource
from runner.job.sniffing import START_BYTES, sniffed

_MOST_BYTES = 1_000_000
_RESULT_PREFIX = "sf__"
"""Columns that the runner adds to result files, which can be sources as they are."""


def header_of(source: FileSource) -> tuple[str, ...] | None:
    """Column names of a CSV source; None where there are none, or where they cannot be read."""
    try:
        with source.path.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
        shape = sniffed(source.shape, content[:START_BYTES])
        # Not final: a character that the limit cuts in two is no mistake of the file's.
        text = codecs.getincrementaldecoder(shape.encoding)().decode(content)
        lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
        rows = csv.reader(lines, delimiter=shape.delimiter, quotechar=shape.quote, strict=True)
        columns = next(rows, [])
    except (OSError, ValueError, LookupError, TypeError, csv.Error):
        return None
    return tuple(each for each in columns if not each.startswith(_RESULT_PREFIX)) or None
