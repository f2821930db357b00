"""Adds a query's rows to the file that an earlier run has written, or merges them with its rows.

All rows are written to a new file, which replaces the old one as a whole. Knows how a file that was
written by `file` is read again. Knows nothing of where the file goes.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from runner.csv_rows import csv_reader
from runner.errors import StateError
from runner.files import NO_ROOM
from runner.job.endpoints import Compression, FileFormat, FileShape, FileTarget
from runner.tables.database import Database, copy_parquet
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import (
    TypedColumn,
    as_described,
    column_names,
    with_query_rows,
)
from runner.tables.targets.evolution import KeptColumn, join_columns
from runner.tables.targets.file import Columns, write_file
from runner.tables.targets.kept_parquet import join_parquet, parts_of
from runner.tables.targets.merging import FRESH, KEPT, join, load, null_of
from runner.tables.targets.rest_rows import QueryColumn


def write_with_kept(rows: Path, to: Path, target: FileTarget, known: Columns) -> tuple[str, ...]:
    """Write the target's rows and the query's to a file.

    Args:
        rows: Of the query.
        to: Another file than the target's.
        target: Its file is read; it need not exist.
        known: The described columns.

    Returns:
        What changed, for people to read.

    Raises:
        StateError: The file is not what a run has written, a key is blank or doubled, or a type
            does not fit.
    """
    database = open_database(rows.parent)
    database.make_room(len(column_names(rows)))
    try:
        if target.shape.format is FileFormat.PARQUET:
            parts = parts_of(target.path)

            def write(fresh: tuple[TypedColumn, ...]) -> None:
                select, notes[:] = join_parquet(database, rows, target, parts, fresh)
                copy_parquet(database.connection, select, to)

            notes: list[str] = []
            as_described(database, rows, known, write)
            return tuple(notes)
        return _texts(database, rows, to, target, known)
    finally:
        database.close()


def _texts(
    database: Database, rows: Path, to: Path, target: FileTarget, known: Columns
) -> tuple[str, ...]:
    header = column_names(rows)
    plain, merged = rows.with_suffix(".kept"), rows.with_suffix(".merged")
    try:
        names = read_kept(target, plain, header)
        if names:
            with_rows(plain, names, lambda read: load(database, KEPT, map(name, names), read))
        else:
            load(database, KEPT, (), None)
        with_query_rows(rows, lambda read: load(database, FRESH, map(name, header), read))
        columns = join_columns(
            str(target.path),
            [KeptColumn(each, TypedColumn(each, FieldKind.TEXT)) for each in names],
            [TypedColumn(each, FieldKind.TEXT) for each in header],
            target.keeping.schema,
        )
        select, notes = join(database, target, columns, header)
        cells = ", ".join(
            f"{null_of(name(each.written.name))} AS {name(each.written.name)}" for each in columns
        )
        database.connection.execute(
            f"COPY (SELECT {cells} FROM ({select})) TO {literal(str(merged))}"
            " (FORMAT csv, HEADER true, FORCE_QUOTE *, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
        )
        others = [
            QueryColumn(each.written.name, FieldKind.JSON) for each in columns if each.fresh is None
        ]
        write_file(merged, to, target.shape, [*(known or ()), *others])
    finally:
        plain.unlink(missing_ok=True)
        merged.unlink(missing_ok=True)
    return notes


def _has_rows(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False


def read_kept(target: FileTarget, to: Path, header: Sequence[str]) -> list[str]:
    """Write the target's rows in Bulk's form; returns their columns, none if there is no file."""
    if not _has_rows(target.path):
        return []
    try:
        return _rewrite(target, to, header)
    except UnicodeError as error:  # without a byte order mark, it is no UnicodeDecodeError
        raise _unlike(target, f"it is not {target.shape.encoding}") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise _unlike(target, error.strerror or str(error)) from error


def _rewrite(target: FileTarget, to: Path, header: Sequence[str]) -> list[str]:
    is_csv = target.shape.format is FileFormat.CSV
    with to.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        records = _csv_records(target) if is_csv else _json_records(target, header)
        names = next(records, [])
        doubled = [each for each in names if [n.lower() for n in names].count(each.lower()) > 1]
        if doubled or (is_csv and not all(names)):
            what = f"two columns are called {doubled[0]}" if doubled else "a column has no name"
            raise _unlike(target, what)
        out.writerow(names)
        out.writerows(records)
    return names


def _csv_records(target: FileTarget) -> Iterator[list[str]]:
    shape = target.shape
    with _text(target.path, shape) as stream:
        lines = csv_reader(stream, delimiter=shape.delimiter, quotechar=shape.quote, strict=True)
        try:
            names = next(lines, [])
            yield names
            for row, cells in enumerate(lines, start=1):
                if cells and len(cells) != len(names):
                    raise _unlike(
                        target, f"row {row:,} has {len(cells)} values, and the header {len(names)}"
                    )
                if cells:
                    yield cells
        except csv.Error as error:
            raise _unlike(target, f"line {lines.line_num:,}: {error}") from error


def _json_records(target: FileTarget, header: Sequence[str]) -> Iterator[list[str]]:
    """Rows of text; of columns that the query does not have, the JSON as it is."""
    names: dict[str, str] = {}
    for line in _json_lines(target):
        for each in line:
            names.setdefault(each, each)
    yield list(names)
    wanted = {each.lower() for each in header}
    is_text = [each.lower() in wanted for each in names]
    for line in _json_lines(target):
        yield [
            _json_text(line.get(each), is_text=text)
            for each, text in zip(names, is_text, strict=True)
        ]


def _json_text(raw: msgspec.Raw | None, *, is_text: bool) -> str:
    value = b"null" if raw is None else bytes(raw)
    if value == b"null":
        return ""
    if is_text and value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return value.decode()


def _json_lines(target: FileTarget) -> Iterator[dict[str, msgspec.Raw]]:
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    with _text(target.path, target.shape) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise _unlike(target, f"line {number:,}: {error}") from error


def _text(path: Path, shape: FileShape) -> io.TextIOWrapper:
    if shape.compression is Compression.NONE:
        stream: BinaryIO = path.open("rb")
    else:
        from runner.tables.compression import open_compressed

        stream = open_compressed(path, shape.compression)
    is_utf8 = codecs.lookup(shape.encoding).name == "utf-8"
    newline = "" if shape.format is FileFormat.CSV else "\n"
    return io.TextIOWrapper(
        stream, encoding="utf-8-sig" if is_utf8 else shape.encoding, newline=newline
    )


def _unlike(target: FileTarget, why: str) -> StateError:
    return StateError(
        f"{target.path} cannot be read as a run writes it: {why}. It was left as it is.",
        hint="Correct the file or move it away, then run again.",
    )
