"""A query's rows in one form, whichever API brought them.

That form is Bulk API 2.0's own CSV: every value quoted, datetimes with `Z`, null as an empty
value. REST pages are written in it, Bulk results are in it already, and every target is made of
it (`delivery`). Knows nothing of requests.
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
from runner.tables.targets.rest_pages import PageReader, csv_of, records_of, text_of, value_at

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """One column of a query's result."""

    name: str
    """As selected: `Name`, `Account.Name`, an alias."""
    kind: FieldKind | None = None
    """None where no field stands behind it: an aggregate, a child query."""
    precision: int = 0
    """Digits of a number, as the org describes them; 0 where it does not."""
    scale: int = 0
    """How many of them stand after the point."""


class RestWriter:
    """Writes REST records as rows; the file appears when the block ends well."""

    def __init__(self, file: Path, columns: Sequence[QueryColumn] | None) -> None:
        """Take the columns; None: those of the first record, nested ones as JSON."""
        self._file = file
        self._given = columns
        self.columns: tuple[QueryColumn, ...] = tuple(columns or ())
        paths = [(tuple(column.name.split(".")), column.kind) for column in self.columns]
        self._reader = PageReader(paths)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        beside = self._stack.enter_context(atomic_write(self._file))
        self._stream = self._stack.enter_context(beside.open("w", encoding="utf-8", newline=""))
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
        """Append a page of records, a JSON array as the org gave it; says how many they are."""
        texts = self._reader.texts(page) if self._given is not None else None
        if texts is None:
            records = records_of(page)
            self.write(records)
            return len(records)
        count = len(texts[0])
        if count:
            self._stream.write(csv_of(texts))
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
        return text_of(value_at(record, path), column.kind)
