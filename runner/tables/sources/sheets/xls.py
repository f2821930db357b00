"""Sheets of .xls files, through xlrd, from the extra `excel`.

Every formula has a result in this format, so one that nobody calculated cannot be told from 0.
Knows xlrd's cells. What a number becomes is in `number_formats`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from runner.job.endpoints import SheetArea
from runner.tables.extras import extra
from runner.tables.sources.sheets.number_formats import NumberText, text_by_format
from runner.tables.sources.sheets.sheet import Rows, Sheet, error_cell

SIGNATURE = bytes.fromhex("d0cf11e0a1b11ae1")
"""How a file begins that may be .xls; an encrypted .xlsx begins so too."""


class XlsWorkbook:
    """An open .xls file; all of it is in memory: it has at most 65,536 rows a sheet."""

    def __init__(self, path: Path) -> None:
        """Read a file; ValueError if xlrd cannot."""
        self._xlrd = extra("xlrd", "excel", f"{path}, an .xls file,")
        try:
            self._book = self._xlrd.open_workbook(path, logfile=io.StringIO(), formatting_info=True)
        except Exception as error:  # what xlrd raises for a damaged file depends on the damage
            raise ValueError(f"{type(error).__name__}: {error}") from error
        self._formats: dict[int, NumberText] = {}
        self.sheets = [
            Sheet(each.name, at, each.visibility == 0)
            for at, each in enumerate(self._book.sheets())
        ]

    def rows(self, sheet: Sheet, area: SheetArea) -> Rows:
        """Read a sheet; BadCellError for a cell without a value to send."""
        page = self._book.sheet_by_index(sheet.part)
        last = page.nrows if area.last_row is None else min(area.last_row, page.nrows)
        for number in range(area.first_row, last + 1):
            cells = page.row(number - 1)[: area.last_column + 1]
            texts = [
                self._text(number, at, cell)
                for at, cell in enumerate(cells[area.first_column :], area.first_column)
            ]
            yield number, texts

    def _text(self, row: int, column: int, cell: Any) -> str:  # noqa: ANN401 - xlrd has no types
        kind, value = cell.ctype, cell.value
        if kind in {self._xlrd.XL_CELL_NUMBER, self._xlrd.XL_CELL_DATE}:
            return self._format(cell.xf_index)(repr(value))
        if kind == self._xlrd.XL_CELL_ERROR:
            raise error_cell(row, column, self._xlrd.error_text_from_code.get(value, "#ERROR"))
        if kind == self._xlrd.XL_CELL_BOOLEAN:
            return "true" if value else "false"
        return str(value)

    def _format(self, style: int) -> NumberText:
        found = self._formats.get(style)
        if found is None:
            key = self._book.xf_list[style].format_key
            code = self._book.format_map[key].format_str
            found = text_by_format(code, from_1904=self._book.datemode == 1)
            self._formats[style] = found
        return found
