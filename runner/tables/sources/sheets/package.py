"""Packages of parts that refer to each other, as .xlsx and .xlsb files are (ECMA-376, part 2).

Knows names of parts. Knows nothing of what they contain.
"""

from __future__ import annotations

import posixpath
from typing import IO
from xml.etree import ElementTree as ET
from zipfile import ZipFile

_MOST_BYTES = 1 << 25
"""Of a part that is read as a whole: styles of large workbooks have a few megabytes."""


def main_part(book: ZipFile) -> str:
    """The path of the workbook within the file."""
    found = (path for kind, _, path in links_of(book, "") if kind == "officeDocument")
    main = next(found, None)
    if main is None:
        raise ValueError("it is an archive without a workbook")
    return main


def opened_part(book: ZipFile, part: str) -> IO[bytes]:
    """A part of the file; Windows takes its name in any letter case."""
    names = {each.lower(): each for each in book.namelist()}
    return book.open(names.get(part.lower(), part))


def xml_part(book: ZipFile, part: str) -> ET.Element:
    """A part that is XML and small."""
    with opened_part(book, part) as stream:
        content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"its part {part} has more than {_MOST_BYTES >> 20} MB")
        return ET.fromstring(content)  # noqa: S314 - expat refuses to grow


def links_of(book: ZipFile, part: str) -> list[tuple[str, str, str]]:
    """The parts that a part refers to: the kind, the key and the path of each."""
    folder, name = posixpath.split(f"/{part}")
    root = xml_part(book, posixpath.join(folder, "_rels", f"{name}.rels")[1:])
    return [
        (
            each.get("Type", "").rpartition("/")[2],
            each.get("Id", ""),
            posixpath.normpath(posixpath.join(folder, each.get("Target", "")))[1:],
        )
        for each in root
    ]
