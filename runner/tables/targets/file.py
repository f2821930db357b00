"""Writes a query's rows as a file of any format, compressed if wanted.

Knows formats. Knows nothing of where the file goes.
"""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import Compression, FileFormat, FileShape
from runner.tables.database import IN_PLACE, Database, copy_parquet, storage_errors
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.sql import literal, name
from runner.tables.targets.arrow_rows import with_typed_query
from runner.tables.targets.column_types import (
    TypedColumn,
    as_described,
    column_names,
    with_query_rows,
)
from runner.tables.targets.json_lines import json_line, write_json_lines
from runner.tables.targets.rest_rows import QueryColumn

_COPY_BYTES = 1 << 20
Columns = Sequence[QueryColumn] | None
Writer = Callable[[Path, Path, FileShape, Columns], None]
"""Writes rows to a file of a shape; columns are as described."""


@contextmanager
def target_errors(to: Path) -> Iterator[None]:
    """Raise StateError that names the target instead of the temporary file."""
    with storage_errors(f"{to} cannot be written"):
        try:
            yield
        except UnicodeEncodeError as error:
            raise StateError(
                f"{to}: {error.encoding} has no character for {error.object[error.start]!r}.",
                hint="Write `encoding: utf-8` in `to`.",
            ) from error


def is_plain(shape: FileShape) -> bool:
    """Whether rows in Bulk API 2.0's form already have this shape."""
    return (
        shape.format is FileFormat.CSV
        and (shape.delimiter, shape.quote) == (PLAIN_CSV.delimiter, PLAIN_CSV.quote)
        and _is_utf8(shape.encoding)
    )


def write_file(rows: Path, to: Path, shape: FileShape, columns: Columns) -> None:
    """Write rows in any format, compressed if the shape says so."""
    if shape.compression is Compression.NONE:
        _WRITERS[shape.format](rows, to, shape, columns)
        return
    temporary = rows.with_suffix(".uncompressed")
    try:
        _WRITERS[shape.format](rows, temporary, shape, columns)
        from runner.tables.compression import write_compressed

        with temporary.open("rb") as read, write_compressed(to, shape.compression) as write:
            shutil.copyfileobj(read, write, _COPY_BYTES)
    finally:
        temporary.unlink(missing_ok=True)


def _csv(rows: Path, to: Path, shape: FileShape, _columns: Columns) -> None:
    if (shape.delimiter, shape.quote) == (PLAIN_CSV.delimiter, PLAIN_CSV.quote):
        _transcode(rows, to, shape.encoding)
        return
    options = (
        f"FORMAT csv, HEADER true, DELIMITER {literal(shape.delimiter)},"
        f" QUOTE {literal(shape.quote)}, ESCAPE {literal(shape.quote)}, FORCE_QUOTE *"
    )
    # A blank is written as two quotes, as Bulk does: one NULL alone would be an empty line.
    cells = (f"coalesce({name(c)}, '') AS {name(c)}" for c in column_names(rows))
    _copy(rows, to, f"SELECT {', '.join(cells)}", options, shape.encoding)


def _json_lines(rows: Path, to: Path, shape: FileShape, columns: Columns) -> None:
    if _is_utf8(shape.encoding) and write_json_lines(rows, to, columns):
        return
    line = json_line(column_names(rows), columns)
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f'"
    _copy(rows, to, f"SELECT {line}", options, shape.encoding)


def _json_array(rows: Path, to: Path, shape: FileShape, columns: Columns) -> None:
    temporary = rows.with_suffix(".lines")
    try:
        _json_lines(rows, temporary, replace(shape, encoding="utf-8"), columns)
        with (
            temporary.open(encoding="utf-8", newline="\n") as lines,
            to.open("w", encoding=shape.encoding, newline="") as out,
        ):
            separator = "[\n"
            for line in lines:
                out.write(separator + line.removesuffix("\n"))
                separator = ",\n"
            out.write("[]\n" if separator == "[\n" else "\n]\n")
    finally:
        temporary.unlink(missing_ok=True)


def _parquet(rows: Path, to: Path, _shape: FileShape, columns: Columns) -> None:
    from runner.tables.staging.canonical_values import open_database

    database = open_database(rows.parent)
    try:
        as_described(
            database, rows, columns, lambda typed: _copy_parquet(database, rows, to, typed)
        )
    finally:
        database.close()


def _excel(rows: Path, to: Path, shape: FileShape, columns: Columns) -> None:
    from runner.tables.targets.excel import write_excel

    write_excel(rows, to, shape.sheet, columns)


def _xml(rows: Path, to: Path, shape: FileShape, _columns: Columns) -> None:
    from runner.tables.targets.xml import write_xml

    write_xml(rows, to, shape.record)


def _copy_parquet(database: Database, rows: Path, to: Path, columns: Sequence[TypedColumn]) -> None:
    with_typed_query(
        database, rows, columns, lambda query: copy_parquet(database.connection, query, to)
    )


def _copy(rows: Path, to: Path, select: str, options: str, encoding: str) -> None:
    """Write the file with DuckDB as UTF-8, then convert it to another encoding if needed."""
    temporary = to if _is_utf8(encoding) else rows.with_suffix(".utf8")
    database = Database(rows.parent)
    database.make_room(len(column_names(rows)))
    try:
        to_file = f"TO {literal(str(temporary))} ({options}{IN_PLACE})"
        with_query_rows(
            rows, lambda read: database.connection.execute(f"COPY ({select} FROM {read}) {to_file}")
        )
        if temporary != to:
            _transcode(temporary, to, encoding)
    finally:
        database.close()
        if temporary != to:
            temporary.unlink(missing_ok=True)


def _transcode(rows: Path, to: Path, encoding: str) -> None:
    if _is_utf8(encoding):
        with rows.open("rb") as same, to.open("wb") as out:
            shutil.copyfileobj(same, out, _COPY_BYTES)
        return
    with (
        rows.open(encoding="utf-8", newline="") as read,
        to.open("w", encoding=encoding, newline="") as write,
    ):
        shutil.copyfileobj(read, write, _COPY_BYTES)


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


_WRITERS: Mapping[FileFormat, Writer] = {
    FileFormat.CSV: _csv,
    FileFormat.JSONL: _json_lines,
    FileFormat.JSON: _json_array,
    FileFormat.PARQUET: _parquet,
    FileFormat.EXCEL: _excel,
    FileFormat.XML: _xml,
}
