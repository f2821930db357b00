"""Sheets of workbooks as records: where the header is, and which cells belong to it.

Knows rows of text. What a cell becomes is in `sheets`; nothing here knows formats or fields.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.endpoints import FileShape, SheetArea
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.csv import Records
from runner.tables.sources.footer import blank_note, footer_note, without_footer
from runner.tables.sources.header import EmptySourceError, clean_name, named_columns
from runner.tables.sources.sheets.sheet import (
    BadCellError,
    Row,
    Sheet,
    Workbook,
    column_letters,
)
from runner.tables.sources.sheets.workbook import opened_workbook
from runner.tables.sources.spool import spool_rows

Result = TypeVar("Result")


def read_excel(path: Path, shape: FileShape, to: Path, disk: Disk = UNBOUNDED) -> Records:
    """Write a sheet's rows as CSV; the first row with a value names the columns.

    By default, the first visible sheet is read.

    Raises:
        SourceError: The file is no workbook, has no such sheet, or a cell has no value to send.
    """

    def spool(table: _Table) -> Records:
        records = spool_rows(path, table.header, table.records(), to, disk)
        notes = [table.note] if table.note else []
        if table.footer:
            notes.append(footer_note(table.footer))
        notes += blank_note(table.blank)
        return replace(records, notes=tuple(notes))

    return _with_table(path, shape, to.parent, spool)


def excel_columns(path: Path, shape: FileShape) -> tuple[str, ...]:
    """The names of a sheet's columns; reads all rows, as a run would.

    Raises:
        SourceError: As `read_excel`.
    """

    def check(table: _Table) -> tuple[str, ...]:
        deque(table.records(), maxlen=0)
        return tuple(table.header)

    return _with_table(path, shape, None, check)


def excel_header(path: Path, shape: FileShape) -> tuple[str, ...]:
    """The names of a sheet's columns, without a look at its rows.

    Raises:
        SourceError: As `read_excel`.
    """
    return _with_table(path, shape, None, lambda table: tuple(table.header))


def _with_table(
    path: Path, shape: FileShape, folder: Path | None, use: Callable[[_Table], Result]
) -> Result:
    with opened_workbook(path, folder) as book:
        sheet, note = _find_sheet(path, book, shape.sheet)
        area = shape.area
        if shape.skip_rows:
            area = replace(area, first_row=shape.skip_rows + 1)
        try:
            with closing(book.rows(sheet, area)) as rows:
                return use(_table(path, shape, area, rows, note))
        except BadCellError as error:
            raise SourceError(
                f"{path}: cell {error.place} of sheet {sheet.name!r} {error.what}.",
                hint=error.hint,
            ) from error


class _Table(Struct):
    """The header of a sheet, and the rows below it."""

    path: Path
    header: Sequence[str]
    start: int
    """Place of its first column in the rows."""
    rows: Iterator[Row]
    note: str | None
    """What the user should know."""
    skip_last: int
    footer: list[str] = field(default_factory=list)
    """The rows below the last one, once the records were read."""
    blank: int = 0
    """Rows without any value between the others, as far as they were read."""

    def records(self) -> Iterator[list[str]]:
        """Rows as wide as the header, without blank rows."""
        start, end = self.start, self.start + len(self.header)
        footer: list[Row] = []
        last = 0
        for number, cells in without_footer(self.rows, self.skip_last, _is_blank, footer):
            if any(map(str.strip, chain(cells[:start], cells[end:]))):
                raise SourceError(
                    f"{self.path}: row {number:,} of the sheet has a value in a column without a"
                    " name.",
                    hint="Name the column in the header, remove the value, or name the cells to"
                    " read: `range: B3:H`.",
                )
            if not _is_blank((number, cells)):
                self.blank += number - last - 1 if last else 0
                last = number
                yield cells[start:end] + [""] * (end - max(start, len(cells)))
        self.footer.extend(" ".join(filter(None, cells)) for _, cells in footer)


def _table(
    path: Path, shape: FileShape, area: SheetArea, rows: Iterator[Row], note: str | None
) -> _Table:
    number, header = next((each for each in rows if not _is_blank(each)), (0, []))
    names = list(map(clean_name, header))
    end = named_columns(names)
    if not end:
        is_whole = not shape.skip_rows and area == SheetArea()
        raise (EmptySourceError if is_whole else SourceError)(
            f"{path}: the sheet has no header: it is empty.",
            hint="Check `sheet`, `range` and `skip_rows`.",
        )
    start = next(at for at, name in enumerate(names) if name)
    if "" in names[start:end]:
        cell = f"{column_letters(area.first_column + names.index('', start))}{number}"
        raise SourceError(
            f"{path}: cell {cell} of the sheet is blank, but names a column.",
            hint="Write the column's name there; title rows above go into `skip_rows`.",
        )
    return _Table(path, names[start:end], start, rows, note, shape.skip_last)


def _is_blank(row: Row) -> bool:
    return not any(map(str.strip, row[1]))


def _find_sheet(path: Path, book: Workbook, wanted: str | None) -> tuple[Sheet, str | None]:
    """The sheet to read, and what the user should know."""
    sheets = book.sheets
    if wanted is not None:
        found = next((each for each in sheets if each.name == wanted), None)
        if found is None:
            names = ", ".join(repr(each.name) for each in sheets)
            raise SourceError(f"{path} has no sheet {wanted!r}.", hint=f"It has: {names}.")
        return found, None
    if not sheets:
        raise SourceError(f"{path} has no sheet with cells.", hint="Check the file.")
    found = next((each for each in sheets if each.is_visible), sheets[0])
    hidden = found is not sheets[0]
    return found, f"sheet {found.name!r} read, the first that is visible" if hidden else None
