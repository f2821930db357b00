"""Writes a query's rows as a folder of files, partitioned by values or split by size.

The folder is replaced as a whole: it is written under a temporary name, then swapped with the old
one. Knows folders. Knows nothing of how cells are written (`file`, `column_types`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from runner.errors import StateError
from runner.files import (
    Stamp,
)
from runner.folders import atomic_folder
from runner.job.endpoints import Compression, FileFormat, FolderTarget, TableMode
from runner.tables.database import Database, copy_parquet
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import open_database
from runner.tables.targets.column_types import (
    TypedColumn,
    column_names,
    typed_cell,
    typed_columns,
    widen,
    with_query_rows,
)
from runner.tables.targets.file import Columns, target_errors
from runner.tables.targets.json_lines import json_line
from runner.tables.targets.kept_parquet import join_parquet, parts_of
from runner.tables.targets.landing import Landing, replacing

_ENDINGS = {Compression.NONE: "", Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}


def write_folder(
    rows: Path,
    target: FolderTarget,
    columns: Columns,
    landing: Callable[[Landing], None] = lambda _landing: None,
) -> tuple[str, ...]:
    """Write rows into a folder's files, with those that it keeps.

    `landing` is called just before the folder with both takes the place of the old one.

    Returns:
        What became of the rows that the folder had, for people to read.

    Raises:
        StateError: A `partition_by` column is missing, or the folder has files of another kind; or
            it keeps its rows, and a key is blank or doubled, or a type does not fit.
    """
    ending = f".{target.shape.format}{_ENDINGS[target.shape.compression]}"
    check_partitions(rows, target)
    _check_replaceable(target.path, ending)
    with atomic_folder(target.path) as beside, target_errors(target.path):
        database = open_database(rows.parent)
        try:
            typed = widen(database, rows, typed_columns(rows, columns))
            if target.mode is not TableMode.REPLACE:
                notes = _write_with_kept(database, rows, target, typed, beside)
                landing(replacing(beside, target.path))
                return notes
            query = f"SELECT {_cells(target, typed, columns)} FROM"
            options = ", ".join(copy_options(target, ending.removeprefix(".")))

            def write(read: str) -> None:
                if target.shape.format is FileFormat.PARQUET:
                    copy_parquet(database.connection, f"{query} {read}", beside, f", {options}")
                else:
                    copy = f"COPY ({query} {read}) TO {literal(str(beside))} ({options})"
                    database.connection.execute(copy)

            with_query_rows(rows, write)
        finally:
            database.close()
    return ()


def _write_with_kept(
    database: Database,
    rows: Path,
    target: FolderTarget,
    typed: tuple[TypedColumn, ...],
    beside: Path,
) -> tuple[str, ...]:
    """Write a new folder of Parquet files, with the rows that the old one has."""
    partitions = {each.lower() for each in target.partition_by}
    fresh = [
        TypedColumn(each.name, FieldKind.TEXT) if each.name.lower() in partitions else each
        for each in typed
    ]
    seen = _version(target.path)
    select, notes = join_parquet(database, rows, target, parts_of(target.path), fresh)
    options = ", ".join(copy_options(target, str(target.shape.format)))
    copy_parquet(database.connection, select, beside, f", {options}")
    if _version(target.path) != seen:
        raise StateError(
            f"{target.path} was changed by another program meanwhile; nothing was written.",
            hint="Run again when nothing else writes it.",
        )
    return notes


def _version(folder: Path) -> dict[Path, Stamp]:
    """What changes when a folder does."""
    return {each: Stamp.of(each.stat()) for each in folder.rglob("*") if each.is_file()}


def _cells(target: FolderTarget, typed: tuple[TypedColumn, ...], columns: Columns) -> str:
    partitions = {each.lower() for each in target.partition_by}
    if target.shape.format is FileFormat.PARQUET:
        cells = {each.name: typed_cell(each) for each in typed}
    else:
        cells = {each.name: f"coalesce({name(each.name)}, '')" for each in typed}
    # Folders are named after the texts of the values.
    cells |= {each.name: name(each.name) for each in typed if each.name.lower() in partitions}
    if target.shape.format is FileFormat.JSONL:
        own = [each.name for each in typed if each.name.lower() not in partitions]
        named = {each: cells[each] for each in cells if each not in own}
        cells = {"line": json_line(own, columns)} | named
    return ", ".join(f"{cell} AS {name(column)}" for column, cell in cells.items())


def copy_options(target: FolderTarget, ending: str) -> Iterator[str]:
    """The options of DuckDB's COPY into a folder; files end with `ending`."""
    form = target.shape.format
    # Whatever a failed attempt has left is replaced.
    yield "OVERWRITE true"
    if form is not FileFormat.PARQUET:
        yield f"FORMAT csv, COMPRESSION {target.shape.compression}"
        quoted = form is FileFormat.CSV
        yield (
            "HEADER true, FORCE_QUOTE *"
            if quoted
            else ("HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f'")
        )
    yield f"FILE_EXTENSION {literal(ending)}, FILENAME_PATTERN 'part-{{i}}'"
    if target.partition_by:
        yield f"PARTITION_BY ({', '.join(map(name, target.partition_by))})"
    if target.split_bytes:
        yield f"FILE_SIZE_BYTES {target.split_bytes}"
    elif not target.partition_by:
        yield "PER_THREAD_OUTPUT true"


def check_partitions(rows: Path, target: FolderTarget) -> None:
    """Refuse columns to partition by that the rows do not have, and those that leave none.

    Raises:
        StateError: Names the column.
    """
    header = column_names(rows)
    known = {each.lower() for each in header}
    missing = [each for each in target.partition_by if each.lower() not in known]
    if missing:
        raise StateError(
            f"{target.path}: the query has no column {missing[0]!r} to partition by.",
            hint=f"It has: {', '.join(header)}.",
        )
    if len(target.partition_by) >= len(header):
        raise StateError(
            f"{target.path}: no column is left besides those in `partition_by`.",
            hint="Select another column, or remove one from `partition_by`.",
        )


def _check_replaceable(folder: Path, ending: str) -> None:
    """Refuse to replace a folder that a run cannot have written."""
    if not folder.exists():
        return
    files = (each for each in folder.rglob("*") if not each.is_dir())
    foreign = next((each for each in files if not each.name.endswith(ending)), None)
    if foreign is not None:
        raise StateError(
            f"{folder} was not replaced: it contains {foreign.relative_to(folder)}, not only"
            f" {ending} files.",
            hint="Name a folder in `to` that nothing else uses.",
        )
