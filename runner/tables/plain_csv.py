"""Plain CSV, as DuckDB writes it, taken as bytes: whether a text is it, and its records.

UTF-8, commas, LF at the end of every record, quotes only where a value needs them. What is written
like that already need not be written again. Knows bytes. Knows nothing of columns.
"""

from __future__ import annotations

import codecs
import re

_RECORD = re.compile(rb'[^"\n]*(?:"[^"]*"[^"\n]*)*\n')
_QUOTED = re.compile(rb'"[^"]*"')
_LINE_FEED = b"\n"
_TEXT = (
    rb'[^"%(q)s]*+(?:(?<![^,\n])"[^",\n%(q)s]*+(?:""|[,\n%(q)s])[^"]*+(?:""[^"]*+)*+"(?=[,\n])'
    rb'[^"%(q)s]*+)*+'
)
"""Values are in quotes if they have a comma, a quote, a line feed, or another character `q`."""
_PLAIN = re.compile(_TEXT % {b"q": b""})
_PLAIN_WITH_HASH = re.compile(_TEXT % {b"q": b"#"})
"""DuckDB quotes values with `#`, too; looking for two characters takes four times as long."""


def is_plain(content: bytes, rows: int, columns: int) -> bool:
    """Whether CSV that DuckDB reads is, byte for byte, what it would write of the rows.

    Args:
        content: UTF-8 with commas and quotes; no row of it is all blank.
        rows: How many DuckDB finds.
        columns: How many each has.
    """
    if b"\r" in content or content.startswith((_LINE_FEED, codecs.BOM_UTF8)):
        return False
    # An empty line is no record; inside quotes it is part of a value, and taken for one here.
    if b"\n\n" in content:
        return False
    pattern = _PLAIN_WITH_HASH if b"#" in content else _PLAIN
    if pattern.fullmatch(content) is None:
        return False
    # DuckDB ignores a comma at the end of a record.
    return b",\n" not in content or _commas(content) == rows * (columns - 1)


def _commas(content: bytes) -> int:
    """How many commas there are between values."""
    quoted: list[bytes] = _QUOTED.findall(content)
    return content.count(b",") - sum(each.count(b",") for each in quoted)


def records_of(content: bytes, count: int) -> list[bytes]:
    """Split plain CSV into its records, without their line ends.

    Args:
        content: Plain CSV.
        count: How many records it has; if there is no line end within a value, this is faster.
    """
    lines = content.split(_LINE_FEED)
    lines.pop()
    return lines if len(lines) == count else _joined(lines)


def _joined(lines: list[bytes]) -> list[bytes]:
    """Put records together that line ends within values have split."""
    # Lines up to the next one with an odd number of quotes are within the same value.
    quoted = [at for at, line in enumerate(lines) if b'"' in line]
    odd = iter([at for at in quoted if lines[at].count(b'"') % 2])
    records: list[bytes] = []
    done = 0
    for first, last in zip(odd, odd, strict=True):
        records += lines[done:first]
        records.append(_LINE_FEED.join(lines[first : last + 1]))
        done = last + 1
    return records + lines[done:]


def record_ends(content: bytes | memoryview) -> list[int]:
    """Where each record of plain CSV ends, in bytes from the beginning."""
    return [record.end() for record in _RECORD.finditer(content)]
