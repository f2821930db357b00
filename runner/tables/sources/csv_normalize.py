"""The slow, exact CSV reader: finds what is wrong with a file, or rewrites it as plain CSV.

For the few files that DuckDB rejects. Reads one record at a time; knows rows, lines and bytes.
Knows nothing of DuckDB.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.tables.sources.chunks import open_text
from runner.tables.sources.csv import Records, open_csv, plain_csv


def normalize_csv(path: Path, shape: FileShape, to: Path) -> Records:
    """Rewrite a CSV file with LF line ends and every value quoted.

    Raises:
        SourceError: A byte cannot be decoded, a row has too many or too few cells, or a quote is
            not closed; gives the byte, or row and line.
    """
    rewrite_csv(path, shape, to)
    records = open_csv(to, plain_csv(shape))
    records.path = path
    return records


def rewrite_csv(path: Path, shape: FileShape, to: Path) -> None:
    """Like `normalize_csv`, for a reader that knows the columns."""
    csv.field_size_limit(sys.maxsize)
    with open_text(path, shape) as stream, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if shape.header:
            writer.writerow(shape.header)
        writer.writerows(_checked_rows(path, shape, stream))


def _checked_rows(path: Path, shape: FileShape, stream: TextIO) -> Iterator[list[str]]:
    lines, skipped = _after_preamble(stream, shape)
    reader = csv.reader(
        lines, delimiter=shape.delimiter, quotechar=shape.quote or None, strict=True
    )
    width = len(shape.header)
    number = 0 if shape.header else -1
    line = 1 + skipped
    try:
        for cells in reader:
            if cells:
                number += 1
                width = width or len(cells)
                _check_width(path, number, line, len(cells), width)
                yield cells
            line = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise SourceError(
            f"{path}: {_place(number + 1, line)}: {_quote_fault(error, shape.quote)}.",
            hint=f"Double each quote inside a quoted value: {shape.quote * 2}",
        ) from error


def _after_preamble(stream: TextIO, shape: FileShape) -> tuple[Iterator[str], int]:
    """The lines from the header on, and how many come before."""
    first = stream.readline()
    lines = shape.skip_rows + bool(re.fullmatch("sep=[^\r\n]\r?\n", first))
    return islice(chain([first], stream), lines, None), lines


def _check_width(path: Path, row: int, line: int, cells: int, width: int) -> None:
    if cells != width:
        found = f"{cells} cell{'s' * (cells != 1)}"
        raise SourceError(
            f"{path}: {_place(row, line)} has {found}, the header has {width}.",
            hint="Quote values that contain the delimiter or a line break, or check `delimiter`.",
        )


def _place(row: int, line: int) -> str:
    return f"row {row:,} (line {line:,})" if row else "the header"


def _quote_fault(error: csv.Error, quote: str) -> str:
    if "unexpected end" in str(error):
        return f"a value that begins with {quote} is never closed"
    return f"text between a closing {quote} and the next delimiter"
