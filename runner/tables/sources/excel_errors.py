"""Where a sheet of an Excel file holds an error such as `#DIV/0!`.

Readers of Excel files give such a cell as a blank, and a blank must not be sent for a number that
could not be computed. Looks at the sheet's XML, of which the form is ECMA-376's; keeps a block of
it in memory. Knows nothing of values.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

_BLOCK_BYTES = 1 << 20
_LONGEST_CELL_BYTES = 1 << 16
_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+[0-9]+)"[^>]*>(.*?)</c>', re.DOTALL)
_VALUE = re.compile(rb"<v>([^<]*)</v>")
_BOOK = "xl/workbook.xml"
_LINKS = "xl/_rels/workbook.xml.rels"


def first_error(path: Path, sheet: str) -> tuple[str, str] | None:
    """Give the first such cell and what it says, `("B7", "#DIV/0!")`; None where there is none."""
    try:
        with ZipFile(path) as book:
            return _first_error_in(book, _part_of(book, sheet))
    except (BadZipFile, KeyError, StopIteration, ET.ParseError):
        return None  # no file of this form, so it has no cells of this form


def _part_of(book: ZipFile, sheet: str) -> str:
    """The file in the book that holds a sheet."""
    sheets = ET.fromstring(book.read(_BOOK)).iter()  # noqa: S314 - expat refuses to grow
    links = ET.fromstring(book.read(_LINKS)).iter()  # noqa: S314 - same
    found = next(each for each in sheets if each.get("name") == sheet and "sheetId" in each.attrib)
    wanted = next(value for key, value in found.attrib.items() if key.endswith("}id"))
    target = next(each.attrib["Target"] for each in links if each.get("Id") == wanted)
    return str(PurePosixPath("/xl") / target).removeprefix("/")


def _first_error_in(book: ZipFile, part: str) -> tuple[str, str] | None:
    with book.open(part) as stream:
        held = b""
        while block := stream.read(_BLOCK_BYTES):
            held += block
            found = _CELL.search(held)
            if found:
                value = _VALUE.search(found[2])
                return found[1].decode(), value[1].decode() if value else "#ERROR"
            held = held[-_LONGEST_CELL_BYTES:]
    return None
