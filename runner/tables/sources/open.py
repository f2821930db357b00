"""Opens a source, whatever its format and place, as the records that the rest reads.

Knows formats, patterns, standard input. A format beside CSV is put down as plain CSV first. Knows
nothing of mapping.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from glob import glob
from pathlib import Path, PurePosixPath

from runner.errors import SourceError
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseSource,
    FileFormat,
    FileShape,
    FileSource,
    shown_url,
)
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.csv import (
    PLAIN_CSV,
    Records,
    RowsSource,
    called,
    open_csv,
    own_columns,
    size_of,
)
from runner.tables.sources.csv_normalize import respell_csv
from runner.tables.sources.json import JsonObject, json_array, json_cell, json_lines
from runner.tables.sources.spool import spool_records

_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """SQL over rows of other tasks and files."""

    sql: str
    tables: Mapping[str, FileSource | RowsSource]
    params: Mapping[str, object] = field(default_factory=dict)
    """Values of the binds in the SQL."""


AnySource = FileSource | RowsSource | DatabaseSource | JoinedSource


def columns_beforehand(source: FileSource) -> tuple[str, ...] | None:
    """Tell a source's columns at little cost; None where only reading it would.

    Raises:
        SourceError: The file cannot be read, or its header is wrong.
    """
    if source.url is not None or source.path == STANDARD_STREAM:
        return None
    first = _files(source.path)[0]
    size_of(first)
    if source.shape.format is FileFormat.CSV:
        return own_columns(open_csv(first, source.shape).columns)
    if source.shape.format is FileFormat.PARQUET:
        from runner.tables.sources.parquet import parquet_columns

        return own_columns(parquet_columns(first))
    return None


def open_source(source: AnySource, folder: Path, disk: Disk = UNBOUNDED) -> tuple[Records, ...]:
    """Open a source; each of the records has the columns of the first, in an order of its own.

    Args:
        source: Where the rows are.
        folder: Where to put what must be put down.
        disk: How much that may be.

    Raises:
        SourceError: It cannot be read, or says what it cannot mean.
        StorageError: What must be put down takes more of the disk than it may.
    """
    if isinstance(source, RowsSource):
        return (open_csv(source.path, PLAIN_CSV),)
    if isinstance(source, FileSource):
        return _opened_files(source, folder, disk)
    if isinstance(source, DatabaseSource):
        from runner.tables.sources.database import read_database

        return (read_database(source, folder / "rows.csv", disk),)
    from runner.tables.sources.sql_join import read_joined

    return (read_joined(source, folder, disk),)


def notes_of(opened: Sequence[Records]) -> tuple[str, ...]:
    """What a person should know of how a source was read."""
    return tuple(note for records in opened for note in records.notes)


def _noted(opened: Sequence[Records]) -> tuple[Records, ...]:
    """Files whose notes name them; what is alike is said once, by the first."""
    named: dict[str, list[str]] = {}
    for records in opened:
        for note in records.notes:
            named.setdefault(note, []).append(records.path.name)
    notes = tuple(
        f"{names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''}: {note}"
        for note, names in named.items()
    )
    return tuple(
        replace(records, notes=() if place else notes) for place, records in enumerate(opened)
    )


def _opened_files(source: FileSource, folder: Path, disk: Disk) -> tuple[Records, ...]:
    files = _local_files(source, folder)
    if source.url is None:
        return _read_files(source, files, folder, disk)
    disk.grew(size_of(files[0]))
    place = shown_url(source.url)
    with called(place, files[0]):
        opened = _read_files(replace(source, path=files[0]), files, folder, disk)
    return tuple(replace(records, place=place) for records in opened)


def _read_files(
    source: FileSource, files: list[Path], folder: Path, disk: Disk
) -> tuple[Records, ...]:
    for file in files:
        size_of(file)
    shape = source.shape
    if shape.format in _NAMED:
        read_named = _NAMED[shape.format]
        begun: list[tuple[int, Path]] = []
        found = _one_by_one(files, lambda file: read_named(file, shape), begun)
        records = spool_records(source.path, found, json_cell, folder / "rows.csv", disk)
        return (replace(records, shape=_spelled(shape), files=tuple(begun)),)
    read = _READERS[shape.format]
    opened = tuple(
        read(file, shape, folder / f"rows-{number}.csv", disk) for number, file in enumerate(files)
    )
    for each in opened[1:]:
        _check_same(opened[0], each)
    return _noted(opened)


def _one_by_one(
    files: Sequence[Path],
    read: Callable[[Path], Iterator[JsonObject]],
    begun: list[tuple[int, Path]],
) -> Iterator[JsonObject]:
    """Give the records of many files; notes for each file how many stand before it."""
    number = 0
    for file in files:
        begun.append((number, file))
        for record in read(file):
            number += 1
            yield record


def _spelled(shape: FileShape) -> FileShape:
    """Plain CSV with the values as the source writes them."""
    said = shape.decimal, shape.dates, shape.datetimes
    return replace(PLAIN_CSV, decimal=said[0], dates=said[1], datetimes=said[2])


def _local_files(source: FileSource, folder: Path) -> list[Path]:
    """The files of a source on this machine."""
    if source.path == STANDARD_STREAM:
        return [_from_standard_input(folder / "standard-input")]
    if source.url is not None:
        from runner.tables.remote import fetch

        name = PurePosixPath(shown_url(source.url)).name or "fetched"
        (folder / "fetched").mkdir(parents=True, exist_ok=True)
        return [fetch(source.url, folder / "fetched" / name)]
    return _files(source.path)


def _files(path: Path) -> list[Path]:
    """The file of that name, or all that are like it, by name."""
    if path.exists() or not any(sign in str(path) for sign in "*?["):
        return [path]
    found = sorted(glob(str(path), recursive=True))  # noqa: PTH207 - the pattern is absolute
    files = [file for file in map(Path, found) if file.is_file()]
    if not files:
        raise SourceError(f"No file is like {path}.", hint="Check the pattern in `from`.")
    return files


def _from_standard_input(to: Path) -> Path:
    """Put standard input down, so that it can be looked at twice."""
    if sys.stdin is None or sys.stdin.closed:
        raise SourceError(
            "Standard input has been read already, or there is none.",
            hint="One task of one job can read it: put its rows into a file.",
        )
    if sys.stdin.isatty():
        raise SourceError(
            "Standard input is a terminal, not rows.",
            hint="Pipe them in: `cat accounts.csv | runner run job.yaml`.",
        )
    with to.open("wb") as out:
        shutil.copyfileobj(sys.stdin.buffer, out, _COPY_BYTES)
    sys.stdin.close()
    return to


def _read_csv(file: Path, shape: FileShape, _to: Path, _disk: Disk) -> Records:
    records = open_csv(file, shape)
    return replace(records, respell=partial(respell_csv, file, records.shape))


def _read_parquet(file: Path, _shape: FileShape, to: Path, disk: Disk) -> Records:
    from runner.tables.sources.parquet import read_parquet

    records = read_parquet(file, to)
    disk.grew(size_of(to))
    return records


def _read_excel(file: Path, shape: FileShape, to: Path, disk: Disk) -> Records:
    from runner.tables.sources.excel import read_excel

    return read_excel(file, shape.sheet, to, disk)


def _read_xml(file: Path, shape: FileShape) -> Iterator[JsonObject]:
    from runner.tables.sources.xml import xml_records

    return xml_records(file, shape)


_NAMED: Mapping[FileFormat, Callable[[Path, FileShape], Iterator[JsonObject]]] = {
    FileFormat.JSONL: json_lines,
    FileFormat.JSON: json_array,
    FileFormat.XML: _read_xml,
}
"""Formats whose records name their columns one by one: many files have the columns of all."""

_READERS: Mapping[FileFormat, Callable[[Path, FileShape, Path, Disk], Records]] = {
    FileFormat.CSV: _read_csv,
    FileFormat.PARQUET: _read_parquet,
    FileFormat.EXCEL: _read_excel,
}
"""Formats whose columns are told once: many files have the columns of the first."""


def _check_same(first: Records, other: Records) -> None:
    missing = _listed(first.columns, other.columns)
    added = _listed(other.columns, first.columns)
    if missing or added:
        what = [f"lacks {missing}" if missing else "", f"has {added} besides" if added else ""]
        raise SourceError(
            f"{other.path}: its columns are not those of {first.path}: it"
            f" {' and '.join(filter(None, what))}.",
            hint="Files of one pattern have the same columns, in any order.",
        )


def _listed(columns: Sequence[str], others: Sequence[str]) -> str:
    return ", ".join(column for column in columns if column not in others)
