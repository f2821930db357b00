"""A query's rows into a file: one form in between, whichever API brought them.

That form is Bulk API 2.0's own CSV: every value quoted, datetimes with `Z`, null as an empty
value. REST pages are written in it, Bulk results are in it already, and every target is made of
it. Knows forms and files. Knows nothing of requests.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.errors import StateError
from runner.job.model import FileFormat, FileShape, FileTarget
from runner.tables.atomic import unwritable, written_whole
from runner.tables.csv_sql import read_csv
from runner.tables.database import Database, state_errors
from runner.tables.kinds import FieldKind
from runner.tables.sql import literal, name

_JSON_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
LONGEST_ROW_BYTES = 4_000_000
_COPY_BYTES = 1 << 20
_ROWS = FileShape(FileFormat.CSV)
Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """One column of a query's result."""

    name: str
    """As selected: `Name`, `Account.Name`, an alias."""
    kind: FieldKind | None = None
    """None where no field stands behind it: an aggregate, a child query."""


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


def deliver(
    rows: Path, target: FileTarget, columns: Sequence[QueryColumn] | None, *, keep: bool
) -> None:
    """Make a target of a query's rows; it appears whole or not at all.

    Args:
        rows: In Bulk's form.
        target: What the job asks for.
        columns: What is known of the columns; of others, JSON stays JSON and the rest is text.
        keep: Whether `rows` is still needed afterwards.

    Raises:
        StateError: The target cannot be written, or its encoding lacks a character.
    """
    shape = target.shape
    if shape.format is FileFormat.JSONL:
        _write_lines(rows, target.path, {each.name: each.kind for each in columns or ()})
    elif (shape.delimiter, shape.quote) != (_ROWS.delimiter, _ROWS.quote):
        _write_csv(rows, target.path, shape)
    elif not _is_utf8(shape):
        _transcode(rows, target.path, shape.encoding)
    elif keep:
        _copy(rows, target.path)
    else:
        _move(rows, target.path)
        return
    if not keep:
        rows.unlink(missing_ok=True)


def _write_lines(rows: Path, to: Path, kinds: Mapping[str, FieldKind | None]) -> None:
    header = _header(rows)
    # Put together as text: DuckDB's own JSON writer passes numbers through a double.
    members = (literal(f"{json.dumps(c)}:") + f" || {_json(c, kinds.get(c))}" for c in header)
    line = " || ',' || ".join(members) or "''"
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f'"
    _through_duckdb(rows, header, to, f"SELECT '{{' || {line} || '}}'", options)


def _json(column: str, kind: FieldKind | None) -> str:
    """Write the SQL of a cell as JSON text; a number keeps its digits."""
    cell = name(column)
    text = f"CAST(to_json({cell}) AS VARCHAR)"
    as_it_stands = {
        FieldKind.BOOLEAN: f"{cell} IN ('true', 'false')",
        FieldKind.INTEGER: f"regexp_full_match({cell}, {literal(_JSON_NUMBER)})",
        FieldKind.NUMBER: f"regexp_full_match({cell}, {literal(_JSON_NUMBER)})",
        None: f"json_valid({cell}) AND NOT contains({cell}, chr(10))",
    }.get(kind, "false")
    return f"CASE WHEN {cell} IS NULL THEN 'null' WHEN {as_it_stands} THEN {cell} ELSE {text} END"


def _write_csv(rows: Path, to: Path, shape: FileShape) -> None:
    header = _header(rows)
    options = (
        f"FORMAT csv, HEADER true, DELIMITER {literal(shape.delimiter)},"
        f" QUOTE {literal(shape.quote)}, ESCAPE {literal(shape.quote)}, FORCE_QUOTE *"
    )
    # A blank is written as two quotes, as Bulk does: NULL would make a row of one blank no row.
    cells = ", ".join(f"coalesce({name(c)}, '') AS {name(c)}" for c in header)
    if _is_utf8(shape):
        _through_duckdb(rows, header, to, f"SELECT {cells}", options)
        return
    between = rows.with_suffix(".shaped")
    try:
        _through_duckdb(rows, header, between, f"SELECT {cells}", options)
        _transcode(between, to, shape.encoding)
    finally:
        between.unlink(missing_ok=True)


def _through_duckdb(rows: Path, header: Sequence[str], to: Path, select: str, options: str) -> None:
    read = read_csv(rows, header, _ROWS, longest_row_bytes=LONGEST_ROW_BYTES, header=True)
    database = Database(rows.parent)
    try:
        with state_errors(f"{to} cannot be written"), written_whole(to) as beside:
            query = f"COPY ({select} FROM {read}) TO {literal(str(beside))} ({options})"
            database.connection.execute(query)
    finally:
        database.close()


def _header(rows: Path) -> list[str]:
    with rows.open(encoding="utf-8", newline="") as stream:
        return next(csv.reader(stream), [])


def _is_utf8(shape: FileShape) -> bool:
    return shape.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}


def _transcode(rows: Path, to: Path, encoding: str) -> None:
    try:
        with (
            written_whole(to) as beside,
            rows.open(encoding="utf-8", newline="") as read,
            beside.open("w", encoding=encoding, newline="") as write,
        ):
            shutil.copyfileobj(read, write, _COPY_BYTES)
    except UnicodeEncodeError as error:
        raise StateError(
            f"{to}: {encoding} has no character for {error.object[error.start]!r}.",
            hint="Write `encoding: utf-8` in `to`.",
        ) from error


def _copy(rows: Path, to: Path) -> None:
    with written_whole(to) as beside, rows.open("rb") as read, beside.open("wb") as write:
        shutil.copyfileobj(read, write, _COPY_BYTES)


def _move(rows: Path, to: Path) -> None:
    """Rename it into place; across disks a copy does the same."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        rows.chmod(0o666 & ~_umask())
        os.replace(rows, to)  # noqa: PTH105 - its errno tells another disk
    except OSError as error:
        if error.errno != _OTHER_DISK:
            raise unwritable(to, error) from error
        _copy(rows, to)
        rows.unlink()


_OTHER_DISK = 18


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
