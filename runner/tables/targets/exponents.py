"""Numbers of a query without an exponent: the org prints 12,345,678 as `1.2345678E7`.

Salesforce prints a number with decimals as Java does (Help 000385889): below 0.001 and from
10,000,000 on with an exponent. Knows the form of Bulk API 2.0. Knows nothing of orgs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from runner.files import atomic_write, unwritable
from runner.luajit import address_of, compiled
from runner.tables.field_types import FieldKind

if TYPE_CHECKING:
    from runner.tables.targets.rest_rows import QueryColumn

_FIND = Path(__file__).with_suffix(".lua")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_CELL = re.compile(rb'"-?[0-9]\.[0-9]+E-?[0-9]{1,3}"')
_BLOCK_BYTES = 1 << 20
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
        from runner.tables.targets.masking import masked_pages

        numbers = wanted.intersection(map(str.lower, column_names(rows)))
        with atomic_write(rows) as beside, rows.open("rb") as source, beside.open("wb") as out:
            blocks = iter(lambda: source.read(_BLOCK_BYTES), b"")
            out.writelines(masked_pages(dict.fromkeys(numbers, without_exponent), blocks))
    except OSError as error:
        raise unwritable(rows, error) from error


def has_exponent(rows: Path) -> bool:
    """Whether a value, of any column, looks like a number with an exponent.

    Raises:
        OSError: The file cannot be read.
    """
    find = compiled(_FIND, rows.stat().st_size)
    rest = b""
    with rows.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            text = rest + block
            if find(address_of(text), len(text)) if find else _CELL.search(text):
                return True
            rest = text[-_LONGEST_CELL:]
    return False
