"""Writes the records of a REST query as rows, in the form of Bulk API 2.0.

That form is CSV with every value quoted, datetimes with `Z`, and null as an empty value. Bulk
results have it already, and every target is made from it (`deliver`). Knows nothing of requests.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.files import atomic_write
from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_pages import (
    PageReader,
    bulk_text,
    format_csv,
    parse_records,
    value_at,
)

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """One column of a query's result."""

    name: str
    """As selected: `Name`, `Account.Name`, an alias."""
    kind: FieldKind | None = None
    """None for a column without a field: an aggregate, a child query."""
    precision: int = 0
    """Digits of a number as described by the org; 0 if unknown."""
    scale: int = 0
    """How many of them are decimals."""


class RestWriter:
    """Writes REST records as rows; the file appears when the block ends without an error."""

    def __init__(self, file: Path, columns: Sequence[QueryColumn] | None) -> None:
        """Write these columns; None for those of the first record, nested values as JSON."""
        self._file = file
        self._given = columns
        self.columns: tuple[QueryColumn, ...] = tuple(columns or ())
        paths = [(tuple(column.name.split(".")), column.kind) for column in self.columns]
        self._reader = PageReader(paths)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(atomic_write(self._file))
        self._stream = self._stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        self._rows = csv.writer(self._stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if self._given is not None:
            self._rows.writerow([column.name for column in self.columns])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write_page(self, page: bytes) -> int:
        """Append a page of records, the JSON array that the org sent; returns how many they are."""
        texts = self._reader.texts(page) if self._given is not None else None
        if texts is None:
            records = parse_records(page)
            self.write(records)
            return len(records)
        count = len(texts[0])
        if count:
            self._stream.write(format_csv(texts))
        return count

    def write(self, records: Iterable[Record]) -> None:
        """Append records."""
        for record in records:
            if self._given is None and not self.columns:
                self.columns = tuple(QueryColumn(key) for key in record if key != "attributes")
                self._rows.writerow([column.name for column in self.columns])
            self._rows.writerow([self._cell(record, column) for column in self.columns])

    def _cell(self, record: Record, column: QueryColumn) -> str:
        path = (column.name,) if self._given is None else tuple(column.name.split("."))
        return bulk_text(value_at(record, path), column.kind)
