"""The rows of one write task on this machine: read once, mapped, and stored until the task ends.

Source records come in chunks; each becomes files of its rows as read and as they are to be sent
(see `chunk`), several chunks in parallel. Memory does not grow with the source, and rows keep their
numbers. Knows nothing of the org.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner.errors import SourceError, StateError
from runner.files import unwritable
from runner.job.choices import Blank
from runner.job.endpoints import Written
from runner.parallel import one_ahead, parallel_map
from runner.tables.database import Database, duckdb_error
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.chunks import UncutError
from runner.tables.sources.csv import PLAIN_CSV, Records, own_columns, shown_as
from runner.tables.sources.footer import blank_note
from runner.tables.sources.open import AnySource, open_source
from runner.tables.staging.canonical_values import MACROS
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.chunk_mapping import ChunkMapper
from runner.tables.staging.json_records import JsonRecords, JsonValue
from runner.tables.staging.key_hashes import KeyHashes, key_hashes
from runner.tables.staging.mapping import (
    ColumnMapping,
    check_expressions,
    map_columns,
)
from runner.tables.staging.mapping_errors import unmapped_rows
from runner.tables.staging.parts import MAX_BYTES, Limits, Part, PartCutter
from runner.tables.staging.plain_mapping import PlainMapper, plain_mapper
from runner.tables.staging.sent_rows import queried, sent_rows
from runner.tables.staging.source_digest import joined_digest

if TYPE_CHECKING:
    from runner.tables.staging.elsewhere import Elsewhere, Stager
    from runner.tables.staging.read_chunk import ReadChunk

Record = dict[str, JsonValue]


class StagedRows:
    """One task's rows.

    Attributes:
        columns: The source's own columns, without `sf__…`.
        mappings: How each column to send is computed.
        chunks: Where the rows are.
        source_sha256: Digest of the rows as read; another one means that the source has changed.
        files: If the source is several files, the number of each one's first row, and its name.
        is_view: Whether other rows are sent, too.
        blank: What an empty value does to its field.
        keys: Hashes of the rows' keys, once they are mapped; None if they have no key.
        disk: How much space the run's files may use.
        timezone: IANA name; the zone of datetimes without one.
        blank_rows: How many rows were left out because they have no value.
    """

    def __init__(self, folder: Path, disk: Disk = UNBOUNDED, *, is_kept: bool = False) -> None:
        self._folder = folder
        self._is_kept = is_kept
        self.disk = disk
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        self.database = Database(folder, most_spilled_bytes=disk.most_bytes, statements=MACROS)
        self._records: tuple[Records, ...] = ()
        self._numbers = count()
        self._elsewhere: Elsewhere | None = None
        self.timezone = "UTC"
        self.blank_rows = 0
        self.columns: tuple[str, ...] = ()
        self.mappings: tuple[ColumnMapping, ...] = ()
        self.chunks: tuple[RowChunk, ...] = ()
        self.is_view = False
        self.blank = Blank.KEEP
        self.source_sha256 = ""
        self.files: tuple[tuple[int, str], ...] = ()
        self._columns: tuple[str, ...] = ()
        self.keys: KeyHashes | None = None

    @property
    def folder(self) -> Path:
        """Where this task's files are."""
        return self._folder

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns of the source, including `sf__…`, in the order of `s0, s1, …`."""
        return self._records[0].columns if self._records else self._columns

    def load(self, source: AnySource, stager: Stager | None = None) -> None:
        """Open a source and read its header; its rows are read by `map`.

        Args:
            source: Where the rows are.
            stager: Others who stage the rows of a large source; None: there are none.

        Raises:
            SourceError: The source cannot be read or its header is wrong.
        """
        if stager is not None:
            from runner.tables.staging.elsewhere import elsewhere

            self._elsewhere = elsewhere(source, stager)
        opened = self._elsewhere and self._elsewhere.opened
        self.load_opened(opened or open_source(source, self._folder, self.disk))

    def load_opened(self, opened: tuple[Records, ...], first_chunk: int = 0) -> None:
        """Take records that are open; their chunks are numbered from `first_chunk`."""
        self._records, self._numbers = opened, count(first_chunk)
        self.columns = own_columns(self.source_columns)
        self.database.make_room(len(self.source_columns))

    @property
    def written(self) -> Written:
        """How the values of each column are written."""
        return {column: self._records[0].shapes_of(column) for column in self.columns}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how the source was read."""
        others = self._elsewhere.notes if self._elsewhere else ()
        own = (note for records in self._records for note in records.notes)
        return (*own, *others, *blank_note(self.blank_rows))

    def map(
        self,
        columns: Sequence[MappedColumn],
        *,
        blank: Blank = Blank.KEEP,
        timezone: str = "UTC",
        written: Iterable[Path] = (),
    ) -> None:
        """Read every row, once, and compute what to send.

        A row is rejected if a value does not fit its field, an expression fails, or a required
        field is blank. Call it once, after `load`.

        Args:
            columns: What to send, in this order.
            blank: What an empty value does to its field.
            timezone: IANA name; the zone of datetimes without one.
            written: Rows of earlier tasks, which these rows may name: `@AccountRef1`.

        Raises:
            SourceError: A row, byte, column or expression makes the whole source unusable.
            StateError: The rows cannot be stored, for example because the disk is full.
        """
        if not self._records:
            raise StateError("`map` was called before `load`.")
        self.blank = blank
        self._set_timezone(timezone)
        shapes_of = self._records[0].shapes_of
        self.mappings = map_columns(columns, self.source_columns, shapes_of)
        self.database.make_room(len(columns))
        has_references = False
        if named := tuple(written):
            from runner.tables.staging.references import create_references

            has_references = create_references(self.database, named)
        if has_references:
            self.mappings = tuple(
                replace(each, is_reference=each.column.kind is FieldKind.ID)
                for each in self.mappings
            )
        self.keys = key_hashes(self.mappings, self._folder)
        is_alone = len(self._records) == 1 and not has_references and self._elsewhere is None
        # DuckDB may not know another zone, and has to say so before a row is sent.
        is_plain = is_alone and timezone == "UTC"
        plain = plain_mapper(self.mappings, self.source_columns, blank) if is_plain else None
        if plain is None and (timezone != "UTC" or any(each.computed for each in self.mappings)):
            self._check_with_engine()
        if self._elsewhere is not None:
            # Rows of earlier tasks are on this machine only.
            if not has_references and self._elsewhere.gather(self, columns):
                return
            self._records = open_source(self._elsewhere.source, self._folder, self.disk)
        starts: list[tuple[int, Path]] = []
        digests: list[str] = []
        for records in self._records:
            before = self.rows_total
            with shown_as(records.place, records.path):
                digests.append(self._stage(records, plain))
            files = records.files or ((0, records.path),)
            starts += [(before + 1 + rows, file) for rows, file in files]
        self.note_files(starts, digests)

    def note_files(self, starts: Sequence[tuple[int, Path]], digests: Sequence[str]) -> None:
        """Note what was read: the number of each file's first row, and each one's digest."""
        self.files = _named(starts)
        self.source_sha256 = joined_digest(digests)

    def restore(
        self,
        columns: Sequence[MappedColumn],
        source_columns: tuple[str, ...],
        chunks: tuple[RowChunk, ...],
        *,
        timezone: str,
    ) -> None:
        """Continue with chunks that an earlier process has mapped, instead of `load` and `map`."""
        self._columns = source_columns
        self.columns = own_columns(source_columns)
        self.database.make_room(max(len(columns), len(source_columns)))
        self._set_timezone(timezone)
        sent = [column.as_sent for column in columns]
        self.mappings = map_columns(sent, source_columns, lambda _column: (PLAIN_CSV,))
        self.chunks = chunks

    @property
    def rows_total(self) -> int:
        """Rows of the source."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def rejected_total(self) -> int:
        """Rows that are not sent."""
        return sum(chunk.rejected for chunk in self.chunks)

    @property
    def skipped_total(self) -> int:
        """Rows that are not sent because the job does not want it."""
        return sum(chunk.skipped for chunk in self.chunks)

    @property
    def unchanged_total(self) -> int:
        """Rows that are not sent because their records already have the values."""
        return sum(chunk.unchanged for chunk in self.chunks)

    @property
    def truncated_total(self) -> int:
        """Values that were cut to fit their field."""
        return sum(chunk.truncated for chunk in self.chunks)

    @property
    def file_column(self) -> ColumnMapping | None:
        """The column whose values are files, if there is one."""
        return next((each for each in self.mappings if each.column.is_file), None)

    def has_blank(self, field: str) -> bool:
        """Whether a field is blank in any of the rows to send."""
        cell = next(each.cell for each in self.mappings if each.column.field == field)
        blank = f"SELECT 1 FROM {{}} WHERE {cell} IS NULL LIMIT 1"
        return any(
            next(queried(self.database, blank.format(chunk.sent_rows())), None)
            for chunk in self.chunks
            if chunk.sendable
        )

    def batches(self, size: int, *, after_row: int = 0) -> Iterator[list[tuple[int, Record]]]:
        """Give the rows to send in order, `size` at a time, as (row number, fields).

        Values have JSON's types. A number with more digits than a double holds is text, which the
        org reads as a number. A blank field is left out, or None for `blank: clear`; `#N/A` gives
        None.
        """
        records = JsonRecords([(m.column.field, m.column.kind) for m in self.mappings])
        rows = sent_rows(self.database, self.chunks, after_row)
        while batch := list(islice(rows, size)):
            numbers, cells = zip(*batch, strict=True)
            yield list(zip(numbers, records.records(cells), strict=True))

    def parts(
        self,
        folder: Path,
        max_bytes: int = MAX_BYTES,
        max_rows: int | None = None,
        *,
        after: int = 0,
    ) -> Iterator[Part]:
        """Cut the rows to send into Bulk API 2.0 CSV, in order; each part when it is asked for.

        Args:
            folder: For files about the parts; created if missing.
            max_bytes: No part is larger.
            max_rows: No part has more rows.
            after: The number before that of the first part.

        Raises:
            SourceError: One row alone is larger than a part may be.
            StateError: A file of rows cannot be read.
        """
        limits = Limits(max_bytes, max_rows)
        columns = tuple(each.column.field for each in self.mappings)
        return PartCutter(self.database, columns, folder, limits).cut(self.chunks, after)

    def only(self, chunks: Iterable[RowChunk]) -> StagedRows:
        """The same rows, of which only some are to be sent; discard neither before the other."""
        view = copy(self)
        view.chunks = tuple(chunks)
        view.is_view = True
        return view

    def discard(self) -> None:
        """Close the database and delete the task's staged files."""
        self.database.close()
        if self._elsewhere is not None:
            self._elsewhere.until.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _set_timezone(self, timezone: str) -> None:
        self.timezone = timezone
        self.database.set_timezone(timezone)

    def _check_with_engine(self) -> None:
        """Let DuckDB look at what the job says, before it maps rows."""
        from runner.tables import duckdb

        try:
            connection = self.database.connection
        except duckdb.Error as error:
            raise SourceError(
                f"There is no time zone {self.timezone!r}.",
                hint="Write one such as Europe/Berlin.",
            ) from error
        self.mappings = check_expressions(connection, self.mappings, self.source_columns)

    def _stage(self, records: Records, plain: PlainMapper | None) -> str:
        """Stage records as they are, or normalized if need be; give the digest of what was read."""
        try:
            self.chunks += self._staged(records, plain)
        except (duckdb_error(), UncutError) as error:
            from runner.tables import duckdb

            is_misread = isinstance(error, duckdb.InvalidInputException | UncutError)
            if records.normalize is None or not is_misread:
                raise unmapped_rows(records.path, self.mappings, error) from error
        else:
            return records.digest.hexdigest()
        # Either this finds what is wrong, and in which row, or only the CSV dialect was in the way.
        normalized = records.normalize(self._folder / "normalized.csv")
        try:
            self.chunks += self._staged(normalized, plain)
        except (duckdb_error(), UncutError) as error:
            raise unmapped_rows(records.path, self.mappings, error) from error
        return normalized.digest.hexdigest()

    def _staged(self, records: Records, plain: PlainMapper | None) -> tuple[RowChunk, ...]:
        if not records.columns:
            return ()
        chunks: list[RowChunk] = []
        first_row = self.rows_total + 1
        own = self.database, self._folder, self.source_columns
        mapper = ChunkMapper(*own, self.mappings, self.blank, self.keys)

        def map_chunks(some: list[ReadChunk]) -> list[RowChunk]:
            mapped = mapper.map(some)
            self._count(mapped)
            if self._is_kept:  # the disk works while other chunks are mapped
                for each in mapped:
                    each.sync()
            return mapped

        pieces = zip(self._numbers, one_ahead(records.chunks()), strict=False)
        read: Iterator[ReadChunk] = (
            mapper.read(at, records.dialect(content), content) for at, content in pieces
        )
        if plain is not None:
            first = list(islice(read, 2))
            is_small = len(first) == 1 and first[0].others != b""
            if is_small and (found := plain.map(first[0])) is not None:
                self._count([found])
                return (found,)
            read = chain(first, read)
        for some in parallel_map(map_chunks, mapper.batches(read)):
            for chunk in some:
                chunks.append(replace(chunk, first_row=first_row))
                first_row += chunk.rows
                self.blank_rows += chunk.blank
        return tuple(chunk for chunk in chunks if chunk.rows)

    def _count(self, mapped: Sequence[RowChunk]) -> None:
        """Count what chunks take of the disk."""
        self.disk.add(sum(c.dialect.longest_row_bytes + c.sent_bytes for c in mapped))


def _named(starts: Sequence[tuple[int, Path]]) -> tuple[tuple[int, str], ...]:
    """Several files by their bare names, or by their paths if two have the same name."""
    if len(starts) == 1:
        return ()
    is_distinct = len({file.name for _, file in starts}) == len(starts)
    return tuple((row, file.name if is_distinct else str(file)) for row, file in starts)
