"""Plain CSV, as DuckDB writes it, taken as bytes: whether a text is it, and its records.

UTF-8, commas, LF at the end of every record, quotes only where a value needs them. What is written
like that already need not be written again. Knows bytes. Knows nothing of columns.
"""

from __future__ import annotations

import codecs
import re

from msgspec.structs import replace

from runner.tables.sql import CsvDialect

_RECORD = re.compile(rb'[^"\n]*(?:"[^"]*"[^"\n]*)*\n')
_QUOTED = re.compile(rb'"[^"]*"')
_LINE_FEED = b"\n"
_BETWEEN = (b",", _LINE_FEED)
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
    if b"\r" in content or content.startswith(codecs.BOM_UTF8):
        return False
    pattern = _PLAIN_WITH_HASH if b"#" in content else _PLAIN
    if pattern.fullmatch(content) is None:
        return False
    # DuckDB ignores empty lines, and a comma at the end of a record.
    quoted: list[bytes] = _QUOTED.findall(content)
    between = {sign: content.count(sign) - sum(q.count(sign) for q in quoted) for sign in _BETWEEN}
    return between == {b",": rows * (columns - 1), _LINE_FEED: rows}


def with_line_feeds(dialect: CsvDialect, content: bytes) -> tuple[CsvDialect, bytes]:
    """The same records with LF at the end of each, if that takes no look at every value."""
    if dialect.line_end == "\r\n" and dialect.quote.encode() not in content:
        ends = content.count(b"\r\n")
        if ends == content.count(b"\r") == content.count(b"\n"):
            content = content.replace(b"\r\n", b"\n")
            dialect = replace(dialect, line_end="\n")
    if dialect.line_end == "\n" and not content.endswith(b"\n"):
        content += b"\n"
    return dialect, content


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
