"""A chunk of consecutive source rows, in files: as read, as sent, and why some are not sent.

Rows keep their numbers in the source. Knows where the files are and how each is read. Knows
nothing of what is in the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from runner.files import sync, unwritable
from runner.tables.sql import CsvDialect, name, read_csv, read_records


class RowChunk(Struct, frozen=True):
    """A chunk of consecutive rows of a source."""

    stem: Path
    """Path of its files without their endings."""
    dialect: CsvDialect
    """How its rows are written as read."""
    rows: int = 0
    rejected: int = 0
    """Rows of it that are not sent."""
    blank: int = 0
    """Rows that were left out because they have no value; no row of it is one of them."""
    skipped: int = 0
    """Those of them that the job does not want to be sent."""
    unchanged: int = 0
    """Those of them whose record holds everything already; no file lists them."""
    width: int = 0
    """Cells of a row to send."""
    sent_bytes: int = 0
    """Size of all rows to send."""
    first_row: int = 1
    """Number of its first row in the source, from 1."""
    truncated: int = 0
    """Values in the rows to send that were cut to fit their field."""

    @property
    def last_row(self) -> int:
        """Number of its last row in the source."""
        return self.first_row + self.rows - 1

    @property
    def sendable(self) -> int:
        """How many of its rows are sent."""
        return self.rows - self.rejected

    @property
    def read_file(self) -> Path:
        """Its rows as read, without a header."""
        return self._file(".csv")

    @property
    def sent_file(self) -> Path:
        """Its rows to send as Bulk API 2.0 CSV, without a header."""
        return self._file(".sent.csv")

    @property
    def is_sent_as_read(self) -> bool:
        """Whether one file is both, which it only is if it is plain CSV."""
        return self.sent_file.exists() and self.sent_file.samefile(self.read_file)

    @property
    def rejected_file(self) -> Path:
        """Its other rows: the place of each in the chunk, from 1, and why it cannot be sent."""
        return self._file(".rejected.csv")

    @property
    def kept_file(self) -> Path:
        """The place in the chunk of each row to send, from 1, if there are unchanged rows."""
        return self._file(".kept.csv")

    @property
    def problems(self) -> int:
        """How many rows `rejected_file` lists."""
        return self.rejected - self.unchanged

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files."""
        return (self.read_file, *self.files_of_sent)

    @property
    def files_of_sent(self) -> tuple[Path, ...]:
        """Those that `sent_rows` reads."""
        others = [self.rejected_file] if self.problems else []
        others += [self.kept_file] if self.unchanged else []
        return (self.sent_file, *others)

    def sync(self) -> None:
        """Wait until its files are on the disk.

        Raises:
            StateError: The disk failed.
        """
        for file in self.files:
            try:
                sync(file)
            except OSError as error:
                raise unwritable(file, error) from error

    def moved(self, folder: Path) -> RowChunk:
        """The same chunk, with its files in another folder."""
        return replace(self, stem=folder / self.stem.name)

    def source_rows(self, columns: Sequence[str]) -> str:
        """Write the relation of its rows as read: `row`, and `s0, s1, …` for the columns."""
        read = read_records(self.read_file, self.dialect, columns)
        cells = "".join(f", {name(column)} AS s{place}" for place, column in enumerate(columns))
        return f"(SELECT {self._numbered} AS row{cells} FROM {read})"

    def sent_rows(self) -> str:
        """Write the relation of its rows to send: `row`, and `c0, c1, …`; blank is NULL."""
        columns = tuple(f"c{place}" for place in range(self.width))
        read = read_records(self.sent_file, CsvDialect(columns, self.sent_bytes), columns)
        cells = ", ".join(columns)
        if not self.rejected:
            return f"(SELECT {self._numbered} AS row, {cells} FROM {read})"
        placed = f"SELECT row_number() OVER () AS place, {cells} FROM {read}"
        return f"(SELECT row, {cells} FROM ({placed}) JOIN {self.sent_numbers()} USING (place))"

    def sent_numbers(self) -> str:
        """Write the relation of the rows to send: `row`, and `place` in the file, from 1."""
        if self.unchanged:
            read = read_csv(self.kept_file, CsvDialect(("kept",), self.kept_file.stat().st_size))
            row = f"CAST(kept AS BIGINT) + {self.first_row - 1} AS row"
            return f"(SELECT {row}, row_number() OVER () AS place FROM {read})"
        every = f"SELECT range AS row FROM range({self.first_row}, {self.last_row + 1})"
        if self.rejected:
            every += f" WHERE row NOT IN (SELECT row FROM {self.rejected_rows()})"
        return f"(SELECT row, row_number() OVER (ORDER BY row) AS place FROM ({every}))"

    def rejected_rows(self) -> str:
        """Write the relation of the rows that have a problem: `row` and `problem`."""
        longest = self.rejected_file.stat().st_size
        read = read_csv(self.rejected_file, CsvDialect(("place", "problem"), longest))
        row = f"CAST(place AS BIGINT) + {self.first_row - 1} AS row"
        return f"(SELECT {row}, problem FROM {read})"

    @property
    def _numbered(self) -> str:
        return f"row_number() OVER () + {self.first_row - 1}"

    def _file(self, ending: str) -> Path:
        return self.stem.with_name(self.stem.name + ending)


def chunk_json(chunk: RowChunk) -> dict[str, Any]:
    """A chunk with the keys that every release has used."""
    members = asdict(chunk)
    del members["dialect"]
    return members | {"stem": chunk.stem.name, "reading": asdict(chunk.dialect)}


def chunk_of(folder: Path, members: dict[str, Any]) -> RowChunk:
    """Read what `chunk_json` gave, of a chunk whose files are in `folder` now.

    Raises:
        KeyError, TypeError: It is something else.
    """
    dialect = members.pop("reading")
    lists = {key: tuple(dialect[key]) for key in ("columns", "nulls") if key in dialect}
    dialect = CsvDialect(**dialect | lists)
    return RowChunk(**members | {"stem": folder / members["stem"], "dialect": dialect})


def sent_between(chunks: Sequence[RowChunk], first_row: int, last_row: int) -> str:
    """Write the relation of the rows to send in a range of row numbers, in order."""
    touched = (
        chunk
        for chunk in chunks
        if chunk.first_row <= last_row and chunk.last_row >= first_row and chunk.sendable
    )
    relations = (f"FROM {_within(chunk, first_row, last_row)}" for chunk in touched)
    return f"({' UNION ALL '.join(relations)})"


def _within(chunk: RowChunk, first_row: int, last_row: int) -> str:
    if first_row <= chunk.first_row and chunk.last_row <= last_row:
        return chunk.sent_rows()
    return f"(FROM {chunk.sent_rows()} WHERE row BETWEEN {first_row} AND {last_row})"
