"""Sheets of .xlsx and .xlsm files, read as a stream (ECMA-376, part 1, 18).

Keeps no more in memory than a block of the sheet: its shared texts are in a file. Knows the XML of
workbooks. What a number becomes is in `number_formats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import ZipFile

from runner.job.endpoints import MOST_COLUMNS, SheetArea
from runner.job.notation import column_place
from runner.tables.sources.sheets.number_formats import (
    BUILT_IN,
    NumberText,
    number_text,
    text_by_format,
)
from runner.tables.sources.sheets.package import (
    links_of,
    main_part,
    opened_part,
    xml_part,
)
from runner.tables.sources.sheets.sheet import (
    Row,
    Rows,
    Sheet,
    error_cell,
    missing_result,
    not_a_number,
    put,
)
from runner.tables.sources.sheets.texts import StoredTexts, moment_text, unescaped

BLOCK_BYTES = 1 << 16
_DIGITS = "0123456789"
_TRUE = {"1", "true"}


class XlsxWorkbook:
    """An open .xlsx file."""

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
        self._parts = {kind: target for kind, _, target in links}
        root = xml_part(book, main)
        properties = _first(root, "workbookPr").attrib
        self._from_1904 = properties.get("date1904", "") in _TRUE
        calculation = _first(root, "calcPr").attrib
        self._is_uncalculated = calculation.get("fullCalcOnLoad", "") in _TRUE
        worksheets = {key: target for kind, key, target in links if kind == "worksheet"}
        self.sheets = [
            Sheet(each.attrib["name"], worksheets[key], each.get("state", "visible") == "visible")
            for each in _all(root, "sheet")
            for key in [next(v for k, v in each.attrib.items() if k.endswith("}id"))]
            if key in worksheets
        ]

    def rows(self, sheet: Sheet, area: SheetArea) -> Rows:
        """Read a sheet; BadCellError for a cell without a value to send."""
        strings = self._parts.get("sharedStrings")
        if strings is not None and not self._texts:
            with opened_part(self._book, strings) as stream:
                for text in _shared_texts(stream):
                    self._texts.append(text)
        reader = _SheetReader(self._texts, self._formats(), area)
        reader.is_uncalculated = self._is_uncalculated
        with opened_part(self._book, str(sheet.part)) as stream:
            yield from reader.rows(stream)

    def _formats(self) -> list[NumberText]:
        """How numbers are written, by the style of a cell."""
        if "styles" not in self._parts:
            return []
        root = xml_part(self._book, self._parts["styles"])
        codes = BUILT_IN | {
            int(each.attrib["numFmtId"]): each.get("formatCode", "")
            for each in _all(_first(root, "numFmts"), "numFmt")
        }
        numbers = [int(each.get("numFmtId", "0")) for each in _all(_first(root, "cellXfs"), "xf")]
        made = {
            number: text_by_format(codes[number], from_1904=self._from_1904)
            if number in codes
            else number_text
            for number in set(numbers)
        }
        return [made[number] for number in numbers]


def _all(root: ET.Element, name: str) -> list[ET.Element]:
    return root.findall(f".//{{*}}{name}")


def _first(root: ET.Element, name: str) -> ET.Element:
    """The first element of that name, or one without attributes."""
    return next(iter(_all(root, name)), ET.Element(name))


def _parse(stream: IO[bytes], parser: expat.XMLParserType) -> Iterator[None]:
    """Parse a stream, a block at a time."""
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    while block := stream.read(BLOCK_BYTES):
        parser.Parse(block, False)  # noqa: FBT003 - not the last
        yield
    parser.Parse(b"", True)  # noqa: FBT003 - the last
    yield


def _refuse_doctype(*_declared: object) -> None:
    raise ValueError("it declares a document type, which could define entities")


def _shared_texts(stream: IO[bytes]) -> Iterator[str]:
    """The texts that cells of many sheets share, without their formats and their readings."""
    done: list[str] = []
    runs: list[str] = []
    heard: list[str] = []
    in_reading = False

    def start(name: str, _attributes: Mapping[str, str]) -> None:
        nonlocal in_reading
        local = name.rpartition(" ")[2]
        if local == "si":
            runs.clear()
        elif local == "rPh":
            in_reading = True
        heard.clear()

    def end(name: str) -> None:
        nonlocal in_reading
        local = name.rpartition(" ")[2]
        if local == "t" and not in_reading:
            runs.extend(heard)
        elif local == "rPh":
            in_reading = False
        elif local == "si":
            done.append(unescaped("".join(runs)))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = heard.append
    for _ in _parse(stream, parser):
        yield from done
        done.clear()


class _SheetReader:
    """The handlers of a parser of one sheet."""

    def __init__(self, texts: StoredTexts, formats: list[NumberText], area: SheetArea) -> None:
        self.is_uncalculated = False
        """Whether a formula's 0 may only be what its writer put there (`fullCalcOnLoad`)."""
        self._texts = texts
        self._formats = formats
        self._area = area
        self._done: list[Row] = []
        self._cells: list[str] = []
        self._row = 0
        self._has_row = False
        self._column = -1
        self._columns: dict[str, int] = {}
        self._cell: Mapping[str, str] = {}
        self._value: str | None = None
        self._is_formula = False
        self._in_reading = False
        self._heard: list[str] = []
        self._runs: list[str] = []

    def rows(self, stream: IO[bytes]) -> Iterator[Row]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = partial(self._start_root, parser)
        parser.CharacterDataHandler = self._heard.append
        try:
            for _ in _parse(stream, parser):
                yield from self._done
                self._done.clear()
        except Exception:  # the rows before come first, so that a header is read in any case
            yield from self._done
            raise

    def _start_root(self, parser: expat.XMLParserType, name: str, _: object) -> None:
        """The root element tells the namespace, which has two spellings."""
        prefix = name.removesuffix("worksheet")
        known = {prefix + local: local for local in ("row", "c", "f", "v", "is", "t", "rPh")}
        parser.StartElementHandler = partial(self._start, known)
        parser.EndElementHandler = partial(self._end, known)

    def _start(self, known: dict[str, str], name: str, attributes: dict[str, str]) -> None:
        self._heard.clear()
        local = known.get(name)
        if local == "c":
            place = attributes.get("r")
            self._column = self._column + 1 if place is None else self._place(place)
            self._cell = attributes
            self._value = None
            self._runs.clear()
            self._is_formula = False
        elif local == "f":
            self._is_formula = True
        elif local == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._has_row = self._area.has_row(self._row)
            self._column = -1
            self._cells = []
        elif local == "rPh":
            self._in_reading = True

    def _end(self, known: dict[str, str], name: str) -> None:
        local = known.get(name)
        if local == "v":
            self._value = "".join(self._heard)
        elif local == "c":
            if self._has_row:
                self._end_cell()
        elif local == "row":
            if self._has_row:
                self._done.append((self._row, self._cells))
        elif local == "t" and not self._in_reading:
            self._runs.extend(self._heard)
        elif local == "rPh":
            self._in_reading = False

    def _place(self, cell: str) -> int:
        letters = cell.rstrip(_DIGITS)
        place = self._columns.get(letters)
        if place is None:
            place = column_place(letters)
            if not 0 <= place < MOST_COLUMNS:
                raise ValueError(f"there is no cell {cell}")
            self._columns[letters] = place
        return place

    def _end_cell(self) -> None:
        area = self._area
        if area.first_column <= self._column <= area.last_column:
            text = self._text()
            if text:
                put(self._cells, self._column - area.first_column, text)

    def _text(self) -> str:
        value = self._value
        kind = self._cell.get("t", "n")
        if kind == "inlineStr":
            return unescaped("".join(self._runs))
        if not value:
            if self._is_formula and (value is None or kind != "str"):
                raise missing_result(self._row, self._column)
            return ""
        if kind == "s":
            return self._texts[int(value)]
        if kind == "n":
            return self._number(value.strip())
        if kind == "e":
            raise error_cell(self._row, self._column, value)
        if kind == "b":
            return "true" if value.strip() in _TRUE else "false"
        return moment_text(value) if kind == "d" else unescaped(value)

    def _number(self, value: str) -> str:
        if self._is_formula and self.is_uncalculated and value == "0":
            raise missing_result(self._row, self._column)
        style = int(self._cell.get("s", 0))
        try:
            rule = self._formats[style] if style < len(self._formats) else number_text
            return rule(value)
        except ValueError as error:
            raise not_a_number(self._row, self._column, value) from error
