"""A query's rows in one form, whichever API brought them.

That form is Bulk API 2.0's own CSV: every value quoted, datetimes with `Z`, null as an empty
value. REST pages are written in it, Bulk results are in it already, and every target is made of
it (`delivery`). Knows nothing of requests.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.tables.atomic import written_whole
from runner.tables.kinds import FieldKind

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
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        beside = self._stack.enter_context(written_whole(self._file))
        stream = self._stack.enter_context(beside.open("w", encoding="utf-8", newline=""))
        self._rows = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
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

    def write(self, records: Iterable[Record]) -> None:
        """Append a page of records."""
        for record in records:
            if self._given is None and not self.columns:
                self.columns = tuple(QueryColumn(key) for key in record if key != "attributes")
                self._rows.writerow([column.name for column in self.columns])
            self._rows.writerow([self._cell(record, column) for column in self.columns])

    def _cell(self, record: Record, column: QueryColumn) -> str:
        path = (column.name,) if self._given is None else tuple(column.name.split("."))
        return _text(_at(record, path), column.kind)


def _at(record: Record, path: tuple[str, ...]) -> object:
    """The value at the end of a path; None where a parent is missing."""
    value: object = record
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value[step] if step in value else _in_any_case(value, step)
    return value


def _in_any_case(record: Mapping[str, object], step: str) -> object:
    """Field names come back in the org's letter case, whatever the query's was."""
    wanted = step.lower()
    return next((value for key, value in record.items() if key.lower() == wanted), None)


def _text(value: object, kind: FieldKind | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return json.dumps(_without_attributes(value), ensure_ascii=False)
    text = str(value)
    if kind is FieldKind.DATETIME and text.endswith("+0000"):
        return text.removesuffix("+0000") + "Z"
    if kind is FieldKind.NUMBER and text.lstrip("-").isdigit():
        return f"{text}.0"
    return text


def _without_attributes(value: object) -> object:
    if isinstance(value, Mapping):
        return {k: _without_attributes(each) for k, each in value.items() if k != "attributes"}
    return [_without_attributes(each) for each in value] if isinstance(value, list) else value
