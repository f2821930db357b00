"""Sheets of Excel files as rows of text.

Knows the cells of a sheet: what an Excel number, date or error becomes. Reads through calamine,
which the extra `excel` brings. Knows nothing of fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

from runner.errors import SourceError
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.extras import extra
from runner.tables.sources.csv import Records
from runner.tables.sources.excel_errors import first_error
from runner.tables.sources.spool import spool_rows

_WHOLE_BELOW = 1e15
"""Excel keeps 15 digits, and every number as a double; below, a whole one has no point."""


def read_excel(path: Path, sheet: str | None, to: Path, disk: Disk = UNBOUNDED) -> Records:
    """Write a sheet's rows as CSV; its first row names the columns.

    Raises:
        SourceError: The file is no Excel file, has no such sheet, or a cell holds an error.
    """
    rows = _rows(path, sheet)
    header = [_text(cell) for cell in next(rows, [])]
    while header and not header[-1].strip():
        header.pop()
    return spool_rows(path, header, _cut(path, rows, len(header)), to, disk)


def _rows(path: Path, sheet: str | None) -> Iterator[list[object]]:
    calamine = extra("python_calamine", "excel", f"{path}, an Excel file,")
    try:
        book = calamine.load_workbook(str(path))
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise SourceError(
                f"{path} has no sheet {sheet!r}.", hint=f"It has: {', '.join(map(repr, names))}."
            )
        found = book.get_sheet_by_name(sheet or names[0])
    except (calamine.CalamineError, OSError) as error:
        raise SourceError(
            f"{path} cannot be read as Excel: {error}.",
            hint="The file may be of another format, encrypted, or not be written whole.",
        ) from error
    error_cell = first_error(path, found.name)
    if error_cell is not None:
        raise SourceError(
            f"{path}: cell {error_cell[0]} of sheet {found.name!r} holds the error"
            f" {error_cell[1]}.",
            hint="Mend its formula and save the file; no row of it was read.",
        )
    before = [""] * (found.start[1] if found.start else 0)
    return ([*before, *row] for row in found.iter_rows())


def _cut(path: Path, rows: Iterator[list[object]], width: int) -> Iterator[list[str]]:
    """Rows as wide as the header; rows of blanks only are none."""
    for number, row in enumerate(rows, start=2):
        cells = [_text(cell) for cell in row]
        if any(cells[width:]):
            raise SourceError(
                f"{path}: row {number:,} of the sheet has a value in a column without a name.",
                hint="Name the columns in the first row of the sheet, or take the value out.",
            )
        if any(cells):
            yield cells[:width] + [""] * (width - len(cells))


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        is_whole = cell.is_integer() and abs(cell) < _WHOLE_BELOW
        return str(int(cell)) if is_whole else f"{Decimal(repr(cell)):f}"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
