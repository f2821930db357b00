"""Writes the records of a REST query as rows, in the form of Bulk API 2.0.

That form is CSV with every value quoted, datetimes with `Z`, and null as an empty value. Bulk
results have it already, and every target is made from it (`deliver`). Knows nothing of requests.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import UnexpectedAnswerError
from runner.files import atomic_write
from runner.tables.field_types import FieldKind
from runner.tables.targets.masking import MaskValue
from runner.tables.targets.rest_pages import (
    DatetimesOf,
    Digits,
    FieldPath,
    FormattedPage,
    PageReader,
    bulk_text,
    format_csv,
    lacks,
    parse_records,
    value_at,
)

Record = Mapping[str, object]


class QueryColumn(Struct, frozen=True):
    """One column of a query's result."""

    name: str
    """Its header, as selected: `Name`, `Account.Name`, an alias."""
    kind: FieldKind | None = None
    """None if only the records show it: the result of a function that is not listed."""
    precision: int = 0
    """Digits of a number as described by the org; 0 if unknown."""
    scale: int = 0
    """How many of them are decimals."""
    member: FieldPath = ()
    """Where a record has it; empty if that is `name`."""
    optional: bool = False
    """Whether a record may lack it: a parent by TYPEOF."""
    from_fields: bool = False
    """Whether FIELDS(…) selects it, so that the first record shows if it is there."""
    is_blob: bool = False
    """Whether its values are places of files in the org."""

    @property
    def path(self) -> FieldPath:
        """Where a record has it."""
        return self.member or tuple(self.name.split("."))


class RestWriter:
    """Writes REST records as rows; the file appears when the block ends without an error."""

    def __init__(
        self,
        file: Path,
        columns: Sequence[QueryColumn],
        *,
        is_open: bool = False,
        datetimes: DatetimesOf | None = None,
        masks: Mapping[str, MaskValue] | None = None,
    ) -> None:
        """Prepare to write.

        Args:
            file: Where to write.
            columns: What the query selects.
            is_open: Whether only the first record shows all columns, because of FIELDS(…).
            datetimes: Fields of nested records that hold datetimes.
            masks: What takes the place of values, by the name of the column in lower case.
        """
        self._file = file
        self._is_open = is_open
        self._datetimes = datetimes
        self._masks = masks or {}
        self._masked: list[tuple[int, MaskValue]] = []
        self._columns: tuple[QueryColumn, ...] = tuple(columns)
        self._reader: PageReader | None = None
        self._stack = ExitStack()

    @property
    def columns(self) -> tuple[QueryColumn, ...]:
        """What was written; of a kind that nothing says, what the values were."""
        types = self._reader.types if self._reader else [set[type]() for _ in self._columns]
        return tuple(
            replace(each, kind=_kind_of(seen)) if each.kind is None and seen else each
            for each, seen in zip(self._columns, types, strict=True)
        )

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(atomic_write(self._file))
        self._stream = self._stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        self._rows = csv.writer(self._stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if not self._is_open:
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._reader is None:
                self._begin()  # no record came: what the org describes
        finally:
            self._stack.__exit__(kind, error, trace)

    def _begin(self) -> PageReader:
        self._rows.writerow([column.name for column in self._columns])
        names = [column.name.lower() for column in self._columns]
        self._masked = [(at, self._masks[n]) for at, n in enumerate(names) if n in self._masks]
        read = [(column.path, column.kind) for column in self._columns]
        self._reader = PageReader(read, self._datetimes)
        return self._reader

    def write_page(self, page: bytes) -> int:
        """Append a page of records, the JSON array that the org sent; returns how many they are.

        Raises:
            UnexpectedAnswerError: A record lacks a column.
        """
        texts = self._reader.texts(page) if self._reader and self._columns else None
        if texts is None:
            records = parse_records(page)
            self.write(records)
            return len(records)
        count = len(texts[0])
        for at, mask in self._masked:
            texts[at] = [mask(text) for text in texts[at]]
        if count:
            self._stream.write(format_csv(texts))
        return count

    def formatted(self, answer: bytes) -> FormattedPage | None:
        """Read a whole answer of the query, on whatever thread.

        Returns:
            None if it does not have the shape of the pages that were written before.
        """
        can = self._reader and self._columns and not self._masks
        return self._reader.formatted(answer) if self._reader and can else None

    def write_formatted(self, page: FormattedPage) -> int:
        """Append a page; returns how many records it has."""
        self._stream.flush()
        self._stream.buffer.write(page.csv)
        return page.count

    def write(self, records: Iterable[Record]) -> None:
        """Append records.

        Raises:
            UnexpectedAnswerError: A record lacks a column.
        """
        for record in records:
            reader = self._reader
            if reader is None:
                self._columns = _found_columns(self._columns, record)
                reader = self._begin()
            row = [
                self._cell(record, column, types)
                for column, types in zip(self._columns, reader.types, strict=True)
            ]
            for at, mask in self._masked:
                row[at] = mask(row[at])
            self._rows.writerow(row)

    def _cell(self, record: Record, column: QueryColumn, types: set[type]) -> str:
        value = value_at(record, column.path)
        if value is None and not column.optional and lacks(record, column.path):
            raise _missing(record, column)
        if column.kind is None:
            types.add(type(value))
        return bulk_text(value, column.kind, self._datetimes)


def _missing(record: Record, column: QueryColumn) -> UnexpectedAnswerError:
    member = ".".join(column.path)
    wanted = "" if member == column.name else f" as {member!r}"
    has = ", ".join(key for key in record if key != "attributes")
    return UnexpectedAnswerError(
        f"The query selects {column.name!r}, but a record that the org sent does not have"
        f" it{wanted}; it has: {has or 'nothing'}.",
        hint="Give it an alias if it is the result of a function or of GROUP BY, or remove it from"
        " the query.",
    )


def _found_columns(columns: Sequence[QueryColumn], record: Record) -> tuple[QueryColumn, ...]:
    """The columns of a query with FIELDS(…): in its place, what the first record has besides."""
    own = [each for each in columns if not each.from_fields]
    described = {each.name.lower(): each for each in columns if each.from_fields}
    selected = {each.path[0].lower() for each in own}
    found = [
        described.get(key.lower()) or QueryColumn(key, member=(key,))
        for key in record
        if key != "attributes" and key.lower() not in selected
    ]
    at = next((place for place, each in enumerate(columns) if each.from_fields), len(own))
    return (*own[:at], *found, *own[at:])


def _kind_of(types: Collection[type]) -> FieldKind:
    """The kind of values that nothing describes; what came as text stays text."""
    present = set(types) - {type(None)}
    return next((kind for kind, few in _KINDS if present and present <= few), FieldKind.TEXT)


_KINDS: tuple[tuple[FieldKind, set[type]], ...] = (
    (FieldKind.BOOLEAN, {bool}),
    (FieldKind.INTEGER, {int}),
    (FieldKind.NUMBER, {int, float, Digits}),
    (FieldKind.JSON, {dict, list}),
)
