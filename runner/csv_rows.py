"""Reads CSV whose values may have any length: by default Python refuses long ones.

Its limit is one of the whole process. Knows nothing of what the rows are.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _csv import Reader


def csv_reader(
    lines: Iterable[str],
    *,
    delimiter: str = ",",
    quotechar: str | None = '"',
    strict: bool = False,
) -> Reader:
    """The rows as lists; as `csv.reader`."""
    csv.field_size_limit(sys.maxsize)
    return csv.reader(lines, delimiter=delimiter, quotechar=quotechar, strict=strict)


def csv_dicts(lines: Iterable[str]) -> csv.DictReader[str]:
    """The rows by the columns of the first one; as `csv.DictReader`."""
    csv.field_size_limit(sys.maxsize)
    return csv.DictReader(lines)
