"""Plain CSV, as DuckDB writes it, taken as bytes: whether a text is it, and its records.

UTF-8, commas, LF at the end of every record, quotes only where a value needs them. What is written
like that already need not be written again. Knows bytes. Knows nothing of columns.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, compress, repeat
from typing import BinaryIO

from msgspec.structs import replace

from runner.tables.sql import CsvDialect

_RECORD = re.compile(rb'[^"\n]*(?:"[^"]*"[^"\n]*)*\n')
_QUOTED = re.compile(rb'"[^"]*"')
_LINE_FEED = b"\n"
_QUOTE = b'"'
_BETWEEN = (b",", _LINE_FEED)
_find_sign = re.compile('[,"\n\r#]').search
"""DuckDB puts values with these in quotes."""
_TEXT = (
    rb'[^"%(q)s]*+(?:(?<![^,\n])"[^",\n%(q)s]*+(?:""|[,\n%(q)s])[^"]*+(?:""[^"]*+)*+"(?=[,\n])'
    rb'[^"%(q)s]*+)*+'
)
"""Values are in quotes if they have a comma, a quote, a line feed, or another character `q`."""
_PLAIN = re.compile(_TEXT % {b"q": b""})
_PLAIN_WITH_HASH = re.compile(_TEXT % {b"q": b"#"})
"""DuckDB quotes values with `#`, too; looking for two characters takes four times as long."""


def is_bare(texts: str) -> bool:
    """Whether values can be written without quotes; they may be joined in one text."""
    return _find_sign(texts) is None


def as_written(text: str) -> str:
    """A value, in quotes if it needs them; a blank one is empty."""
    return text if _find_sign(text) is None else '"' + text.replace('"', '""') + '"'


def is_plain(content: bytes, rows: int, columns: int) -> bool:
    """Whether CSV in which DuckDB finds so many rows is what it would write of them."""
    return plain_rows(content, columns) == rows


def plain_rows(content: bytes, columns: int) -> int | None:
    """How many records a text has; None if it is not, byte for byte, what DuckDB writes of them.

    Args:
        content: UTF-8 with commas and quotes, which DuckDB reads as so many rows, none all blank.
        columns: How many each has.
    """
    if b"\r" in content or content.startswith(codecs.BOM_UTF8):
        return None
    has_hash = b"#" in content
    quoted = b""
    if has_hash or b'"' in content:
        pattern = _PLAIN_WITH_HASH if has_hash else _PLAIN
        if pattern.fullmatch(content) is None:
            return None
        quoted = b"".join(_QUOTED.findall(content))
    # DuckDB ignores empty lines, and a comma at the end of a record.
    commas, rows = (content.count(sign) - quoted.count(sign) for sign in _BETWEEN)
    return rows if commas == rows * (columns - 1) else None


def bare_rows(content: bytes, dialect: CsvDialect) -> int | None:
    """How many records a text has in which no value is in quotes; None if it may have others."""
    usual = replace(dialect, delimiter=",")
    sign = dialect.delimiter.encode()
    is_bare_csv = usual.is_plain(dialect.columns) and len(sign) == 1 and content.endswith(b"\n")
    if not is_bare_csv or b'"' in content or b"\r" in content or codecs.BOM_UTF8 in content:
        return None
    lines = content.split(b"\n")
    lines.pop()
    between = len(dialect.columns) - 1
    return len(lines) if {line.count(sign) for line in lines} == {between} and between else None


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
    if len(lines) == count:
        return lines
    return join_lines(lines, line_feeds_in_values(content.split(b'"')), _LINE_FEED)


def line_feeds_in_values(pieces: Sequence[bytes]) -> dict[int, int]:
    """Count them by the place of their record, in order; records without any are left out.

    Args:
        pieces: Plain CSV, split at its quotes: every second piece is within a value.
    """
    inside = list(map(bytes.count, pieces[1::2], repeat(_LINE_FEED)))
    places = accumulate(map(bytes.count, pieces[::2], repeat(_LINE_FEED)))
    counts: dict[int, int] = {}
    for place, count in compress(zip(places, inside, strict=False), inside):
        counts[place] = counts.get(place, 0) + count
    return counts


def join_lines(lines: list[bytes], counts: dict[int, int], between: bytes) -> list[bytes]:
    """Put records together that line feeds within values have split, given their counts."""
    records: list[bytes] = []
    start = 0
    for place, count in counts.items():
        first = start + place - len(records)
        records += lines[start:first]
        start = first + count + 1
        records.append(between.join(lines[first:start]))
    return records + lines[start:]


def record_blocks(content: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Divide plain CSV into blocks of whole records: where each starts and ends.

    Args:
        content: Plain CSV, with a line feed at its end.
        size: What a block has, and the rest of its last record.

    Raises:
        ValueError: A quote is never closed.
    """
    start = 0
    while start < len(content):
        end = content.find(_LINE_FEED, start + size) + 1 or len(content)
        is_within_value = content.count(_QUOTE, start, end) % 2
        while is_within_value:
            quote = content.index(_QUOTE, end)
            end = content.index(_LINE_FEED, quote) + 1
            is_within_value ^= content.count(_QUOTE, quote, end) % 2
        yield start, end
        start = end


def read_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read plain CSV in blocks of whole records; arguments and errors as of `record_blocks`."""
    while block := stream.read(size):
        block += stream.readline()
        lines = [block]
        is_within_value = block.count(_QUOTE) % 2
        while is_within_value:  # which may have thousands of lines
            line = stream.readline()
            if not line:
                raise ValueError("a quote is never closed")
            is_within_value ^= line.count(_QUOTE) % 2
            lines.append(line)
        yield b"".join(lines)


def record_ends(content: bytes | memoryview) -> list[int]:
    """Where each record of plain CSV ends, in bytes from the beginning."""
    return [record.end() for record in _RECORD.finditer(content)]
