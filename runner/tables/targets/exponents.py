"""Numbers of a query without an exponent: the org prints 12,345,678 as `1.2345678E7`.

Salesforce prints a number with decimals as Java does (Help 000385889): below 0.001 and from
10,000,000 on with an exponent. Knows the form of Bulk API 2.0. Knows nothing of orgs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from runner.files import atomic_write, unwritable
from runner.luajit import compiled
from runner.tables.field_types import FieldKind
from runner.tables.window import Window

if TYPE_CHECKING:
    from runner.tables.targets.rest_rows import QueryColumn

_FIND = Path(__file__).with_suffix(".lua")
_WRITE = Path(__file__).with_name("numbers_in_full.lua")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_CELL = re.compile(rb'"-?[0-9]\.[0-9]+E-?[0-9]{1,3}"')
_BLOCK_BYTES = 128_000
_LONGEST_CELL = 64
"""Bytes, and more: a double has 17 digits."""


def without_exponent(text: str) -> str:
    """`1.2345678E7` as `12345678.0`; every other text as it is."""
    if _NUMBER.fullmatch(text) is None:
        return text
    plain = format(Decimal(text).normalize(), "f")
    return plain if "." in plain else f"{plain}.0"


def remove_exponents(rows: Path, columns: Sequence[QueryColumn]) -> None:
    """Write numbers of a query's result without exponents, if one has any.

    Args:
        rows: The result, as Bulk API 2.0 writes it.
        columns: What the query selects.

    Raises:
        StateError: The result cannot be written.
    """
    wanted = {each.name.lower() for each in columns if each.kind is FieldKind.NUMBER}
    try:
        if not wanted or not has_exponent(rows):
            return
        from runner.tables.targets.column_types import column_names

        names = [name.lower() for name in column_names(rows)]
        with atomic_write(rows) as beside:
            if not _rewritten(rows, beside, [name in wanted for name in names]):
                _rewrite_slowly(rows, beside, wanted.intersection(names))
    except OSError as error:
        raise unwritable(rows, error) from error


def _rewritten(rows: Path, to: Path, is_number: Sequence[bool]) -> bool:
    """Do it with a compiled function; false if there is none, or a record has another form."""
    write_in_full = compiled(_WRITE, rows.stat().st_size)
    if write_in_full is None:
        return False
    with rows.open("rb") as source, to.open("wb") as out:
        out.write(source.readline())
        window = Window(source, _BLOCK_BYTES)
        while window.read_on():
            found = write_in_full(*window.place, bytes(is_number))
            if found is None:
                return False
            records, used = found
            if used:
                out.write(records)
                window.use(used)
            else:
                window.widen()
    return True


def _rewrite_slowly(rows: Path, to: Path, names: Iterable[str]) -> None:
    from runner.tables.targets.masking import masked_pages

    with rows.open("rb") as source, to.open("wb") as out:
        blocks = iter(lambda: source.read(_BLOCK_BYTES), b"")
        out.writelines(masked_pages(dict.fromkeys(names, without_exponent), blocks))


def has_exponent(rows: Path) -> bool:
    """Whether a value, of any column, looks like a number with an exponent.

    Raises:
        OSError: The file cannot be read.
    """
    find = compiled(_FIND, rows.stat().st_size)
    with rows.open("rb", buffering=0) as source:
        window = Window(source, _BLOCK_BYTES)
        while window.read_on():
            address, size, is_last = window.place
            if find(address, size) if find else window.search(_CELL):
                return True
            window.use(size if is_last else size - min(size, _LONGEST_CELL))
    return False
