"""Maps the rows of a small source without an engine, which takes 40 MB and a tenth of a second.

Every value has to be an ordinary one. Where one is not, nothing is kept, and DuckDB maps all of
them: it says what is wrong with a row, and knows what is rare. Both write the same bytes. Knows
mappings and plain CSV. Knows nothing of the rest of the source.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from runner.csv_rows import csv_reader
from runner.files import link_or_copy, unwritable
from runner.job.choices import Blank
from runner.tables.field_types import MOST_ROW_CHARACTERS, FieldKind
from runner.tables.plain_csv import as_written, bare_rows, is_bare, plain_rows
from runner.tables.sources.csv import RESULT_PREFIX
from runner.tables.sql import BLANKS
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.key_hashes import key_of
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.plain_expressions import (
    Columns,
    Compute,
    OddValueError,
    Texts,
    computation,
)
from runner.tables.staging.plain_values import as_sent, is_possible, keys_of, longest
from runner.tables.staging.read_chunk import ReadChunk

_ROWS_AT_ONCE = 500


class PlainMapper(Struct, frozen=True):
    """Maps rows in which every value is ordinary."""

    columns: tuple[str, ...]
    """The source's."""
    mappings: Sequence[ColumnMapping]
    """How each cell to send is computed."""
    computes: Sequence[Compute]
    """The same, without SQL."""

    def map(self, read: ReadChunk) -> RowChunk | None:
        """Write the rows to send of the only chunk of a source; None if DuckDB has to map it.

        Raises:
            StateError: They cannot be written.
        """
        chunk = read.chunk
        if not (read.is_ordinary and chunk.dialect.columns == self.columns):
            return None
        is_plain = chunk.dialect.is_plain(self.columns)
        try:
            rows = _rows_of(chunk)
            if not rows:
                return None
            if (
                is_plain
                and self._sends_as_read
                and all(all(map(_equal, cells, read)) for read, cells in self._mapped(chunk, rows))
            ):
                link_or_copy(chunk.read_file, chunk.sent_file)
            else:
                with chunk.sent_file.open("w", encoding="utf-8", newline="") as out:
                    for _, cells in self._mapped(chunk, rows):
                        out.write(_lines(cells))
            return replace(chunk, rows=rows, sent_bytes=chunk.sent_file.stat().st_size)
        except (OddValueError, UnicodeDecodeError, csv.Error):
            chunk.sent_file.unlink(missing_ok=True)
            return None
        except OSError as error:
            raise unwritable(chunk.stem, error) from error

    @property
    def _sends_as_read(self) -> bool:
        """Whether the cells to send are those that are read, if no value changes."""
        return [each.source for each in self.mappings] == [*range(len(self.columns))]

    def _mapped(self, chunk: RowChunk, rows: int) -> Iterator[tuple[Columns, Columns]]:
        """The columns of some rows at a time, as read and as they are sent."""
        key = key_of(self.mappings)
        keys: set[str] = set()
        named = mapped = 0
        for some in _slices(chunk):
            cells = self._cells(some)
            if key is not None:
                found = keys_of(key.column, cells[key.index])
                keys.update(found)
                named += len(found)
            if named > len(keys):  # a key occurs twice
                raise OddValueError
            mapped += len(some[0])
            yield some, cells
        if mapped != rows:
            raise OddValueError

    def _cells(self, rows: Columns) -> list[Texts]:
        """The cells of some rows to send."""
        is_only = len(self.mappings) == 1
        cells = [
            as_sent(mapping.column, compute(rows), is_only=is_only)
            for mapping, compute in zip(self.mappings, self.computes, strict=True)
        ]
        if self._may_be_too_long and sum(map(longest, cells)) > MOST_ROW_CHARACTERS:
            raise OddValueError
        return cells

    @property
    def _may_be_too_long(self) -> bool:
        """Whether a row may have more characters than Bulk takes."""
        columns = (each.column for each in self.mappings)
        most = (each.max_length or 0 for each in columns if each.kind is FieldKind.TEXT)
        return sum(most) > MOST_ROW_CHARACTERS


def plain_mapper(
    mappings: Sequence[ColumnMapping], columns: tuple[str, ...], blank: Blank
) -> PlainMapper | None:
    """How to map rows without an engine; None if DuckDB has to, whatever their values are."""
    names = [column.lower() for column in columns]
    if len(columns) == 1 or blank is not Blank.KEEP:
        return None
    if any(each.startswith(RESULT_PREFIX) for each in names):
        return None
    places = {each: at for at, each in enumerate(names)}
    computes = [_computation(each, places) for each in mappings]
    known = [each for each in computes if each is not None]
    return PlainMapper(columns, mappings, known) if len(known) == len(mappings) else None


def _computation(mapping: ColumnMapping, places: dict[str, int]) -> Compute | None:
    place, expression = mapping.source, mapping.column.expression or ""
    if mapping.format or mapping.with_nan or not is_possible(mapping.column):
        return None
    if place is not None:
        return _column(place)
    return None if {"\r", "\0"} & {*expression} else computation(expression, places)


def _column(place: int) -> Callable[[Columns], Texts]:
    return lambda columns: columns[place]


def _rows_of(chunk: RowChunk) -> int | None:
    """How many rows a chunk has; None if DuckDB may read other ones, or other values."""
    content, dialect = chunk.read_file.read_bytes(), chunk.dialect
    if not dialect.is_plain(dialect.columns):
        return bare_rows(content, dialect)
    # A mark that begins the rows to send would have to be in quotes.
    if codecs.BOM_UTF8 in content:
        return None
    return plain_rows(content, len(dialect.columns))


def _slices(chunk: RowChunk) -> Iterator[list[Texts]]:
    """The columns of some rows at a time; a blank is None."""
    width, sign = len(chunk.dialect.columns), chunk.dialect.delimiter
    with chunk.read_file.open(encoding="utf-8", newline="") as stream:
        reader = csv_reader(stream, delimiter=sign, strict=True)
        while rows := list(islice(reader, _ROWS_AT_ONCE)):
            if {*map(len, rows)} != {width}:
                raise OddValueError
            columns = [*zip(*rows, strict=True)]
            if min(columns[0]) < "!" and not all("".join(row).strip(BLANKS) for row in rows):
                raise OddValueError  # a row without values is no row
            yield [
                [text or None for text in column] if "" in column else column for column in columns
            ]


def _equal(some: Texts, others: Texts) -> bool:
    return some is others or list(some) == list(others)


def _lines(cells: Columns) -> str:
    """Rows as DuckDB writes them."""
    return "\n".join(map(",".join, zip(*map(_written, cells), strict=True))) + "\n"


def _written(texts: Texts) -> Sequence[str]:
    plain = ["" if text is None else text for text in texts]
    return plain if is_bare("".join(plain)) else [*map(as_written, plain)]
