"""Opens a source of any format and place as records.

Knows formats, file patterns and standard input. Formats other than CSV are written as plain CSV
first. Knows nothing of mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from glob import glob
from itertools import count, islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

from msgspec.structs import replace

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
    STANDARD_INPUT,
    Records,
    RowsSource,
    encoding_note,
    normalized,
    open_csv,
    own_columns,
    plain_csv,
    shown_as,
    size_of,
)
from runner.tables.sources.header import (
    EmptySourceError,
    MergedColumns,
    check_header,
    check_same_columns,
    empty,
)
from runner.tables.sources.json import (
    JsonObject,
    TypedColumns,
    json_array,
    json_cell,
    json_lines,
)
from runner.tables.sources.spool import hide_null_parents, spool_records
from runner.tables.sources.sql_join import JoinedSource, read_joined
from runner.tables.sources.value_texts import with_nan_as_written
from runner.tables.sql import BLANKS

Result = TypeVar("Result")

ReadFile = Callable[[Path, FileShape, Path, Disk], Records]
AnySource = FileSource | RowsSource | DatabaseSource | JoinedSource


def read_columns(source: FileSource) -> tuple[str, ...] | None:
    """Read a source's columns; None if that takes reading all of it.

    Raises:
        SourceError: The file cannot be read, or its header is invalid.
    """
    if source.url is not None or source.path == STANDARD_STREAM:
        return None
    if source.shape.format is FileFormat.CSV:
        return _common_columns(source, lambda file: open_csv(file, source.shape).columns)
    if source.shape.format is FileFormat.PARQUET:
        from runner.tables.sources.parquet import parquet_columns

        return _common_columns(source, parquet_columns)
    if source.shape.format is FileFormat.DELTA:
        from runner.tables.sources.delta import delta_columns

        return own_columns(check_header(source.path, delta_columns(source.path)))
    if source.shape.format is FileFormat.EXCEL:
        from runner.tables.sources.excel import excel_header

        return _common_columns(source, lambda file: excel_header(file, source.shape))
    return None


def _common_columns(source: FileSource, read: Callable[[Path], tuple[str, ...]]) -> tuple[str, ...]:
    """The own columns of a source's files, which all have the same.

    Raises:
        SourceError: All of them are empty, among other reasons.
    """
    files = _with_rows(_files(source.path), source.shape)
    found = [(file, check_header(file, columns)) for file, columns in _read_each(files, read)]
    found = [each for each in found if each[1]]
    if not found:
        raise empty(source.path)
    (first, expected), *others = found
    for file, columns in others:
        check_same_columns(first, expected, file, columns)
    return own_columns(expected)


def _read_each(files: Sequence[Path], read: Callable[[Path], Result]) -> list[tuple[Path, Result]]:
    """What is read of each file; of several, those that are empty are left out."""
    found: list[tuple[Path, Result]] = []
    for file in files:
        try:
            found.append((file, read(file)))
        except EmptySourceError:
            if len(files) == 1:
                raise
    return found


MAX_RECORDS_READ = 200_000
"""Of a JSON or XML source, to find its columns before a run."""


def columns_of(source: FileSource) -> tuple[str, ...] | None:
    """Read a source's columns, even if that takes reading many rows.

    Returns:
        None where only a run can read them: a URL, standard input, more than MAX_RECORDS_READ
        records each of which may have further columns.

    Raises:
        SourceError: The file cannot be read, or its header is invalid.
    """
    if source.shape.format is FileFormat.EXCEL:
        from runner.tables.sources.excel import excel_columns

        return _common_columns(source, lambda file: excel_columns(file, source.shape)) or None
    if source.shape.format not in _OBJECT_READERS:
        return read_columns(source) or None
    read = _OBJECT_READERS[source.shape.format]
    files = _with_rows(_files(source.path), source.shape)
    records = _read_one_by_one(files, lambda file: read(file, source.shape), [])
    merged = MergedColumns(source.path)
    valued: set[str] = set()
    for record in map(merged.renamed, islice(records, MAX_RECORDS_READ)):
        valued.update(column for column, value in record.items() if value is not None)
    is_all = next(records, None) is None
    columns = check_header(source.path, hide_null_parents(merged.names, valued))
    return own_columns(columns) or None if is_all else None


def open_source(source: AnySource, folder: Path, disk: Disk = UNBOUNDED) -> tuple[Records, ...]:
    """Open a source; all its records have the same columns, each in its own order.

    Args:
        source: Where the rows are.
        folder: For rows that are written as CSV first.
        disk: Counts what is written.

    Raises:
        SourceError: The source cannot be read, or its content is invalid.
        StorageError: The run uses more disk space than it may.
    """
    if isinstance(source, RowsSource):
        return (replace(open_csv(source.path, PLAIN_CSV), written=source.written),)
    if isinstance(source, FileSource):
        return _open_files(source, folder, disk)
    if isinstance(source, DatabaseSource):
        from runner.tables.sources.database import read_database

        records = read_database(source, folder / "rows.csv", disk)
        nulls = with_nan_as_written(source.nulls)
        return (replace(records, shape=replace(PLAIN_CSV, nulls=nulls)),)
    return (read_joined(source, folder, open_source, disk),)


def describe_partitions(source: AnySource, most_rows: int) -> tuple[Records, ...]:
    """Describe a source that can be read in partitions, as `open_source` does, without its rows.

    Args:
        source: Where the rows are.
        most_rows: In a partition, if the source allows it.

    Returns:
        Nothing if it has to be read as a whole.

    Raises:
        SourceError: As `open_source`.
    """
    if not isinstance(source, FileSource) or source.url is not None:
        return ()
    if source.path == STANDARD_STREAM or source.shape.format is not FileFormat.PARQUET:
        return ()
    from runner.tables.sources.parquet import describe_parquet

    def described(file: Path, shape: FileShape, _to: Path, _disk: Disk) -> Records:
        return replace(describe_parquet(file, most_rows), shape=_parquet_shape(shape))

    return _read_files(source, _files(source.path), Path(), UNBOUNDED, described)


def _open_files(source: FileSource, folder: Path, disk: Disk) -> tuple[Records, ...]:
    if source.shape.format is FileFormat.DELTA:
        return (_read_delta(source, folder / "rows.csv", disk),)
    files = _local_files(source, folder)
    if source.path == STANDARD_STREAM:
        return _opened_as(STANDARD_INPUT, source, files, folder, disk)
    if source.url is None:
        return _read_files(source, files, folder, disk)
    disk.add(size_of(files[0]))
    return _opened_as(shown_url(source.url), source, files, folder, disk)


def _opened_as(
    place: str, source: FileSource, files: list[Path], folder: Path, disk: Disk
) -> tuple[Records, ...]:
    """Open a local copy; messages name the place that it comes from."""
    with shown_as(place, files[0]):
        opened = _read_files(replace(source, path=files[0]), files, folder, disk)
    return tuple(replace(records, place=place) for records in opened)


def _read_files(
    source: FileSource,
    files: list[Path],
    folder: Path,
    disk: Disk,
    read: ReadFile | None = None,
) -> tuple[Records, ...]:
    shape = source.shape
    filled = _with_rows(files, shape)
    if shape.format in _OBJECT_READERS:
        return (_read_objects(source, files, filled, folder, disk),)
    read = read or _READERS[shape.format]
    texts = (folder / f"rows-{number}.csv" for number in count())
    each_read = _read_each(filled, lambda file: read(file, shape, next(texts), disk))
    opened = tuple(records for _, records in each_read if records.columns)  # or it is empty
    if not opened:
        raise empty(source.path)
    names = {column.lower(): column for column in opened[0].columns}
    written = {**source.written}
    for each in opened:
        written |= {names.get(c.lower(), c): shapes for c, shapes in each.written.items()}
    for each in opened[1:]:
        check_same_columns(opened[0].path, opened[0].columns, each.path, each.columns)
    opened = tuple(replace(each, written=written) for each in opened)
    if files == [source.path] and not opened[0].notes:
        return opened
    from runner.tables.sources.notes import with_file_names

    return with_file_names(opened, files, source.path)


def _read_objects(
    source: FileSource, files: list[Path], filled: list[Path], folder: Path, disk: Disk
) -> Records:
    """Read files whose records name their columns; `filled` are those that are not empty."""
    shape = source.shape
    read_objects, typed = _OBJECT_READERS[shape.format], TypedColumns(source.path)
    starts: list[tuple[int, Path]] = []
    found = _read_one_by_one(filled, lambda file: read_objects(file, shape), starts, shape.nulls)
    objects = typed.watch(map(MergedColumns(source.path).renamed, found))
    records = spool_records(source.path, objects, json_cell, folder / "rows.csv", disk)
    plain = plain_csv(shape)
    written = typed(plain, records.columns)
    from runner.tables.sources.notes import file_notes

    notes = file_notes(
        files,
        [file for _, file in starts],
        lambda file: encoding_note(file, shape),
        source.path,
        records.columns,
    )
    return replace(records, shape=plain, files=tuple(starts), written=written, notes=notes)


def _read_one_by_one(
    files: Sequence[Path],
    read: Callable[[Path], Iterator[JsonObject]],
    starts: list[tuple[int, Path]],
    nulls: Collection[str] = (),
) -> Iterator[JsonObject]:
    """Read the records of many files; adds to `starts` each file and the rows before it."""
    number = 0
    filled = len(files)
    for file in files:
        starts.append((number, file))
        try:
            for record in read(file):
                number += _has_value(record, nulls)
                yield record
        except EmptySourceError:
            filled -= 1
            if not filled:
                raise
            starts.pop()


def _has_value(record: JsonObject, nulls: Collection[str]) -> bool:
    """Whether a record is a row; `nulls` are values that mean a blank."""
    texts = map(json_cell, record.values())
    return any(text.strip(BLANKS) and text not in nulls for text in texts)


def _local_files(source: FileSource, folder: Path) -> list[Path]:
    """The files of a source, fetched to this machine if necessary."""
    if source.path == STANDARD_STREAM:
        from runner.tables.sources.standard_input import save_standard_input

        return [save_standard_input(folder / "standard-input")]
    if source.url is not None:
        from runner.tables.remote import fetch

        name = PurePosixPath(shown_url(source.url)).name or "fetched"
        (folder / "fetched").mkdir(parents=True, exist_ok=True)
        return [fetch(source.url, folder / "fetched" / name)]
    return _files(source.path)


def _files(path: Path) -> list[Path]:
    """The file of that name, or all that match it as a pattern, sorted by name."""
    if path.exists() or not any(sign in str(path) for sign in "*?["):
        return [path]
    found = sorted(glob(str(path), recursive=True))  # noqa: PTH207 - the pattern is absolute
    files = [file for file in map(Path, found) if file.is_file()]
    if not files:
        raise SourceError(f"No file matches {path}.", hint="Check the pattern in `from`.")
    return files


def _with_rows(files: list[Path], shape: FileShape) -> list[Path]:
    """Files that are not empty; one of them if all are and that means that there are no rows.

    Raises:
        SourceError: A file does not exist or cannot be read, or all are empty.
    """
    filled = [file for file in files if size_of(file)]
    if filled:
        return filled
    if shape.format is FileFormat.JSONL or (shape.format is FileFormat.CSV and shape.header):
        return files[:1]
    raise empty(files[0])


def _read_csv(file: Path, shape: FileShape, to: Path, disk: Disk) -> Records:
    records = open_csv(file, shape)
    if not records.only_normalized:
        return replace(records, normalize=partial(normalized, file, records.shape))
    normal = normalized(file, records.shape, to)
    disk.add(size_of(to))
    return replace(normal, notes=(*records.notes, *normal.notes))


def _read_parquet(file: Path, shape: FileShape, to: Path, disk: Disk) -> Records:
    from runner.tables.sources.parquet import read_parquet

    records = read_parquet(file, to)
    disk.add(size_of(to))
    return replace(records, shape=_parquet_shape(shape))


def _parquet_shape(shape: FileShape) -> FileShape:
    return replace(plain_csv(shape), nulls=with_nan_as_written(shape.nulls))


def _read_delta(source: FileSource, to: Path, disk: Disk) -> Records:
    from runner.tables.sources.delta import read_delta

    records = read_delta(source.path, to)
    disk.add(size_of(to))
    return replace(records, shape=_parquet_shape(source.shape))


def _read_excel(file: Path, shape: FileShape, to: Path, disk: Disk) -> Records:
    from runner.tables.sources.excel import read_excel

    return replace(read_excel(file, shape, to, disk), shape=plain_csv(shape))


def _read_xml(file: Path, shape: FileShape) -> Iterator[JsonObject]:
    from runner.tables.sources.xml import xml_records

    return xml_records(file, shape)


_OBJECT_READERS: Mapping[FileFormat, Callable[[Path, FileShape], Iterator[JsonObject]]] = {
    FileFormat.JSONL: json_lines,
    FileFormat.JSON: json_array,
    FileFormat.XML: _read_xml,
}
"""Formats in which each record names its columns: several files have the columns of all."""

_READERS: Mapping[FileFormat, ReadFile] = {
    FileFormat.CSV: _read_csv,
    FileFormat.PARQUET: _read_parquet,
    FileFormat.EXCEL: _read_excel,
}
"""Formats with one header: several files must have the same columns."""
