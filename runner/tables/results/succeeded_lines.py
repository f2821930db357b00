"""The rows that succeeded of results that came in order: one line a row, in a file.

Mostly that is nearly every row of a write, so it is not in memory. Knows row numbers and lines.
Knows nothing of how a result was obtained, or what else became of rows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from operator import itemgetter
from pathlib import Path
from threading import Lock

from msgspec import Struct

from runner.files import unwritable
from runner.tables.database import UnreadableRowsError

_IN_THOUSAND = [b"%03d," % number for number in range(1_000)]


class SucceededRows(Struct, frozen=True):
    """What is known of consecutive rows."""

    first_row: int
    last_row: int
    others: Sequence[int]
    """Those of them that did not succeed, or of which nothing is known; in order."""
    text: bytes
    """A line `Id,true` of each of the rest; the word says whether the record was created."""

    @property
    def lines(self) -> list[bytes]:
        """Those of the text, without line ends."""
        return self.text.split(b"\n")[:-1]

    def within(self, first_row: int, last_row: int) -> SucceededRows:
        """Those between two rows that are among them."""
        start, end = bisect_left(self.others, first_row), bisect_left(self.others, last_row + 1)
        if (first_row, last_row) == (self.first_row, self.last_row):
            return self
        before, until = first_row - self.first_row - start, last_row + 1 - self.first_row - end
        text = _text_of(self.lines[before:until])
        return SucceededRows(first_row, last_row, self.others[start:end], text)

    def numbers(self) -> Iterator[int]:
        """The rows that the lines are of."""
        borders = pairwise([self.first_row - 1, *self.others, self.last_row + 1])
        return chain.from_iterable(range(last + 1, following) for last, following in borders)

    def with_rows(self, more: dict[int, bytes]) -> SucceededRows:
        """Add the lines of some of the others."""
        return _rows_of(
            dict(zip(self.numbers(), self.lines, strict=True)) | more, self.first_row, self.last_row
        )

    def after(
        self, records: Sequence[bytes], files: Sequence[tuple[int, str]] = ()
    ) -> Iterator[bytes]:
        """Put together `record,row,line` of each row that has a line, a thousand rows at a time.

        Args:
            records: Those of all rows.
            files: The first row of each file, and its name, if the rows are to have `row,file,row`.
        """
        row, done, lines = self.first_row, 0, self.lines
        while row <= self.last_row:
            thousand, start = divmod(row, 1_000)
            end = min(1_000, start + self.last_row + 1 - row)
            numbers = _IN_THOUSAND[start:end]
            own = list(records[row - self.first_row : row - self.first_row + end - start])
            first, last = bisect_left(self.others, row), bisect_left(self.others, row + end - start)
            if not thousand:
                numbers = [each.lstrip(b"0") for each in numbers]
            if files:
                cells = file_cells(files, row, row + end - start)
                numbers = list(map(bytes.__add__, numbers, cells))
            for other in reversed(self.others[first:last]):
                del numbers[other - row], own[other - row]
            row += end - start
            count = len(numbers)
            parts = [b","] * (5 * count)
            parts[::5] = own
            parts[1::5] = [b",%d" % thousand if thousand else b","] * count
            parts[2::5] = numbers
            parts[3::5] = lines[done : done + count]
            parts[4::5] = [b"\n"] * count
            yield b"".join(parts)
            done += count


class Piece(Struct, frozen=True):
    """Where consecutive rows are in the file: the numbers of the others, then the lines."""

    first_row: int
    last_row: int
    offset: int
    others_size: int
    lines_size: int
    created: int
    """How many of the lines are of records that were created."""
    updated: int


class SucceededLines:
    """The lines of all rows so far, in pieces that may be among each other; a row is there once.

    Threads may write pieces; the rest is for the thread that owns the results.

    Attributes:
        created: How many of the rows created their record.
        updated: How many did not.
    """

    def __init__(self, file: Path) -> None:
        """Write to this file; what it has already is no matter."""
        self._file = file
        self._pieces: list[Piece] = []
        self._size = 0
        self._writing = Lock()
        self.created = 0
        self.updated = 0

    def write(self, first_row: int, last_row: int, others: Sequence[int], lines: bytes) -> Piece:
        """Write rows, as `SucceededRows` describes them; they count once the piece is added.

        Args:
            first_row: Of these rows.
            last_row: Of these rows.
            others: Those of them that have no line.
            lines: Of the rest; each ends with a line feed.

        Raises:
            StateError: They cannot be written.
        """
        numbers = array("Q", others).tobytes()
        created = lines.count(b",true\n")
        updated = lines.count(b"\n") - created
        with self._writing:
            at = self._size
            write_at(self._file, at, numbers, lines)
            self._size += len(numbers) + len(lines)
        return Piece(first_row, last_row, at, len(numbers), len(lines), created, updated)

    def add(self, piece: Piece) -> None:
        """Add rows that were written."""
        self._pieces.append(piece)
        self.created += piece.created
        self.updated += piece.updated

    def between(self, first_row: int, last_row: int) -> SucceededRows | None:
        """What is known of rows; None if nothing is.

        Raises:
            UnreadableRowsError: The file is damaged.
        """
        found = [self._read(each) for each in self._pieces_with(first_row, last_row)]
        if not found:
            return None
        first = found[0]
        if len(found) == 1 and first.first_row <= first_row and first.last_row >= last_row:
            return first.within(first_row, last_row)
        found.sort(key=lambda each: each.first_row)
        if all(some.last_row < next_.first_row for some, next_ in pairwise(found)):
            return _one_after_another(found, first_row, last_row)
        pairs = (zip(each.numbers(), each.lines, strict=True) for each in found)
        return _rows_of(dict(chain.from_iterable(pairs)), first_row, last_row)

    def has_any(self, first_row: int, last_row: int) -> bool:
        """Whether anything is known of rows between two."""
        return bool(self._pieces_with(first_row, last_row))

    def take(self, first_row: int, last_row: int) -> Iterator[bytes]:
        """Remove the pieces that have rows between two, and give each as CSV: row, Id, created.

        Raises:
            UnreadableRowsError: The file is damaged.
        """
        for piece in self._pieces_with(first_row, last_row):
            rows = self._read(piece)
            pairs = zip(rows.numbers(), rows.lines, strict=True)
            yield b"".join([b"%d,%b\n" % pair for pair in pairs])
            self._pieces.remove(piece)
            self.created -= piece.created
            self.updated -= piece.updated

    def _pieces_with(self, first_row: int, last_row: int) -> list[Piece]:
        return [p for p in self._pieces if p.first_row <= last_row and p.last_row >= first_row]

    def _read(self, piece: Piece) -> SucceededRows:
        content = read_at(self._file, piece.offset, piece.others_size + piece.lines_size)
        numbers, text = content[: piece.others_size], content[piece.others_size :]
        rows = piece.last_row + 1 - piece.first_row
        is_whole = len(numbers) == piece.others_size and text.endswith(b"\n")
        if not is_whole or len(numbers) // 8 + text.count(b"\n") != rows:
            raise UnreadableRowsError(f"{self._file} has other rows than were written")
        others = array("Q", numbers).tolist()
        return SucceededRows(piece.first_row, piece.last_row, others, text)


def write_at(file: Path, offset: int, *contents: bytes) -> None:
    """Write to a file that grows; at 0, what it has already is no matter.

    Raises:
        StateError: It cannot be written.
    """
    try:
        with file.open("r+b" if offset else "wb") as out:
            out.seek(offset)  # after a write that failed, the file may be longer
            out.writelines(contents)
    except OSError as error:
        raise unwritable(file, error) from error


def read_at(file: Path, offset: int, size: int) -> bytes:
    """Read what was written, less if the file is shorter.

    Raises:
        UnreadableRowsError: It cannot be read.
    """
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)
    except OSError as error:
        raise UnreadableRowsError(f"{file}: {error}") from error


def file_cells(files: Sequence[tuple[int, str]], first: int, end: int) -> Iterator[bytes]:
    """`file,row,` of each row from the first up to, not with, the end."""
    at = bisect_right(files, first, key=itemgetter(0)) - 1
    until = bisect_left(files, end, key=itemgetter(0))
    for (start, name), (following, _) in pairwise([*files[at:until], (end, "")]):
        for row in range(max(start, first), following):
            yield b"%b,%d," % (name.encode(), row + 1 - start)


def _rows_of(lines: dict[int, bytes], first_row: int, last_row: int) -> SucceededRows:
    rows = range(first_row, last_row + 1)
    others = [row for row in rows if row not in lines]
    text = _text_of(lines[row] for row in rows if row in lines)
    return SucceededRows(first_row, last_row, others, text)


def _one_after_another(
    found: Sequence[SucceededRows], first_row: int, last_row: int
) -> SucceededRows:
    """The rows between two of pieces that are in order; nothing is known of rows between pieces."""
    others: list[int] = []
    texts: list[bytes] = []
    at = first_row
    for each in found:
        some = each.within(max(first_row, each.first_row), min(last_row, each.last_row))
        others += (*range(at, some.first_row), *some.others)
        texts.append(some.text)
        at = some.last_row + 1
    others += range(at, last_row + 1)
    return SucceededRows(first_row, last_row, others, b"".join(texts))


def _text_of(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
