"""The rows that succeeded of results that came in order: one line a row, in a file.

Mostly that is nearly every row of a write, so it is not in memory. Knows row numbers and lines.
Knows nothing of how a result was obtained, or what else became of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path

from msgspec import Struct

from runner.files import unwritable

_IN_THOUSAND = tuple(b"%03d," % number for number in range(1_000))


class SucceededRows(Struct, frozen=True):
    """What became of consecutive rows of which at least some succeeded."""

    first_row: int
    rows: int
    lines: bytes
    """`Id,true` of each row, without a line feed at the end; nothing of one that did not succeed.

    The word says whether the record was created.
    """

    def counts(self) -> tuple[int, int]:
        """How many records were created, and how many were not."""
        created = self.lines.count(b",true")
        return created, self.lines.count(b",") - created


class _Place(Struct, frozen=True):
    first_row: int
    rows: int
    offset: int
    size: int

    def touches(self, first_row: int, last_row: int) -> bool:
        """Whether it has rows between these."""
        return self.first_row <= last_row and first_row < self.first_row + self.rows


class SucceededLines:
    """The lines of all rows so far, in pieces that may be among each other; a row is there once.

    Attributes:
        created: How many of the rows created their record.
        others: How many did not.
    """

    def __init__(self, file: Path) -> None:
        """Write to a file that does not exist yet."""
        self._file = file
        self._places: list[_Place] = []
        self._size = 0
        self.created = 0
        self.others = 0

    def add(self, found: Sequence[SucceededRows]) -> None:
        """Add rows.

        Raises:
            StateError: They cannot be written.
        """
        try:
            with self._file.open("ab") as out:
                for each in found:
                    out.write(each.lines)
                    place = _Place(each.first_row, each.rows, self._size, len(each.lines))
                    self._places.append(place)
                    self._size += place.size
                    created, others = each.counts()
                    self.created += created
                    self.others += others
        except OSError as error:
            raise unwritable(self._file, error) from error

    def between(self, first_row: int, last_row: int) -> list[bytes] | None:
        """The line of each row; nothing of those that are not here. None if no row is."""
        lines: list[bytes] | None = None
        for place, found in self._read(first_row, last_row):
            lines = lines or [b""] * (last_row - first_row + 1)
            start = max(place.first_row, first_row)
            within = found[start - place.first_row : last_row + 1 - place.first_row]
            here = slice(start - first_row, start - first_row + len(within))
            if any(lines[here]):  # a row is in one of them at most
                within = list(map(bytes.__add__, lines[here], within))
            lines[here] = within
        return lines

    def take(self, first_row: int, last_row: int) -> bytes:
        """Remove the pieces between two rows, and give them as CSV: row, Id, created."""
        records = [
            b"%d,%b\n" % (row, line)
            for place, found in self._read(first_row, last_row)
            for row, line in enumerate(found, place.first_row)
            if line
        ]
        text = b"".join(records)
        created = text.count(b",true\n")
        self.created -= created
        self.others -= len(records) - created
        self._places = [each for each in self._places if not each.touches(first_row, last_row)]
        return text

    def _read(self, first_row: int, last_row: int) -> Iterator[tuple[_Place, list[bytes]]]:
        touched = [each for each in self._places if each.touches(first_row, last_row)]
        if not touched:
            return
        with self._file.open("rb") as stream:
            for place in touched:
                stream.seek(place.offset)
                yield place, stream.read(place.size).split(b"\n")


def numbered(records: Sequence[bytes], lines: Sequence[bytes], first_row: int) -> Iterator[bytes]:
    """Put together `record,row,line` of the rows that have a line, a thousand rows at a time.

    Args:
        records: Those of consecutive rows.
        lines: One for each.
        first_row: The number of the first.
    """
    start = 0
    while start < len(records):
        thousand, number = divmod(first_row + start, 1_000)
        end = min(start + 1_000 - number, len(records))
        places = _IN_THOUSAND[number : number + end - start]
        if not thousand:  # without zeros in front
            places = tuple(each.lstrip(b"0") for each in places)
        wanted = lines[start:end]
        columns = [records[start:end], places, wanted]
        if not all(wanted):
            columns = [list(compress(each, wanted)) for each in columns]
        count = len(columns[0])
        parts = [b","] * (5 * count)
        parts[::5], parts[2::5], parts[3::5] = columns
        parts[1::5] = [b",%d" % thousand if thousand else b","] * count
        parts[4::5] = [b"\n"] * count
        yield b"".join(parts)
        start = end
