"""The rows that are written: what the source has, what must be uploaded, which of them fail.

Knows values. Knows nothing of files, HTTP or clients.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks import rows
from tests.benchmarks.rows import Cells

_KEY = re.compile(rb'\n"?ERP-(\d+)')
_NOTE = re.compile(rb'row (\d+)!"?\r?\n')
_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of rows. Row `i` has the content `i // copies`."""

    name: str
    source_columns: Cells
    columns: Cells
    """As they are uploaded."""
    source: Callable[[int], Cells]
    """Of a content, as the file that is loaded has it."""
    written: Callable[[int], Cells]
    """Of a content, as it must be uploaded."""
    copies: int = 1
    """How many rows in a row are the same: more than one where no column is unique."""
    mark: re.Pattern[bytes] = _KEY
    """Finds the contents in a part of an upload."""

    def number_of(self, record: Cells) -> int:
        """Which content an uploaded record has."""
        line = "\n" + rows.quoted(record)
        return int(self.mark.findall(line.encode())[-1])

    def fails(self, row: int) -> bool:
        """Whether the org refuses a row."""
        return rows.fails(row // self.copies)

    def span(self, head: bytes, tail: bytes) -> tuple[int, int]:
        """The first row of an upload, and the one after its last, from how it begins and ends."""
        first, last = self._contents(head), self._contents(tail)
        began_before = self.copies > 1 and len(first) > 1 and first[0] != first[1]
        goes_on = self.copies > 1 and len(last) > 1 and last[-1] != last[-2]
        return first[0] * self.copies + began_before, (last[-1] + 1) * self.copies - goes_on

    def _contents(self, part: bytes) -> list[int]:
        return [int(each) for each in self.mark.findall(part)]


def _wide(cells: Cells) -> Cells:
    """The cells, and those without a key again and again, up to the width."""
    return (cells + cells[1:] * (_WIDTH // len(cells[1:]) + 1))[:_WIDTH]


def wide_name(place: int) -> str:
    """The field in a column of the wide rows."""
    base = rows.WRITTEN[1:][(place - 1) % (len(rows.WRITTEN) - 1)].removesuffix("__c")
    return rows.WRITTEN[place] if place < len(rows.WRITTEN) else f"{base}_{place:03}__c"


WIDE_NAMES = tuple(wide_name(place) for place in range(_WIDTH))

PLAIN = Shape("plain", rows.WRITTEN, rows.WRITTEN, rows.written, rows.written)
"""The source's columns are the fields, and its values go out as they are."""
MAPPED = Shape("mapped", rows.SOURCE, rows.WRITTEN, rows.source, rows.written)
"""The source has names and spellings of its own."""
KEYLESS = Shape(
    "keyless",
    rows.WRITTEN[1:],
    rows.WRITTEN[1:],
    lambda n: rows.written(n)[1:],
    lambda n: rows.written(n)[1:],
    copies=2,
    mark=_NOTE,
)
"""No column is unique: every row is there twice."""
WIDE = Shape(
    "wide",
    WIDE_NAMES,
    WIDE_NAMES,
    lambda n: _wide(rows.written(n)),
    lambda n: _wide(rows.written(n)),
)
SHAPES = (PLAIN, MAPPED, KEYLESS, WIDE)


def shape_of(head: bytes) -> Shape:
    """The first shape whose header an upload begins with."""
    header = tuple(next(csv.reader([head.decode(errors="replace").split("\n", 1)[0].strip()])))
    return next(each for each in SHAPES if each.columns == header)
