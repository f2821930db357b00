"""A run of a source's rows in files: as they were read, as they are to be sent, why some are not.

Rows keep their numbers in the source. Knows where the files are and how each is read. Knows
nothing of what is in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.tables.sql import CsvDialect, name, read_csv, read_records


@dataclass(frozen=True, slots=True)
class Slab:
    """A run of a source's rows."""

    stem: Path
    """What its files are called without their endings."""
    reading: CsvDialect
    """How its rows are spelled as they were read."""
    rows: int
    rejected: int
    """Rows of it that are not sent."""
    width: int
    """Cells of a row to send."""
    sent_bytes: int
    """Of all rows to send."""
    first_row: int = 1
    """Number of its first row in the source, from 1."""

    @property
    def last_row(self) -> int:
        """Number of its last row in the source."""
        return self.first_row + self.rows - 1

    @property
    def read_file(self) -> Path:
        """Its rows as they were read, without a header."""
        return read_file(self.stem)

    @property
    def sent_file(self) -> Path:
        """Its rows to send as Bulk API 2.0 CSV, without a header."""
        return sent_file(self.stem)

    @property
    def rejected_file(self) -> Path:
        """The places, from 1, of its other rows, each with why it cannot be sent."""
        return rejected_file(self.stem)

    @property
    def files(self) -> tuple[Path, ...]:
        """All there are."""
        always = (self.read_file, self.sent_file)
        return (*always, self.rejected_file) if self.rejected else always

    def moved(self, folder: Path) -> Slab:
        """The same slab, its files in another folder."""
        return replace(self, stem=folder / self.stem.name)

    def own(self, columns: Sequence[str]) -> str:
        """Write the relation of its rows as read: `row`, and `s0, s1, …` for the columns."""
        read = read_records(self.read_file, self.reading, columns)
        cells = "".join(f", {name(column)} AS s{place}" for place, column in enumerate(columns))
        return f"(SELECT {self._numbered} AS row{cells} FROM {read})"

    def sent(self) -> str:
        """Write the relation of its rows to send: `row`, and `c0, c1, …`, blank being NULL."""
        cells = tuple(f"c{place}" for place in range(self.width))
        read = read_records(self.sent_file, CsvDialect(cells, self.sent_bytes), cells)
        if not self.rejected:
            return f"(SELECT {self._numbered} AS row, {', '.join(cells)} FROM {read})"
        placed = f"SELECT row_number() OVER () AS place, {', '.join(cells)} FROM {read}"
        return (
            f"(SELECT row, {', '.join(cells)} FROM ({placed}) JOIN {self.numbers()} USING (place))"
        )

    def numbers(self) -> str:
        """Write the relation of the numbers of rows to send: `row`, and `place` among them."""
        every = f"SELECT range AS row FROM range({self.first_row}, {self.last_row + 1})"
        if self.rejected:
            every += f" WHERE row NOT IN (SELECT row FROM {self.rejections()})"
        return f"(SELECT row, row_number() OVER (ORDER BY row) AS place FROM ({every}))"

    def rejections(self) -> str:
        """Write the relation of the rows that are not sent: `row` and `problem`."""
        longest = self.rejected_file.stat().st_size
        read = read_csv(self.rejected_file, CsvDialect(("place", "problem"), longest))
        row = f"CAST(place AS BIGINT) + {self.first_row - 1} AS row"
        return f"(SELECT {row}, problem FROM {read})"

    @property
    def _numbered(self) -> str:
        return f"row_number() OVER () + {self.first_row - 1}"


def read_file(stem: Path) -> Path:
    """Where a slab's rows are as they were read."""
    return stem.with_name(f"{stem.name}.csv")


def sent_file(stem: Path) -> Path:
    """Where a slab's rows to send are."""
    return stem.with_name(f"{stem.name}.sent.csv")


def rejected_file(stem: Path) -> Path:
    """Where a slab's other rows are told."""
    return stem.with_name(f"{stem.name}.rejected.csv")


def sent_between(slabs: Sequence[Slab], first_row: int, last_row: int) -> str:
    """Write the relation of the rows to send in a range of row numbers, in their order."""
    touched = [
        slab
        for slab in slabs
        if slab.first_row <= last_row and slab.last_row >= first_row and slab.rows > slab.rejected
    ]
    return union(_within(slab, first_row, last_row) for slab in touched)


def union(relations: Iterable[str]) -> str:
    """Write one relation of several, one after the other."""
    return "(" + " UNION ALL ".join(f"FROM {each}" for each in relations) + ")"


def _within(slab: Slab, first_row: int, last_row: int) -> str:
    if first_row <= slab.first_row and slab.last_row <= last_row:
        return slab.sent()
    return f"(FROM {slab.sent()} WHERE row BETWEEN {first_row} AND {last_row})"
