"""Parquet files as rows of text.

Knows Parquet's types and how each is written as text. Knows nothing of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner.errors import SourceError
from runner.tables.database import WITHOUT_STATISTICS, Database, first_line
from runner.tables.sources.arrow_durations import METADATA_KEY, durations_of
from runner.tables.sources.csv import PLAIN_CSV, Records
from runner.tables.sources.header import check_header, clean_name
from runner.tables.sources.spool import spooled
from runner.tables.sources.value_texts import FLOATS, NUMBER_MACROS
from runner.tables.sources.written import WITH_NAN
from runner.tables.sql import copy_csv, literal, name
from runner.tables.sql import read_parquet as relation
from runner.tables.unchanged import stamp_of, unchanged

if TYPE_CHECKING:
    from runner.files import Stamp
    from runner.tables import duckdb
    from runner.tables.sources.partitions import Partition


_MOST_DIGITS = 38
_NUMBERED = re.compile(r"(.+)_\d+", re.DOTALL)
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT", "GEOMETRY")
_DURATION = "DURATION IN 1/"
"""Of which part of a second: a type that DuckDB takes for a whole number."""


def parquet_columns(path: Path) -> tuple[str, ...]:
    """Read the names of the columns.

    Raises:
        SourceError: The file is not Parquet, or a column has more than one value per row.
    """
    from runner.tables import duckdb

    with duckdb.connect(":memory:") as connection:
        return tuple(_described(connection, path))


def read_parquet(path: Path, to: Path) -> Records:
    """Write the rows of a Parquet file as CSV.

    Raises:
        SourceError: As `parquet_columns`, or the file is damaged, or changes meanwhile.
    """
    database = typed_source_database(to.parent)
    try:
        with unchanged(path), _duckdb_errors(path):
            types = _described(database.connection, path)
            columns = check_header(path, tuple(types))
            return write_rows(database, path, columns, types, relation([path]), to)
    finally:
        database.close()


def describe_parquet(path: Path, most_rows: int) -> Records:
    """Find the columns and the partitions of a Parquet file, without its rows.

    Args:
        path: The file.
        most_rows: In a partition, unless a row group has more.

    Raises:
        SourceError: As `read_parquet`.
    """
    from runner.tables import duckdb

    stamp = stamp_of(path)
    with duckdb.connect(":memory:") as connection:
        connection.execute(WITHOUT_STATISTICS)
        types = _described(connection, path)
        columns = check_header(path, tuple(types))
        with _duckdb_errors(path):
            has_nan = _with_nan(connection, types, relation([path]))
            groups = connection.execute(_GROUPS.format(literal(str(path)))).fetchall()
    written = {clean_name(column): WITH_NAN for column in has_nan}
    partitions = _joined(path, stamp, groups, most_rows)
    return Records(path, columns, PLAIN_CSV, iter(()), written=written, partitions=partitions)


_GROUPS = """
SELECT row_group_num_rows, min(begin), max(begin + total_compressed_size) FROM (
  SELECT *, least(data_page_offset, nullif(dictionary_page_offset, 0)) AS begin
  FROM parquet_metadata({})
) GROUP BY row_group_id, row_group_num_rows ORDER BY row_group_id
"""
"""Rows and bytes of each row group."""


def _joined(
    path: Path, stamp: Stamp, groups: list[tuple[int, int, int]], most_rows: int
) -> tuple[Partition, ...]:
    """Row groups together, as many as have no more rows."""
    from runner.tables.sources.partitions import Partition

    found: list[Partition] = []
    first = 0
    for rows, start, end in groups:
        last = found[-1] if found else None
        if last is not None and last.rows + rows <= most_rows:
            bounds = min(last.start, start), max(last.end, end)
            found[-1] = Partition(path, last.first, last.rows + rows, *bounds, stamp)
        else:
            found.append(Partition(path, first, rows, start, end, stamp))
        first += rows
    return tuple(each for each in found if each.rows)


def read_partition(partition: Partition, to: Path) -> Records:
    """Write the rows of a partition as CSV, as `read_parquet` writes those of the file.

    Raises:
        SourceError: As `read_parquet`.
    """
    path, last = partition.file, partition.first + partition.rows
    database = typed_source_database(to.parent)
    try:
        with unchanged(path), _duckdb_errors(path):
            types = _described(database.connection, path)
            rows = relation([path], ", file_row_number = true")
            of_partition = f"file_row_number >= {partition.first} AND file_row_number < {last}"
            _write(database, types, f"{rows} WHERE {of_partition}", to)
            return spooled(path, check_header(path, tuple(types)), to)
    finally:
        database.close()


def typed_source_database(folder: Path) -> Database:
    """A database that reads Parquet files of other programs.

    It does not believe their statistics: these leave NaN out, and DuckDB concludes from two equal
    bounds that every row has this value.
    """
    return Database(folder, statements=(WITHOUT_STATISTICS,))


def write_rows(  # noqa: PLR0913, PLR0917 - what is written, and where
    database: Database,
    path: Path,
    columns: tuple[str, ...],
    types: Mapping[str, str],
    rows: str,
    to: Path,
) -> Records:
    """Write the rows of a relation as CSV.

    Args:
        database: Reads the rows.
        path: What they are called in messages.
        columns: Their names, as fields can use them.
        types: Of the columns of the relation, as DuckDB calls them.
        rows: The relation.
        to: The file to write.
    """
    has_nan = _with_nan(database.connection, types, rows)
    _write(database, types, rows, to)
    written = {clean_name(column): WITH_NAN for column in has_nan}
    return replace(spooled(path, columns, to), written=written)


def _write(database: Database, types: Mapping[str, str], rows: str, to: Path) -> None:
    cells = ", ".join(_cell(column, kind) for column, kind in types.items())
    database.make_room(len(types))
    for macro in NUMBER_MACROS:
        database.connection.execute(macro)
    database.connection.execute(copy_csv(f"SELECT {cells} FROM {rows}", to, header=False))


def _with_nan(
    connection: duckdb.DuckDBPyConnection, types: Mapping[str, str], rows: str
) -> list[str]:
    """The columns that have floating point numbers which are no numbers."""
    floats = [column for column, kind in types.items() if kind in FLOATS]
    if not floats:
        return []
    tests = ", ".join(f"bool_or(NOT isfinite({name(column)}))" for column in floats)
    (found,) = connection.execute(f"SELECT {tests} FROM {rows}").fetchall()
    return [column for column, has_nan in zip(floats, found, strict=True) if has_nan]


def _described(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    with _duckdb_errors(path):
        asked = f"DESCRIBE FROM {relation([path])}"
        types = {row[0]: str(row[1]) for row in connection.execute(asked).fetchall()}
    for column, kind in types.items():
        if kind.startswith(_NESTED) or kind.endswith("]"):
            raise SourceError(
                f"{path}: column {column!r} has more than one value per row: {kind}.",
                hint="Export one plain column per value, or leave the column out.",
            )
    if "DOUBLE" in types.values():
        _refuse_wide_decimals(connection, path)
    _refuse_renamed(connection, path, types)
    if "BIGINT" in types.values():
        types |= _durations(connection, path, types)
    return types


def _refuse_renamed(
    connection: duckdb.DuckDBPyConnection, path: Path, columns: Iterable[str]
) -> None:
    """DuckDB calls the second of `Name` and `NAME` `NAME_1`, and says nothing."""
    known = {each.lower() for each in columns}
    numbered = (_NUMBERED.fullmatch(each) for each in known)
    if any(each is not None and each[1] in known for each in numbered):
        asked = f"SELECT name FROM parquet_schema({literal(str(path))})"
        _, *names = (each for (each,) in connection.execute(asked).fetchall())  # after the root's
        check_header(path, names)


def _durations(
    connection: duckdb.DuckDBPyConnection, path: Path, types: Mapping[str, str]
) -> dict[str, str]:
    """The columns of whole numbers that are durations."""
    asked = (
        f"SELECT value FROM parquet_kv_metadata({literal(str(path))})"
        f" WHERE key = {literal(METADATA_KEY)}::BLOB"
    )
    with _duckdb_errors(path):
        found = connection.execute(asked).fetchone()
    units = durations_of(found[0]) if found else {}
    return {
        column: f"{_DURATION}{unit}"
        for column, unit in units.items()
        if types.get(column) == "BIGINT"
    }


def _refuse_wide_decimals(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """DuckDB reads a decimal of more than 38 digits as a double, which loses digits."""
    asked = (
        f"SELECT name, precision, scale FROM parquet_schema({literal(str(path))})"
        f" WHERE precision > {_MOST_DIGITS}"
    )
    for column, precision, scale in connection.execute(asked).fetchall():
        raise SourceError(
            f"{path}: column {column!r} has numbers of up to {precision} digits, more than the"
            f" {_MOST_DIGITS} that can be read.",
            hint=f"Export it as text, or as DECIMAL({_MOST_DIGITS}, {scale}) if its values fit.",
        )


def _cell(column: str, kind: str) -> str:
    # A blank is written as two quotes: one NULL alone would be an empty line, which is not a row.
    return f"coalesce({_text(name(column), kind)}, '')"


def _text(cell: str, kind: str) -> str:
    if kind == "BLOB":
        return f"base64({cell})"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {cell}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.startswith("TIMESTAMPTZ"):  # of nanoseconds
        moment = f"strftime(timezone('UTC', {cell}), '%Y-%m-%dT%H:%M:%S.%nZ')"
        return rf"regexp_replace({moment}, '000Z$', 'Z')"
    if kind.startswith(_DURATION):
        return _duration(cell, int(kind.removeprefix(_DURATION)))
    text = f"CAST({cell} AS VARCHAR)"
    return f"float_text({text})" if kind in FLOATS else text


def _duration(cell: str, unit: int) -> str:
    """Write the SQL of a duration's text, as `value_texts.duration_text` writes one.

    Args:
        cell: A whole number.
        unit: How many of what it counts make a second.
    """
    length = f"abs({cell}::HUGEINT)"  # the lowest BIGINT has no opposite
    hours, rest = f"({length} // {3600 * unit})", f"{length} % {unit}"
    minutes, seconds = f"{length} // {60 * unit} % 60", f"{length} // {unit} % 60"
    digits = len(str(unit)) - 1
    return (
        f"CASE WHEN {cell} < 0 THEN '-' ELSE '' END"
        f" || CASE WHEN {hours} < 10 THEN '0' ELSE '' END || {hours}"
        f" || ':' || lpad(({minutes})::VARCHAR, 2, '0')"
        f" || ':' || lpad(({seconds})::VARCHAR, 2, '0')"
        f" || CASE WHEN {rest} = 0 THEN ''"
        f" ELSE '.' || rtrim(lpad(({rest})::VARCHAR, {digits}, '0'), '0') END"
    )


@contextmanager
def _duckdb_errors(path: Path) -> Iterator[None]:
    from runner.tables import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: duckdb.Error) -> SourceError:
    reason = first_line(error)
    if "magic bytes" in reason.lower():  # at the start and the end of every Parquet file
        reason = "it does not begin and end as a Parquet file does"
    return SourceError(
        f"{path} cannot be read as Parquet: {reason}.",
        hint="The file may be in another format, or incomplete.",
    )
