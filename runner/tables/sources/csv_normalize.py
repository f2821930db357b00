"""The slow, exact reader of CSV: finds what is wrong with a file, or writes it anew plainly.

DuckDB reads almost every file; what it refuses comes here. Goes record by record, knows rows,
lines and bytes, and keeps one record in memory. Knows nothing of DuckDB.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.tables.sources.chunks import decoded_text
from runner.tables.sources.csv import PLAIN_CSV, Records, open_csv


def respell_csv(path: Path, shape: FileShape, to: Path) -> Records:
    """Write a CSV file anew with one kind of line end and quotes where they belong.

    Raises:
        SourceError: A byte that cannot be decoded, a row with too many or too few cells, a quote
            that is not closed; names byte or row and line.
    """
    csv.field_size_limit(sys.maxsize)
    with decoded_text(path, shape) as stream, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if shape.header:
            writer.writerow(shape.header)
        writer.writerows(_checked_rows(path, shape, stream))
    return _renamed(open_csv(to, PLAIN_CSV), path)


def _renamed(records: Records, path: Path) -> Records:
    records.path = path
    return records


def _checked_rows(path: Path, shape: FileShape, stream: TextIO) -> Iterator[list[str]]:
    reader = csv.reader(
        stream, delimiter=shape.delimiter, quotechar=shape.quote or None, strict=True
    )
    width = len(shape.header)
    number = 0 if shape.header else -1
    line = 1
    try:
        for cells in reader:
            if cells:
                number += 1
                width = width or len(cells)
                _check_width(path, number, line, len(cells), width)
                yield cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"{path}: {_place(number + 1, line)}: {_quote_fault(error, shape.quote)}.",
            hint=f"A quote inside a quoted value is written twice: {shape.quote * 2}",
        ) from error


def _check_width(path: Path, row: int, line: int, cells: int, width: int) -> None:
    if cells != width:
        found = f"{cells} cell{'s' * (cells != 1)}"
        raise SourceError(
            f"{path}: {_place(row, line)} has {found}, the header has {width}.",
            hint="Quote values that hold the delimiter or a line end, or check `delimiter`.",
        )


def _place(row: int, line: int) -> str:
    return f"row {row:,} (line {line:,})" if row else "the header"


def _quote_fault(error: csv.Error, quote: str) -> str:
    if "unexpected end" in str(error):
        return f"a value that begins with {quote} is never closed"
    return f"something stands between a closing {quote} and the next delimiter"
