"""A query's rows as a folder of files, parted by values or by size.

The folder takes its place whole: it is written beside, then changes places with the old one.
Knows folders. Knows nothing of how rows become cells (`file_writing`, `typed`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StateError
from runner.files import delete_strays, sync, sync_folder, temporary_path, unwritable
from runner.job.endpoints import Compression, FileFormat, FolderTarget
from runner.tables.sql import literal, name
from runner.tables.targets.column_types import (
    TypedColumn,
    header_of_rows,
    relation,
    typed_cell,
    typed_columns,
    typing_database,
    widened,
)
from runner.tables.targets.file import Columns, json_line, told_of

_ENDINGS = {Compression.NONE: "", Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}


def write_folder(rows: Path, target: FolderTarget, columns: Columns) -> None:
    """Write rows into a folder's files.

    Raises:
        StateError: A column to part by is not there, or the folder holds files of another kind.
    """
    ending = f".{target.shape.format}{_ENDINGS[target.shape.compression]}"
    _check_columns(rows, target)
    _check_ours(target.path, ending)
    with _atomic_folder(target.path) as beside, told_of(target.path):
        database = typing_database(rows.parent)
        try:
            typed = widened(database, rows, typed_columns(rows, columns))
            query = f"SELECT {_cells(target, typed, columns)} FROM {relation(rows)}"
            options = ", ".join(_options(target, ending.removeprefix(".")))
            database.connection.execute(f"COPY ({query}) TO {literal(str(beside))} ({options})")
        finally:
            database.close()


def _cells(target: FolderTarget, typed: tuple[TypedColumn, ...], columns: Columns) -> str:
    parts = {each.lower() for each in target.partition_by}
    if target.shape.format is FileFormat.PARQUET:
        cells = {each.name: typed_cell(each) for each in typed}
    else:
        cells = {each.name: f"coalesce({name(each.name)}, '')" for each in typed}
    # Folders are named by the texts of the values.
    cells |= {each.name: name(each.name) for each in typed if each.name.lower() in parts}
    if target.shape.format is FileFormat.JSONL:
        own = [each.name for each in typed if each.name.lower() not in parts]
        named = {each: cells[each] for each in cells if each not in own}
        cells = {"line": json_line(own, columns)} | named
    return ", ".join(f"{cell} AS {name(column)}" for column, cell in cells.items())


def _options(target: FolderTarget, ending: str) -> Iterator[str]:
    form = target.shape.format
    if form is FileFormat.PARQUET:
        yield "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
    else:
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


def _check_columns(rows: Path, target: FolderTarget) -> None:
    header = header_of_rows(rows)
    known = {each.lower() for each in header}
    missing = [each for each in target.partition_by if each.lower() not in known]
    if missing:
        raise StateError(
            f"{target.path}: the query has no column {missing[0]!r} to part its rows by.",
            hint=f"It has: {', '.join(header)}.",
        )
    if len(target.partition_by) >= len(header):
        raise StateError(
            f"{target.path}: no column is left besides those that rows are parted by.",
            hint="Select one more, or take one out of `partition_by`.",
        )


def _check_ours(folder: Path, ending: str) -> None:
    """Only a folder that a run may have written is replaced."""
    if not folder.exists():
        return
    files = (each for each in folder.rglob("*") if not each.is_dir())
    foreign = next((each for each in files if not each.name.endswith(ending)), None)
    if foreign is not None:
        raise StateError(
            f"{folder} is not replaced: {foreign.relative_to(folder)} in it is no {ending} file.",
            hint="Name a folder in `to` that the run has for itself.",
        )


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    beside, old = temporary_path(folder), temporary_path(folder, "old")
    delete_strays(folder)
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield beside
        for each in (*beside.rglob("*"), beside):
            sync(each)
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
        sync_folder(folder.parent)
        delete_strays(folder, "old")
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
