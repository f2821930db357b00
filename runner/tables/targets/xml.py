"""Writes a query's rows as an XML file of flat records.

Knows which characters and names XML allows. Knows nothing of types: XML is text.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape

from runner.csv_rows import csv_reader
from runner.errors import StateError

DEFAULT_RECORD = "/records/record"
_NAME = re.compile(r"[^\W\d][\w.-]*")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"\r": "&#13;"}


def write_xml(rows: Path, to: Path, record: str | None) -> None:
    """Write each row as an element, and each value in it that is not blank as a child element.

    Raises:
        StateError: A column's name, or a character of a value, is not allowed in XML.
    """
    *around, row_name = (record or DEFAULT_RECORD).strip("/").split("/")
    with (
        rows.open(encoding="utf-8", newline="") as read,
        to.open("w", encoding="utf-8", newline="") as out,
    ):
        lines = csv_reader(read)
        header = next(lines, [])
        _check_names(header)
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.writelines(f"<{name}>\n" for name in around)
        for number, cells in enumerate(lines, start=1):
            values = "".join(
                f"<{column}>{_escaped(cell, column, number)}</{column}>"
                for column, cell in zip(header, cells, strict=True)
                if cell
            )
            out.write(f"<{row_name}>{values}</{row_name}>\n")
        out.writelines(f"</{name}>\n" for name in reversed(around))


def _check_names(header: list[str]) -> None:
    wrong = next((column for column in header if not _NAME.fullmatch(column)), None)
    if wrong is not None:
        raise StateError(
            f"The column {wrong!r} cannot be the name of an XML element.",
            hint="Give it an alias in the query.",
        )


def _escaped(text: str, column: str, row: int) -> str:
    found = _FORBIDDEN.search(text)
    if found:
        raise StateError(
            f"Row {row:,}, {column}: XML cannot contain the character {found[0]!r}.",
            hint="Write CSV, JSON Lines or Parquet, or leave the field out.",
        )
    return escape(text, _ENTITIES)
