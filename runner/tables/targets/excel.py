"""Writes a query's rows as an Excel file.

Knows what an Excel cell can store: 15 digits, dates from 1900 on, 32,767 characters. Any other
value is written as text, never changed. Uses XlsxWriter, from the extra `excel`, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from runner.errors import StateError
from runner.tables.extras import extra
from runner.tables.field_types import NUMBERS, FieldKind
from runner.tables.targets.column_types import TypedColumn, typed_rows
from runner.tables.targets.rest_rows import QueryColumn

_MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
_MOST_DIGITS = 15
_FIRST_DAY = date(1900, 3, 1)
"""Excel has a 29 February 1900: earlier days are off by one."""
_FORMATS = {
    FieldKind.DATE: "yyyy-mm-dd",
    FieldKind.DATETIME: "yyyy-mm-dd hh:mm:ss.000",
    FieldKind.TIME: "hh:mm:ss",
}
_OVERLAPPING = re.compile("_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_")
"""XlsxWriter escapes only every other one of escapes that share a `_`."""
Put = Callable[[int, int, Any], Any]


def write_excel(
    rows: Path, to: Path, sheet: str | None, known: Sequence[QueryColumn] | None
) -> None:
    """Write rows into the one sheet of a new file.

    Raises:
        StateError: There are more rows, or a longer text, than Excel can store.
    """
    xlsxwriter = extra("xlsxwriter", "excel", f"{to.suffix[1:] or 'Excel'} output", StateError)
    options = {"constant_memory": True, "strings_to_numbers": False, "tmpdir": str(rows.parent)}
    with to.open("wb") as out, xlsxwriter.Workbook(out, options) as book:
        page = book.add_worksheet(sheet or "Sheet1")
        with typed_rows(rows, known) as (columns, batches):
            formats = {kind: book.add_format({"num_format": f}) for kind, f in _FORMATS.items()}
            putters = [_put_of(page, column, formats) for column in columns]
            for at, column in enumerate(columns):
                page.write_string(0, at, column.name)
            line = 0
            for line, row in enumerate((row for batch in batches for row in batch), start=1):
                _check_fits(line)
                for at, (put, value) in enumerate(zip(putters, row, strict=True)):
                    if value is not None:
                        put(line, at, value)


def _check_fits(line: int) -> None:
    if line >= _MOST_ROWS:
        raise StateError(
            f"The query has more rows than an Excel sheet can hold ({_MOST_ROWS - 1:,}).",
            hint="Write CSV or Parquet, or narrow the query.",
        )


def _put_of(page: Any, column: TypedColumn, formats: dict[FieldKind, Any]) -> Put:  # noqa: ANN401
    if column.kind is FieldKind.BOOLEAN:
        return partial(_put_boolean, page)
    if column.kind in NUMBERS:
        return partial(_put_number, page)
    if column.kind in formats:
        return partial(_put_datetime, page, formats[column.kind])
    return partial(_put_text, page, column.name)


def _put_boolean(page: Any, line: int, at: int, value: bool) -> None:  # noqa: ANN401, FBT001
    page.write_boolean(line, at, value)


def _put_number(page: Any, line: int, at: int, value: Decimal | str) -> None:  # noqa: ANN401
    number = Decimal(value)
    digits = number.normalize().as_tuple().digits
    if len(digits) > _MOST_DIGITS:
        page.write_string(line, at, f"{number:f}")
    else:
        page.write_number(line, at, float(number))


def _put_datetime(page: Any, form: Any, line: int, at: int, value: Any) -> None:  # noqa: ANN401
    day = value.date() if isinstance(value, datetime) else value
    if isinstance(day, date) and day < _FIRST_DAY:
        is_datetime = isinstance(value, datetime)
        text = f"{value.isoformat(timespec='milliseconds')}Z" if is_datetime else value.isoformat()
        page.write_string(line, at, text)
    else:
        page.write_datetime(line, at, value, form)


def _put_text(page: Any, column: str, line: int, at: int, value: str) -> None:  # noqa: ANN401
    length = len(value.encode("utf-16-le")) // 2  # as Excel counts: an emoji is two
    if length > _MOST_CHARACTERS:
        raise StateError(
            f"Row {line:,}, {column}: {length:,} characters, and an Excel cell can"
            f" hold {_MOST_CHARACTERS:,}.",
            hint="Write CSV or Parquet, or leave the field out.",
        )
    if "_x" in value and (found := _OVERLAPPING.search(value)):
        raise StateError(
            f"Row {line:,}, {column}: Excel would show {found[0]} as other characters.",
            hint="Write CSV or Parquet, or leave the field out.",
        )
    page.write_string(line, at, value)
