"""The slow, exact reader: finds what is wrong with a source, or writes it anew as plain CSV.

DuckDB reads almost every file; what it refuses comes here, and so does JSON Lines, whose numbers
must keep their digits. Goes record by record, knows rows, lines and bytes, and keeps one record
in memory. Knows nothing of DuckDB.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from runner.errors import SourceError
from runner.job.model import FileShape
from runner.tables.lines import decoded, unreadable, utf8_blocks
from runner.tables.source import PLAIN_CSV, Records, check_header, open_csv


def respell_csv(path: Path, shape: FileShape, to: Path) -> Records:
    """Write a CSV file anew with one kind of line end and quotes where they belong.

    Raises:
        SourceError: A byte that cannot be decoded, a row with too many or too few cells, a quote
            that is not closed; names byte or row and line.
    """
    _check_bytes(path, shape)
    csv.field_size_limit(sys.maxsize)
    with _opened(path, shape.encoding) as stream, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(_checked_rows(path, shape, stream))
    return _renamed(open_csv(to, PLAIN_CSV), path)


def respell_jsonl(path: Path, shape: FileShape, to: Path) -> Records:
    """Write JSON Lines as CSV: the columns are all keys, in the order they are first met.

    Numbers keep the digits they are written with, true and false become these words, lists and
    objects their JSON, null and a missing key become blank.

    Raises:
        SourceError: A line that is not a JSON object; names its number.
    """
    _check_bytes(path, shape)
    places: dict[str, int] = {}
    with _opened(path, shape.encoding) as stream, to.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for record in _objects(path, stream):
            for key in record:
                places.setdefault(key, len(places))
            # A line of its own even for an object without values: an empty line is no row.
            writer.writerow([_cell(record.get(key)) for key in places] or [""])
    columns = tuple(places)
    check_header(path, columns)
    digest = hashlib.sha256()
    return Records(path, columns, PLAIN_CSV, utf8_blocks(to, "utf-8", digest), digest, ragged=True)


def _renamed(records: Records, path: Path) -> Records:
    records.path = path
    return records


def _opened(path: Path, encoding: str) -> TextIO:
    plain = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    try:
        return path.open(encoding="utf-8-sig" if plain else encoding, newline="")
    except OSError as error:
        raise unreadable(path, error) from error


def _check_bytes(path: Path, shape: FileShape) -> None:
    try:
        with path.open("rb") as stream:
            raw = iter(lambda: stream.read(1_000_000), b"")
            for _ in decoded(raw, path, shape.encoding):
                pass
    except OSError as error:
        raise unreadable(path, error) from error


def _checked_rows(path: Path, shape: FileShape, stream: TextIO) -> Iterator[list[str]]:
    reader = csv.reader(
        stream, delimiter=shape.delimiter, quotechar=shape.quote or None, strict=True
    )
    width = 0
    number = -1
    line = 1
    try:
        for cells in reader:
            if cells:
                number += 1
                width = width or len(cells)
                _check_width(path, number, line, len(cells), width)
                yield cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"{path}: {_place(number + 1, line)}: {_quote_fault(error, shape.quote)}.",
            hint=f"A quote inside a quoted value is written twice: {shape.quote * 2}",
        ) from error


def _check_width(path: Path, row: int, line: int, cells: int, width: int) -> None:
    if cells != width:
        found = f"{cells} cell{'s' * (cells != 1)}"
        raise SourceError(
            f"{path}: {_place(row, line)} has {found}, the header has {width}.",
            hint="Quote values that hold the delimiter or a line end, or check `delimiter`.",
        )


def _place(row: int, line: int) -> str:
    return f"row {row:,} (line {line:,})" if row else "the header"


def _quote_fault(error: csv.Error, quote: str) -> str:
    if "unexpected end" in str(error):
        return f"a value that begins with {quote} is never closed"
    return f"something stands between a closing {quote} and the next delimiter"


def _objects(path: Path, stream: TextIO) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.rstrip("\r\n"), parse_float=_Digits, parse_int=_Digits)
        except ValueError as error:
            reason = str(error).split(": line ")[0]
            column = getattr(error, "colno", 1)
            raise SourceError(
                f"{path}: line {number:,}, column {column}: not JSON: {reason}.",
                hint="JSON Lines has one whole JSON object on each line.",
            ) from error
        if not isinstance(record, dict):
            raise SourceError(
                f"{path}: line {number:,} holds no JSON object.",
                hint='Each line is one row: {"Name": "Acme", "Phone": "1"}',
            )
        yield record


class _Digits(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    return _json(value)


def _json(value: object) -> str:
    """Write a nested value back as JSON, numbers as they were."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, _Digits):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
