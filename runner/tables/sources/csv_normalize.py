"""The slow, exact CSV reader: finds what is wrong with a file, or rewrites it as plain CSV.

For the few files that DuckDB rejects, or that contain more than rows. Reads one record at a time;
knows rows, lines and bytes.
Knows nothing of DuckDB.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.tables.sources.chunks import open_text
from runner.tables.sources.csv import (
    NAMED_DELIMITER,
    UNNAMED,
    Records,
    blank_line,
    open_csv,
    plain_csv,
)
from runner.tables.sources.footer import footer_note, without_footer
from runner.tables.sources.header import named_columns


def normalize_csv(path: Path, shape: FileShape, to: Path) -> Records:
    """Rewrite a CSV file with LF line ends and every value quoted.

    Columns without a name at the end are dropped if no row has a value there.

    Raises:
        SourceError: A byte cannot be decoded, a row has too many or too few cells, or a quote is
            not closed; gives the byte, or row and line.
    """
    footer: list[str] = []
    _rewrite(path, shape, to, footer, blank_ends=True)
    records = open_csv(to, plain_csv(shape))
    records.path = path
    records.notes = (footer_note(footer),) if footer else ()
    return records


def rewrite_csv(path: Path, shape: FileShape, to: Path) -> None:
    """Like `normalize_csv`, for a reader that knows the columns; no cell may be too many."""
    _rewrite(path, shape, to, [], blank_ends=False)


def _rewrite(
    path: Path, shape: FileShape, to: Path, footer: list[str], *, blank_ends: bool
) -> None:
    with open_text(path, shape) as stream, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if shape.header:
            writer.writerow(shape.header)
        rows = _checked_rows(path, shape, stream, footer, blank_ends=blank_ends)
        writer.writerows(rows)


def _checked_rows(
    path: Path, shape: FileShape, stream: TextIO, footer: list[str], *, blank_ends: bool
) -> Iterator[list[str]]:
    from runner.csv_rows import csv_reader

    lines, skipped = _after_preamble(stream, shape)
    if shape.skip_last:
        lines = without_footer(lines, shape.skip_last, blank_line(shape), footer)
    reader = csv_reader(
        lines, delimiter=shape.delimiter, quotechar=shape.quote or None, strict=True
    )
    header: Sequence[str] = shape.header
    width = len(header)
    number = 0 if header else -1
    line = 1 + skipped
    try:
        for cells in reader:
            if cells:
                number += 1
                if not header:
                    header = tuple(cells)
                    width = named_columns(header) if blank_ends else len(header)
                if blank_ends and len(cells) > width and not any(map(str.strip, cells[width:])):
                    del cells[width:]
                _check_width(path, _place(number, line), len(cells), width, len(header))
                yield cells
            line = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise SourceError(
            f"{path}: {_place(number + 1, line)}: {_quote_fault(error, shape.quote)}.",
            hint=f"Double each quote inside a quoted value: {shape.quote * 2}",
        ) from error
    if footer and not header:
        from runner.wording import counted

        raise SourceError(
            f"{path}: its header is in the last {counted(shape.skip_last, 'line')}.",
            hint="Check `skip_last` in `from`: it counts the lines below the last row.",
        )


def _after_preamble(stream: TextIO, shape: FileShape) -> tuple[Iterator[str], int]:
    """The lines from the header on, and how many come before."""
    first = stream.readline()
    lines = shape.skip_rows + bool(re.fullmatch(NAMED_DELIMITER, first))
    return islice(chain([first], stream), lines, None), lines


def _check_width(path: Path, place: str, cells: int, width: int, header: int) -> None:
    """Compare the cells of a row with the columns that have a name, of all in the header."""
    if width < cells <= header:
        raise SourceError(
            f"{path}: {place} has a value in column {cells}, but column {width + 1} of {header}"
            " has no name.",
            hint=UNNAMED,
        )
    if cells != width:
        found = f"{cells} cell{'s' * (cells != 1)}"
        raise SourceError(
            f"{path}: {place} has {found}, the header has {width}.",
            hint="Quote values that contain the delimiter or a line break, or check `delimiter`.",
        )


def _place(row: int, line: int) -> str:
    return f"row {row:,} (line {line:,})" if row else "the header"


def _quote_fault(error: csv.Error, quote: str) -> str:
    if "unexpected end" in str(error):
        return f"a value that begins with {quote} is never closed"
    return f"text between a closing {quote} and the next delimiter"
