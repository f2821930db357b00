"""Sheets of .ods files, read as a stream (OpenDocument 1.3, part 3).

The file holds what each cell shows, so leading zeros are read from there. A formula without a
result is one whose result is blank: the file does not tell them apart. Knows the XML of
spreadsheets. Knows nothing of columns with names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import repeat
from typing import IO
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from runner.job.endpoints import MOST_COLUMNS, SheetArea
from runner.tables.sources.sheets.number_formats import number_text, percent_text
from runner.tables.sources.sheets.sheet import (
    Row,
    Rows,
    Sheet,
    error_cell,
    not_a_number,
)
from runner.tables.sources.sheets.texts import moment_text
from runner.tables.sources.value_texts import duration_text

MEDIA_TYPE = b"application/vnd.oasis.opendocument.spreadsheet"
_CONTENT = "content.xml"
_MOST_ROWS = 1 << 20
_SPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TABLE, _OFFICE, _TEXT = _SPACE % "table", _SPACE % "office", _SPACE % "text"
_STYLE = _SPACE % "style"
_EXTENSION = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_BREAKS = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
_BOOLEANS = {"0": "false", "1": "true"}
_ERROR = re.compile(r"#[A-Z0-9/]+[!?]|#N/A|Err:\d+")
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")


class OdsWorkbook:
    """An open .ods file."""

    def __init__(self, book: ZipFile) -> None:
        """Read the names of its sheets."""
        self._book = book
        self.sheets: list[Sheet] = []
        hidden: set[str | None] = set()
        style: str | None = None
        with book.open(_CONTENT) as stream:
            for event, each in _walk(stream):
                if event == "end":
                    continue
                if each.tag == f"{_STYLE}style":
                    style = each.get(f"{_STYLE}name")
                elif each.tag == f"{_STYLE}table-properties":
                    if each.get(f"{_TABLE}display") == "false":
                        hidden.add(style)
                elif each.tag == f"{_TABLE}table":
                    name = each.get(f"{_TABLE}name", "")
                    is_visible = each.get(f"{_TABLE}style-name") not in hidden
                    self.sheets.append(Sheet(name, name, is_visible))

    def rows(self, sheet: Sheet, area: SheetArea) -> Rows:
        """Read a sheet; BadCellError for a cell without a value to send."""
        number = 1
        is_wanted = False
        with self._book.open(_CONTENT) as stream:
            for event, each in _walk(stream):
                if event == "start" and each.tag == f"{_TABLE}table":
                    is_wanted = each.get(f"{_TABLE}name") == sheet.name
                elif event == "end" and is_wanted and each.tag == f"{_TABLE}table-row":
                    times = int(each.get(f"{_TABLE}number-rows-repeated", "1"))
                    yield from _repeated(each, number, times, area)
                    number += times


def _walk(stream: IO[bytes]) -> Iterator[tuple[str, ET.Element]]:
    """Each start and end of an element; rows are forgotten after their end."""
    parents: list[ET.Element] = []
    for event, each in ET.iterparse(stream, events=("start", "end")):  # noqa: S314 - expat refuses to grow
        yield event, each
        if event == "start":
            parents.append(each)
            continue
        parents.pop()
        if each.tag == f"{_TABLE}table-row":
            parents[-1].remove(each)


def _repeated(row: ET.Element, number: int, times: int, area: SheetArea) -> Iterator[Row]:
    """A row that stands for many; of blank ones, the first is enough."""
    first = max(number, area.first_row)
    last = number + times - 1 if area.last_row is None else min(number + times - 1, area.last_row)
    if first <= last:
        cells = _cells(row, first, area)
        for at in range(first, min(last, _MOST_ROWS if cells else first) + 1):
            yield at, cells


def _cells(row: ET.Element, number: int, area: SheetArea) -> list[str]:
    """The texts of a row, from the area's first column on."""
    texts: list[str] = []
    column = 0
    for each in row:
        if not each.tag.endswith("table-cell"):  # also those covered by a merged one
            continue
        times = int(each.get(f"{_TABLE}number-columns-repeated", "1"))
        end = min(column + times, area.last_column + 1, MOST_COLUMNS)
        if end > max(column, area.first_column):
            text = _cell_text(each, number, max(column, area.first_column))
            texts.extend(repeat(text, end - max(column, area.first_column)))
        column += times
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _cell_text(cell: ET.Element, row: int, column: int) -> str:
    kind = cell.get(f"{_OFFICE}value-type", "")
    shown = "\n".join(map(_paragraph, cell.findall(f"{_TEXT}p")))
    is_error = f"{_TABLE}formula" in cell.attrib and _ERROR.fullmatch(shown)
    if is_error or cell.get(f"{_EXTENSION}value-type") == "error":
        raise error_cell(row, column, shown or "#ERROR")
    if kind in {"float", "currency", "percentage"}:
        value = cell.get(f"{_OFFICE}value", "")
        try:
            return percent_text(value) if kind == "percentage" else _number_text(value, shown)
        except ValueError as error:
            raise not_a_number(row, column, value) from error
    if kind == "date":
        return moment_text(cell.get(f"{_OFFICE}date-value", ""))
    if kind == "time":
        return _duration(cell.get(f"{_OFFICE}time-value", ""))
    if kind == "boolean":
        return cell.get(f"{_OFFICE}boolean-value", "")
    return cell.get(f"{_OFFICE}string-value", shown)


def _number_text(value: str, shown: str) -> str:
    number = number_text(value)
    if number in _BOOLEANS and shown.isalpha():
        return _BOOLEANS[number]  # LibreOffice writes TRUE as a number that shows it
    return shown if _is_padded(shown, number) else number


def _is_padded(shown: str, number: str) -> bool:
    """Whether a cell shows its whole number with leading zeros."""
    digits = re.sub(r"\D", "", shown)
    is_number = number.lstrip("-") == (digits.lstrip("0") or "0")
    return is_number and len(digits) > 1 and digits[0] == "0" and not set(shown) & set(".,/")


def _paragraph(element: ET.Element) -> str:
    """The text of a paragraph; several spaces, tabs and line breaks are elements."""
    texts = [element.text or ""]
    for each in element:
        if each.tag == f"{_TEXT}s":
            texts.append(" " * int(each.get(f"{_TEXT}c", "1")))
        else:
            texts.append(_BREAKS.get(each.tag) or _paragraph(each))
        texts.append(each.tail or "")
    return "".join(texts)


def _duration(written: str) -> str:
    found = _DURATION.fullmatch(written)
    if found is None:
        return written
    days, hours, minutes, seconds = (float(each or 0) for each in found.groups()[1:])
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return duration_text(-length if found[1] else length)
