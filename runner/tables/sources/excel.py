"""Sheets of Excel files as rows of text.

Knows the cells of a sheet: what a number, date or error becomes. Reads through calamine, from the
extra `excel`. Knows nothing of fields.

Calamine reads a cell with an error such as `#DIV/0!` as blank, and a blank must not be sent for a
number that could not be computed. So the XML of the sheet (ECMA-376) is searched for errors first,
a block at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.extras import extra
from runner.tables.sources.csv import Records
from runner.tables.sources.spool import spool_rows
from runner.tables.sources.value_texts import duration_text

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook, SheetMetadata

_BLOCK_BYTES = 1 << 20
_LONGEST_CELL_BYTES = 1 << 16
_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+[0-9]+)"[^>]*>(.*?)</c>', re.DOTALL)
_VALUE = re.compile(rb"<v>([^<]*)</v>")
_BOOK = "xl/workbook.xml"
_LINKS = "xl/_rels/workbook.xml.rels"
_WHOLE_BELOW = 1e15
"""Excel stores doubles with 15 digits; below this, a whole number is written without a point."""


def read_excel(path: Path, shape: FileShape, to: Path, disk: Disk = UNBOUNDED) -> Records:
    """Write a sheet's rows as CSV; the first row with a value names the columns.

    By default, the first visible sheet is read.

    Raises:
        SourceError: The file is not Excel, has no such sheet, or a cell contains an error.
    """
    sheet = _opened(path, shape)
    records = spool_rows(path, sheet.header, _cut(path, sheet), to, disk)
    return replace(records, notes=(sheet.note,) if sheet.note else ())


def excel_columns(path: Path, shape: FileShape) -> tuple[str, ...]:
    """The names of a sheet's columns.

    Raises:
        SourceError: The file is not Excel, has no such sheet, or a cell contains an error.
    """
    return tuple(_opened(path, shape).header)


@dataclass(frozen=True, slots=True)
class _Sheet:
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    """Number and texts of each row after the header."""
    start: int
    end: int
    note: str | None
    """What the user should know."""


def _opened(path: Path, shape: FileShape) -> _Sheet:
    rows, note = _rows(path, shape.sheet)
    numbered = islice(enumerate(rows, start=1), shape.skip_rows, None)
    texts = ((number, [_text(cell) for cell in row]) for number, row in numbered)
    number, header = next((each for each in texts if any(map(str.strip, each[1]))), (0, []))
    if not header:
        raise SourceError(
            f"{path}: the sheet has no header: it is empty.", hint="Check `sheet` and `skip_rows`."
        )
    start = next((at for at, cell in enumerate(header) if cell.strip()), 0)
    end = max((at for at, cell in enumerate(header, start=1) if cell.strip()), default=0)
    for at in range(start, end):
        if not header[at].strip():
            raise SourceError(
                f"{path}: cell {_letters(at)}{number} of the sheet is blank, but names a column.",
                hint="Write the column's name there; title rows above go into `skip_rows`.",
            )
    return _Sheet(header[start:end], texts, start, end, note)


def _rows(path: Path, sheet: str | None) -> tuple[Iterator[list[object]], str | None]:
    """The rows of a sheet from row 1 and column A on, and what the user should know."""
    calamine = extra("python_calamine", "excel", f"{path}, an Excel file,")
    try:
        book = calamine.load_workbook(str(path))
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise SourceError(
                f"{path} has no sheet {sheet!r}.", hint=f"It has: {', '.join(map(repr, names))}."
            )
        visible = _visible_sheets(book)
        found = book.get_sheet_by_name(sheet or (visible or names)[0])
    except (calamine.CalamineError, OSError) as error:
        raise SourceError(
            f"{path} cannot be read as Excel: {error}.",
            hint="The file may be in another format, encrypted or incomplete.",
        ) from error
    error_cell = _first_error(path, found.name)
    if error_cell is not None:
        raise SourceError(
            f"{path}: cell {error_cell[0]} of sheet {found.name!r} contains the error"
            f" {error_cell[1]}.",
            hint="Fix its formula and save the file; none of its rows were read.",
        )
    before = [""] * (found.start[1] if found.start else 0)
    hidden = sheet is None and found.name != names[0]
    note = f"sheet {found.name!r} read, the first that is visible" if hidden else None
    return ([*before, *row] for row in found.iter_rows()), note


def _visible_sheets(book: CalamineWorkbook) -> list[str]:
    """Names of the sheets with cells that are not hidden."""
    found = (str(each.name) for each in book.sheets_metadata if _is_visible(each))
    return list(found)


def _is_visible(sheet: SheetMetadata) -> bool:
    """Compare by name: the module is an extra, which may be missing."""
    return str(sheet.typ).endswith("WorkSheet") and str(sheet.visible).endswith("Visible")


def _letters(column: int) -> str:
    """The name of a column by its place from 0: A, …, Z, AA."""
    name = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        name = chr(ord("A") + letter) + name
        column -= 1
    return name


def _cut(path: Path, sheet: _Sheet) -> Iterator[list[str]]:
    """Rows as wide as the header, without blank rows."""
    start, end = sheet.start, sheet.end
    for number, cells in sheet.rows:
        if any(cells[:start]) or any(cells[end:]):
            raise SourceError(
                f"{path}: row {number:,} of the sheet has a value in a column without a name.",
                hint="Name the column in the header, or remove the value; `skip_rows` skips title"
                " rows above the header.",
            )
        if any(cells):
            yield cells[start:end] + [""] * (end - max(start, len(cells)))


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        is_whole = cell.is_integer() and abs(cell) < _WHOLE_BELOW
        return str(int(cell)) if is_whole else f"{Decimal(repr(cell)):f}"
    if isinstance(cell, timedelta):
        return duration_text(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def _first_error(path: Path, sheet: str) -> tuple[str, str] | None:
    """The first cell with an error and its value, `("B7", "#DIV/0!")`; None if there is none."""
    try:
        with ZipFile(path) as book:
            return _first_error_in(book, _sheet_file(book, sheet))
    except (BadZipFile, KeyError, StopIteration, ET.ParseError):
        return None  # not an .xlsx file


def _sheet_file(book: ZipFile, sheet: str) -> str:
    """The path of a sheet within the file."""
    sheets = ET.fromstring(book.read(_BOOK)).iter()  # noqa: S314 - expat refuses to grow
    links = ET.fromstring(book.read(_LINKS)).iter()  # noqa: S314 - same
    found = next(each for each in sheets if each.get("name") == sheet and "sheetId" in each.attrib)
    wanted = next(value for key, value in found.attrib.items() if key.endswith("}id"))
    target = next(each.attrib["Target"] for each in links if each.get("Id") == wanted)
    return str(PurePosixPath("/xl") / target).removeprefix("/")


def _first_error_in(book: ZipFile, part: str) -> tuple[str, str] | None:
    with book.open(part) as stream:
        buffer = b""
        while block := stream.read(_BLOCK_BYTES):
            buffer += block
            found = _CELL.search(buffer)
            if found:
                value = _VALUE.search(found[2])
                return found[1].decode(), value[1].decode() if value else "#ERROR"
            buffer = buffer[-_LONGEST_CELL_BYTES:]
    return None
