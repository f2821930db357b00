"""Sheets of .xlsb files, read as a stream of records (MS-XLSB, 2.3 and 2.4).

Every formula has a result in this format, so one that nobody calculated cannot be told from 0.
Knows the records of cells. What a number becomes is in `number_formats`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from struct import unpack_from
from typing import IO
from zipfile import ZipFile

from runner.job.endpoints import SheetArea
from runner.tables.sources.sheets.number_formats import (
    BUILT_IN,
    NumberText,
    number_text,
    text_by_format,
)
from runner.tables.sources.sheets.package import links_of, main_part, opened_part
from runner.tables.sources.sheets.sheet import Rows, Sheet, error_cell, put
from runner.tables.sources.sheets.texts import StoredTexts

_ROW, _SHARED_TEXT, _FORMAT, _STYLE = 0, 19, 44, 47
_PROPERTIES, _SHEET, _STYLES_START, _STYLES_END = 153, 156, 617, 618
_RK, _ERROR, _BOOLEAN, _REAL, _TEXT, _SHARED = 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_REAL, _FORMULA_BOOLEAN, _FORMULA_ERROR, _RICH_TEXT = 8, 9, 10, 11, 62
_CELLS = frozenset(range(1, 12)) | {_RICH_TEXT}
_SHORT_CELLS = range(12, 19)
"""Cells that follow the one before: as 1 to 7, without their column."""
_ERRORS = {
    0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A",
    43: "#GETTING_DATA",
}  # fmt: skip


class XlsbWorkbook:
    """An open .xlsb file."""

    def __init__(self, book: ZipFile, texts: StoredTexts) -> None:
        """Read what the file says about its sheets.

        Args:
            book: The file.
            texts: An empty store for its shared texts.
        """
        self._book = book
        self._texts = texts
        main = main_part(book)
        links = links_of(book, main)
        self._parts = {kind: path for kind, _, path in links}
        worksheets = {key: path for kind, key, path in links if kind == "worksheet"}
        self._from_1904 = False
        self.sheets: list[Sheet] = []
        with opened_part(book, main) as stream:
            for kind, data in _records(stream):
                if kind == _PROPERTIES:
                    self._from_1904 = bool(data[0] & 1)
                elif kind == _SHEET:
                    key, at = _text_at(data, 8)
                    if key in worksheets:
                        name, _ = _text_at(data, at)
                        self.sheets.append(Sheet(name, worksheets[key], data[0] == 0))

    def rows(self, sheet: Sheet, area: SheetArea) -> Rows:
        """Read a sheet; BadCellError for a cell without a value to send."""
        shared = self._parts.get("sharedStrings")
        if shared is not None and not self._texts:
            with opened_part(self._book, shared) as stream:
                for kind, data in _records(stream):
                    if kind == _SHARED_TEXT:
                        self._texts.append(_text_at(data, 1)[0])
        formats = self._formats()
        with opened_part(self._book, str(sheet.part)) as stream:
            for row, group in groupby(_cells(stream), key=itemgetter(0)):
                if not area.has_row(row):
                    continue
                texts: list[str] = []
                for _, column, kind, data in group:
                    if area.first_column <= column <= area.last_column:
                        text = self._text(row, column, kind, data, formats)
                        if text:
                            put(texts, column - area.first_column, text)
                yield row, texts

    def _text(
        self, row: int, column: int, kind: int, data: bytes, formats: list[NumberText]
    ) -> str:
        if kind in {_ERROR, _FORMULA_ERROR}:
            raise error_cell(row, column, _ERRORS.get(data[8], "#ERROR"))
        if kind in {_BOOLEAN, _FORMULA_BOOLEAN}:
            return "true" if data[8] else "false"
        if kind in {_TEXT, _FORMULA_TEXT}:
            return _text_at(data, 8)[0]
        if kind == _RICH_TEXT:
            return _text_at(data, 9)[0]
        if kind == _SHARED:
            return self._texts[unpack_from("<I", data, 8)[0]]
        if kind in {_RK, _REAL, _FORMULA_REAL}:
            number = _compact(data) if kind == _RK else unpack_from("<d", data, 8)[0]
            style = int.from_bytes(data[4:7], "little")
            return (formats[style] if style < len(formats) else number_text)(repr(number))
        return ""

    def _formats(self) -> list[NumberText]:
        """How numbers are written, by the style of a cell."""
        codes = dict(BUILT_IN)
        found: list[NumberText] = []
        are_cells = False
        if "styles" not in self._parts:
            return found
        with opened_part(self._book, self._parts["styles"]) as stream:
            for kind, data in _records(stream):
                if kind == _FORMAT:
                    codes[unpack_from("<H", data)[0]] = _text_at(data, 2)[0]
                elif kind in {_STYLES_START, _STYLES_END}:
                    are_cells = kind == _STYLES_START
                elif kind == _STYLE and are_cells:
                    code = codes.get(unpack_from("<H", data, 2)[0], "General")
                    found.append(text_by_format(code, from_1904=self._from_1904))
        return found


def _cells(stream: IO[bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    """The row, the column, the kind and the content of each cell."""
    row, column = 0, -1
    for kind, data in _records(stream):
        if kind == _ROW:
            row, column = unpack_from("<I", data)[0] + 1, -1
        elif kind in _CELLS:
            column = unpack_from("<I", data)[0]
            yield row, column, kind, data
        elif kind in _SHORT_CELLS:
            column += 1
            yield row, column, kind - _SHORT_CELLS.start + 1, bytes(4) + data


def _compact(data: bytes) -> float:
    """A number in 30 bits: an integer or the upper half of a double, maybe in hundredths."""
    (packed,) = unpack_from("<i", data, 8)
    number = (
        float(packed >> 2)
        if packed & 2
        else unpack_from("<d", b"\0\0\0\0" + (packed & ~3).to_bytes(4, "little", signed=True))[0]
    )
    return number / 100 if packed & 1 else number


def _text_at(data: bytes, at: int) -> tuple[str, int]:
    """A text, and where it ends; no text at all has a length of -1."""
    (length,) = unpack_from("<i", data, at)
    end = at + 4 + 2 * max(length, 0)
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def _records(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The kind and the content of each record."""
    while first := stream.read(1):
        kind = first[0]
        if kind & 0x80:
            kind = (kind & 0x7F) | (stream.read(1)[0] & 0x7F) << 7
        size = 0
        for shift in (0, 7, 14, 21):
            (byte,) = stream.read(1)
            size |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the last byte has no upper bit
                break
        data = stream.read(size)
        if len(data) < size:
            raise EOFError("it ends in the middle of a record")
        yield kind, data
