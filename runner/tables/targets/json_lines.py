"""A query's rows as lines of JSON: by a compiled function, or by SQL.

Numbers keep the digits that they are written with. Both give the same bytes. Knows the form of
Bulk API's results. Knows nothing of targets.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from io import BufferedReader
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from runner.luajit import compiled
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal, name
from runner.tables.targets.rest_rows import QueryColumn
from runner.tables.window import Window

_JSON_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_CONVERT = Path(__file__).with_suffix(".lua")
_SIGNS = {
    FieldKind.BOOLEAN: 1,
    FieldKind.INTEGER: 2,
    FieldKind.NUMBER: 2,
    FieldKind.JSON: 3,
}
"""What the compiled function calls a kind; 0 is text."""
_READ_BYTES = 32_000


def json_line(header: Sequence[str], columns: Sequence[QueryColumn] | None) -> str:
    """Write the SQL that gives a row as a JSON object."""
    kinds = _kinds(columns)
    # Built as text: DuckDB's own JSON writer converts numbers to doubles. `concat` makes a line in
    # one step, where `||` would copy it for each of its parts.
    members = [
        literal(start) + f", {_json(column, kinds.get(column.lower()))}"
        for start, column in zip(_starts(header), header, strict=True)
    ]
    return f"concat({', '.join(members)}, '}}')" if members else "'{}'"


def _starts(header: Sequence[str]) -> list[str]:
    """What comes before each value of a line."""
    return [f"{',' if at else '{'}{json.dumps(column)}:" for at, column in enumerate(header)]


def _kinds(columns: Sequence[QueryColumn] | None) -> Mapping[str, FieldKind | None]:
    return {each.name.lower(): each.kind for each in columns or ()}


def _json(column: str, kind: FieldKind | None) -> str:
    """Write the SQL that gives a cell as JSON text."""
    cell = name(column)
    text = f"coalesce(CAST(to_json({cell}) AS VARCHAR), 'null')"
    is_json = {
        FieldKind.BOOLEAN: f"{cell} IN ('true', 'false')",
        FieldKind.INTEGER: f"regexp_full_match({cell}, {literal(_JSON_NUMBER)})",
        FieldKind.NUMBER: f"regexp_full_match({cell}, {literal(_JSON_NUMBER)})",
        FieldKind.JSON: f"{cell} IS NOT NULL",
    }.get(kind or FieldKind.TEXT)
    return f"CASE WHEN {is_json} THEN {cell} ELSE {text} END" if is_json else text


def write_json_lines(rows: Path, to: Path, columns: Sequence[QueryColumn] | None) -> bool:
    """Write all rows without SQL, as its lines would be.

    Args:
        rows: In Bulk API's form: every value in quotes.
        to: A file, UTF-8.
        columns: As described.

    Returns:
        False if they are few, or have something that is rare; the file is to be written again.
    """
    convert = compiled(_CONVERT, rows.stat().st_size)
    if convert is None:
        return False
    with rows.open("rb") as read:
        header = _header(read.readline())
        if len({column.lower() for column in header}) < len(header) or not header:
            return False
        starts = [each.encode() for each in _starts(header)]
        kinds = _kinds(columns)
        signs = [_SIGNS.get(kinds.get(each.lower()) or FieldKind.TEXT, 0) for each in header]
        ends = list(accumulate(map(len, starts)))
        numbers = (array("I", each).tobytes() for each in (ends, signs))
        with to.open("wb") as out:
            return _convert(convert(b"".join(starts), *numbers), read, out)


def _header(line: bytes) -> list[str]:
    """The names in the first line; none if it is not all of the header, in the usual form."""
    if not line.startswith(b'"') or not line.endswith(b'"\n'):
        return []
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except csv.Error:
        return []


def _convert(convert: Callable[..., Any], read: BufferedReader, out: BinaryIO) -> bool:
    window = Window(read, _READ_BYTES)
    while window.read_on():
        found = convert(*window.place)
        if found is None:
            return False
        lines, used = found
        if not used:
            if window.is_last:
                return False
            window.widen()
        out.write(lines)
        window.use(used)
    return True
