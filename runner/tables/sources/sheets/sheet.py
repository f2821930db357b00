"""What every workbook offers, whatever its file format.

Knows rows, cells and their names. Knows nothing of columns with names or of files.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from msgspec import Struct

from runner.job.endpoints import SheetArea

Row = tuple[int, list[str]]
"""A row's number from 1, and its texts from the first column of the area on; it may end early."""
Rows = Generator[Row, None, None]
"""Rows of an open file; `close` it before the file."""


class Sheet(Struct, frozen=True):
    """A sheet with cells; charts are none."""

    name: str
    part: str | int
    """Where it is in the workbook."""
    is_visible: bool = True


class BadCellError(Exception):
    """A cell without a value that could be sent."""

    def __init__(self, row: int, column: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.place = f"{column_letters(column)}{row}"
        self.what = what
        self.hint = hint


class Workbook(Protocol):
    """An open file with sheets."""

    @property
    def sheets(self) -> Sequence[Sheet]:
        """All of them, in the order of their tabs."""

    def rows(self, sheet: Sheet, area: SheetArea) -> Rows:
        """Read the rows that the file has; BadCellError for a cell without a value to send."""


def error_cell(row: int, column: int, error: str) -> BadCellError:
    """What to raise for a cell with an error such as `#DIV/0!`."""
    hint = "Fix its formula and save the file; none of its rows were read."
    return BadCellError(row, column, f"contains the error {error}", hint)


def missing_result(row: int, column: int) -> BadCellError:
    """What to raise for a formula that nobody has calculated."""
    hint = "Open the file in Excel or LibreOffice and save it; none of its rows were read."
    return BadCellError(row, column, "contains a formula whose result is not stored", hint)


def not_a_number(row: int, column: int, text: str) -> BadCellError:
    """The error for a cell that should be a number and is not."""
    hint = "The file is damaged or incomplete; save it again."
    return BadCellError(row, column, f"contains {text!r} as a number", hint)


def put(cells: list[str], at: int, text: str) -> None:
    """Put a text at its place in a row that may be shorter."""
    if at == len(cells):
        cells.append(text)
    elif at < len(cells):
        cells[at] = text
    else:
        cells.extend([""] * (at - len(cells)))
        cells.append(text)


def column_letters(column: int) -> str:
    """The name of a column by its place from 0: A, …, Z, AA."""
    name = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        name = chr(ord("A") + letter) + name
        column -= 1
    return name
